/** Checks documents against core/format/schema.ts. Reads names, dtypes and shapes, never data. */
import type { DType } from "../../ffi/dtype.ts";
import { type Dim, type Row, schemas, type Spec, type View } from "./schema.ts";

const mapDim = (dim: Dim, f: (name: string) => string): Dim =>
  typeof dim === "number" ? dim : typeof dim === "string" ? f(dim) : { plusOne: f(dim.plusOne) };
const showDim = (dim: Dim) => typeof dim === "object" ? `${dim.plusOne} + 1` : String(dim);

/** Rows with `{relation}`, `{type}`, `{hop}` and `{layer}` filled in. */
function expand(rows: readonly Row[], meta: Record<string, unknown>): Row[] {
  const relations = (meta["relations"] ?? []) as { name: string; dst: string }[];
  const types = (meta["node_types"] ?? []) as string[];
  // Where no row asks for them, nothing bounds them.
  const most = rows.some(({ name }) => name.includes("{hop}")) ? (meta["hops"] ?? 0) as number : 0;
  const hops = Array.from({ length: Math.max(most, 1) }, (_, h) => String(h));
  const layers = ((meta["layers"] ?? []) as unknown[]).flatMap((layer, l) => layer ? [String(l)] : []);
  const fill = (r: Row, key: string, values: readonly Record<string, string>[]): Row[] =>
    !r.name.includes(`{${key}}`) ? [] : values.map((value) => {
      const put = (text: string) => text.replace(/\{(\w+)\}/g, (whole, k: string) => value[k] ?? whole);
      const shapes = r.shapes.map((shape) => shape.map((dim) => mapDim(dim, put)));
      return {
        ...r,
        name: put(r.name),
        shapes,
        required: typeof r.required === "function" ? requiredOf(r.required, put) : r.required,
      };
    });
  return rows.flatMap((r) =>
    r.name.includes("{")
      ? [
        ...fill(
          r,
          "relation",
          relations.map(({ name, dst }) => ({ relation: name, dst: `nodes of ${dst}` })),
        ),
        ...fill(withTypeDim(r), "type", types.map((type) => ({ type, typeNodes: `nodes of ${type}` }))),
        ...fill(r, "hop", hops.map((hop) => ({ hop }))),
        ...fill(r, "layer", layers.map((layer) => ({ layer }))),
      ]
      : [r]
  );
}

/** The dimension "{type}" counts the nodes of a type; elsewhere it is the type's name. */
function withTypeDim(r: Row): Row {
  const put = (name: string) => name === "{type}" ? "{typeNodes}" : name;
  return { ...r, shapes: r.shapes.map((shape) => shape.map((dim) => mapDim(dim, put))) };
}

/** A presence rule of a template asks about the filled-in names. */
function requiredOf(rule: (doc: View) => boolean, put: (text: string) => string): (doc: View) => boolean {
  return (doc) => rule({ ...doc, has: (name) => doc.has(put(name)), spec: (name) => doc.spec(put(name)) });
}

const patterns = new Map<string, RegExp>();
function matches(pattern: string, name: string): boolean {
  if (!pattern.includes("<")) return pattern === name;
  let compiled = patterns.get(pattern);
  if (!compiled) {
    const escaped = pattern.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/<\w+>(?=.)/g, "[^/]+").replace(
      /<\w+>$/,
      ".+",
    );
    patterns.set(pattern, compiled = new RegExp(`^${escaped}$`));
  }
  return compiled.test(name);
}

type Dims = Map<string, { value: number; from: string }>;

/** Why a shape does not fit, or null; free dimensions are bound when it does. */
function misfit(shape: readonly number[], wanted: readonly Dim[], dims: Dims, name: string): string | null {
  if (shape.length !== wanted.length) return `has ${shape.length} dimensions`;
  const bound: [string, number][] = [];
  for (const [i, dim] of wanted.entries()) {
    if (dim === "*") continue;
    const [key, more] = typeof dim === "object" ? [dim.plusOne, 1] : [dim, 0];
    const known = typeof key === "number" ? { value: key, from: "" } : dims.get(key);
    if (!known) {
      if (shape[i]! - more < 0) return `dimension ${i} is ${shape[i]}, expected at least ${more}`;
      bound.push([key as string, shape[i]! - more]);
    } else if (shape[i] !== known.value + more) {
      const why = known.from ? ` (${showDim(dim)}, with ${key} = ${known.value} by ${known.from})` : "";
      return `dimension ${i} is ${shape[i]}, expected ${known.value + more}${why}`;
    }
  }
  for (const [key, value] of bound) dims.set(key, { value, from: `tensor "${name}"` });
  return null;
}

/** The shape that fits best names the problem: same rank first. */
function checkShape(spec: Spec, r: Row, dims: Dims): string | null {
  const sameRank = r.shapes.filter((shape) => shape.length === spec.shape.length);
  let why: string | null = null;
  for (const wanted of sameRank) {
    why = misfit(spec.shape, wanted, dims, spec.name);
    if (why === null) return null;
  }
  const shapes = r.shapes.map((shape) => `[${shape.map(showDim).join(", ")}]`).join(" or ");
  return `tensor "${spec.name}": shape [${spec.shape.join(", ")}], expected ${shapes}${
    why ? `: ${why}` : ""
  }`;
}

/** Problems of a document's metadata alone. */
export function metaProblems(kind: string, meta: unknown): string[] {
  const schema = schemas[kind];
  if (!schema) return [`kind "${kind}", expected one of ${Object.keys(schemas).join(", ")}`];
  const parsed = schema.meta.safeParse(meta);
  if (parsed.success) return [];
  return parsed.error.issues.map(({ path, message }) =>
    `metadata ${path.length ? path.join(".") : `gust.${kind}`}: ${
      message.replace(/^Invalid (input|option|string): /, "")
    }`
  );
}

/**
 * Every way in which a document is not what its kind says: metadata, missing and unknown tensors, dtypes, shapes.
 * gust's own tensors (`gust.*`) and `extra/...`, which is for anybody, are left out. Reads no data.
 */
export function schemaProblems(kind: string, meta: unknown, tensors: readonly Spec[]): string[] {
  const problems = metaProblems(kind, meta);
  if (problems.length > 0) return problems;
  const schema = schemas[kind]!;
  const known = meta as Record<string, unknown>;
  const own = tensors.filter(({ name }) => !name.startsWith("gust.") && !name.startsWith("extra/"));
  const byName = new Map(own.map((spec) => [spec.name, spec]));
  const doc: View = { meta: known, has: (name) => byName.has(name), spec: (name) => byName.get(name) };
  const dims: Dims = new Map(
    Object.entries(schema.dims(known)).map(([key, value]) => [key, { value, from: "metadata" }]),
  );
  const rows = expand(schema.rows, known);
  const seen = new Set<string>();
  for (const r of rows) {
    for (const spec of own.filter(({ name }) => matches(r.name, name))) {
      if (seen.has(spec.name)) continue;
      seen.add(spec.name);
      if (!r.dtypes.includes(spec.dtype as DType)) {
        problems.push(`tensor "${spec.name}": dtype ${spec.dtype}, expected ${r.dtypes.join(" or ")}`);
      }
      const problem = checkShape(spec, r, dims);
      if (problem) problems.push(problem);
    }
    const required = typeof r.required === "function" ? r.required(doc) : r.required;
    if (required && !r.name.includes("<") && !byName.has(r.name)) {
      problems.push(`tensor "${r.name}" is missing`);
    }
  }
  for (const { name } of own) {
    if (!seen.has(name)) {
      problems.push(
        `tensor "${name}" is no part of a ${kind} document (names of your own begin with "extra/")`,
      );
    }
  }
  return [...problems, ...(schema.rules?.(doc) ?? [])];
}
