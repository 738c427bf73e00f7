/** A description as one screen for a person. */
import type { Description, TensorDescription } from "./inspect.ts";
import { describeStep } from "./provenance.ts";

/** Longer lists of tensors and splits are cut: --json has everything. */
const MAX_TENSORS = 16;
const MAX_SPLITS = 3;

const group = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 4 });

/** 1536 -> "1.5 KiB" */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

function edgesText(d: Description): string {
  const arcs = d["edges"] as number;
  if (d["directed"]) return `${group(arcs)}, directed`;
  const loops = d["self_loops"] as number | undefined;
  return `${group(arcs)} arcs${
    loops === undefined ? "" : ` = ${group((arcs - loops) / 2 + loops)} edges`
  }, undirected`;
}

function featuresText(d: Description): string {
  const storage = d["feature_storage"];
  if (storage === undefined) return group(d["features"] as number);
  if (storage === "dense") return `${group(d["features"] as number)}, dense ${d["feature_dtype"]}`;
  const nnz = d["feature_nnz"] as number;
  const dense = (d["features"] as number) * ((d["rows"] ?? d["nodes"]) as number);
  const share = dense > 0 ? ` = ${(100 * nnz / dense).toPrecision(3)} %` : "";
  return `${group(d["features"] as number)}, sparse, ${group(nnz)} stored${share}${
    d["feature_dtype"] === null ? ", all ones" : ""
  }`;
}

function splitsText(splits: readonly Record<string, number>[]): string {
  if (splits.length === 0) return "none";
  const lines = splits.slice(0, MAX_SPLITS).map((s) =>
    Object.entries(s).map(([name, size]) => `${name} ${group(size)}`).join(", ")
  );
  if (splits.length > MAX_SPLITS) lines.push(`... ${splits.length} in all`);
  return lines.join("\n");
}

/** Facts in words where the bare value would not do. */
const special: Record<string, (d: Description) => string> = {
  edges: edgesText,
  features: featuresText,
  splits: (d) => splitsText(d["splits"] as Record<string, number>[]),
  relations: (d) =>
    (d["relations"] as { name: string; src: string; dst: string }[]).map(({ name, src, dst }) =>
      `${src} -> ${name} -> ${dst}`
    ).join("\n"),
  node_types: (d) =>
    (d["node_types"] as string[]).map((type, i) => `${type} ${group((d["node_counts"] as number[])[i]!)}`)
      .join(", "),
  bytes: (d) => bytesText(d.bytes),
};
/** Told by another line, or at the end. */
const HIDDEN = new Set([
  "kind",
  "file",
  "tensors",
  "provenance",
  "directed",
  "feature_storage",
  "feature_dtype",
  "feature_nnz",
  "node_counts",
  "name",
]);

function valueText(value: unknown): string {
  if (typeof value === "number") return group(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function tensorLines(tensors: readonly TensorDescription[]): string[] {
  const shown = tensors.slice(0, MAX_TENSORS);
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const lines = shown.map(({ name, dtype, shape }) =>
    `  ${name.padEnd(width)}  ${dtype.padEnd(4)} [${shape.join(", ")}]`
  );
  if (tensors.length > shown.length) {
    lines.push(`  ... ${tensors.length - shown.length} more (--json lists all)`);
  }
  return lines;
}

/** The screen, ending in a newline. `label` heads it. */
export function describeText(d: Description, label: string): string {
  const facts = Object.entries(d).filter(([key, value]) =>
    !HIDDEN.has(key) && value !== undefined && value !== null
  );
  const rows = facts.map(([key, value]) =>
    [key.replaceAll("_", " "), special[key]?.(d) ?? valueText(value)] as const
  );
  for (const record of d.provenance ?? []) rows.push(["step", describeStep(record).replace("made by ", "")]);
  const width = Math.max(...rows.map(([key]) => key.length));
  const lines = rows.map(([key, value]) =>
    `  ${key.padEnd(width)}  ${value.replaceAll("\n", `\n${" ".repeat(width + 4)}`)}`
  );
  const name = d["name"] ? ` ${JSON.stringify(d["name"])}` : "";
  return [`${label}: ${d.kind}${name}`, ...lines, "tensors", ...tensorLines(d.tensors)].join("\n") + "\n";
}
