/**
 * What a gust file must hold, as data: per kind the metadata and one row per tensor with dtypes, shape and presence.
 * Writers and readers check against it and report every violation.
 *
 * Shapes are lists of numbers and dimension names: "n" is bound by the metadata or by the first tensor that shows it,
 * "n+1" is one more, "*" is anything. `{relation}`, `{type}`, `{hop}` and `{layer}` in a name are filled in from the
 * metadata; `<name>` stands for any name without "/".
 */
import { z } from "zod";
import type { DType } from "../../ffi/dtype.ts";

const count = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{32}$/, "expected a digest of 32 hexadecimal digits");
const itemName = z.string().regex(/^[^/{}<>\p{Cc}]+$/u, 'expected a name without "/", "{", "<"');

const graphMeta = z.looseObject({
  num_nodes: count,
  /** Stored arcs: an undirected edge counts twice. */
  num_edges: count,
  directed: z.boolean(),
  /** 0 where there are none, and for typed graphs, whose types differ. */
  num_features: count,
  num_classes: count,
  row_order: z.enum(["index", "time"]),
  name: z.string().optional(),
  multi_label: z.boolean().optional(),
  class_names: z.array(z.string()).optional(),
  self_loops: count.optional(),
  /** Names of the numbers in edge_type and link_type. */
  edge_types: z.array(z.string()).optional(),
  /** Typed graphs: nodes of a type are consecutive, types in this order, `node_counts` of each. */
  node_types: z.array(itemName).optional(),
  node_counts: z.array(count).optional(),
  relations: z.array(z.looseObject({ name: itemName, src: z.string(), dst: z.string() })).optional(),
});

/**
 * More classes than this are no classes: a damaged label or header would have all of them listed, counted and trained.
 */
export const mostClasses = (numNodes: number): number => Math.max(2 ** 16, numNodes);

const partitionMeta = z.looseObject({
  k: z.int().min(1),
  of: z.enum(["nodes", "edges"]).optional(),
  method: z.string(),
  /** How the nodes of each part are ordered. */
  order: z.string().optional(),
  num_nodes: count,
  balance: z.number().min(0),
  /** Of nodes. */
  cut: z.number().min(0).optional(),
  halo: z.number().min(0).optional(),
  label_entropy: z.number().min(0).nullable().optional(),
  modularity: z.number().optional(),
  /** Of edges: stored arcs, and the mean number of parts that a node is in. */
  num_edges: count.optional(),
  replication_factor: z.number().min(0).optional(),
  graph: digest,
});

/** Whether a partition shares out nodes; the other kind shares out edges (a vertex cut). */
const ofNodes = (doc: View) => doc.meta["of"] !== "edges";

function partitionRules(doc: View): string[] {
  const wanted = ofNodes(doc) ? ["cut", "halo"] : ["num_edges", "replication_factor"];
  return wanted.filter((key) => doc.meta[key] === undefined).map((key) =>
    `meta "${key}" is missing, which a partition of ${ofNodes(doc) ? "nodes" : "edges"} has`
  );
}

const sampleMeta = z.looseObject({
  method: z.string(),
  graph: digest,
  num_nodes: count,
  /** Batches of this document; a chunk counts its own. */
  num_batches: count,
  epochs: count,
  /** Blocks per batch; 0 = one square subgraph that every layer uses. */
  hops: count.max(64),
  params: z.record(z.string(), z.unknown()).optional(),
  chunk: z.looseObject({ index: count, last: z.boolean() }).optional(),
});

const share = z.number().min(0).max(1);
/** What a layer multiplies by in its backward product. */
const layerMeta = z.looseObject({
  /** Columns of what is multiplied. */
  width: z.int().min(1),
  /** Of the rows, as the budget was shared out. */
  share,
  rows: count,
  entries: count,
  /** Rows that two choices in a row have in common over those of either, oldest first. */
  overlap: z.array(share),
});

/** Rows and pages of packed features in tiers. */
const tiersMeta = z.looseObject({
  row_bytes: count,
  gpu_rows: count,
  host_rows: count,
  segment_batches: z.int().min(1),
  segments: count,
  shared_rows: count,
  shared_pages: count,
  packed_rows: count,
  packed_pages: count,
  uses: z.looseObject({ gpu: count, host: count, shared: count, packed: count }),
  read_pages: count,
  on_demand_pages: count,
  blowup: z.number(),
});

const cacheMeta = z.looseObject({
  layout: z.enum(["propagated", "packed", "operators"]),
  graph: digest,
  sample: digest.optional(),
  hops: count.max(255).optional(),
  norm: z.string().optional(),
  num_nodes: count,
  num_features: count.optional(),
  /** Propagated features: all hops side by side; what scales are of, and the error of storing them. */
  all_hops: z.boolean().optional(),
  alpha: z.number().min(0).lt(1).optional(),
  scale_of: z.enum(["row", "column"]).optional(),
  error: z.looseObject({ max: z.number().min(0), rms: z.number().min(0) }).optional(),
  model_use: z.string().optional(),
  tiers: tiersMeta.optional(),
  /** Operators: entries of the exact one, what chose the rows, for which model, and its layers (null: no product). */
  num_entries: count.optional(),
  approx: z.looseObject({ name: z.string(), params: z.record(z.string(), z.unknown()) }).optional(),
  model: z.string().optional(),
  epoch: count.optional(),
  /** Multiply-adds over those of the exact products. */
  budget: z.number().min(0).optional(),
  layers: z.array(layerMeta.nullable()).max(256).optional(),
});

const modelMeta = z.looseObject({
  model: z.string(),
  config: z.record(z.string(), z.unknown()),
  signature: z.looseObject({ num_features: count, num_classes: count }),
  graph: digest.optional(),
});

const predictionMeta = z.looseObject({
  model: z.string(),
  num_classes: count,
  /** What the scores are: probabilities of one class, of several labels, or predicted numbers. */
  outputs: z.enum(["classes", "labels", "values"]).optional(),
});
const embeddingMeta = z.looseObject({ model: z.string().optional() });
const refMeta = z.looseObject({
  path: z.string().startsWith("/", "expected an absolute path"),
  size: count,
  digest,
});

export interface PlusOne {
  readonly plusOne: string;
}
export type Dim = number | string | PlusOne;
export interface Row {
  readonly name: string;
  readonly dtypes: readonly DType[];
  /** The allowed shapes. */
  readonly shapes: readonly (readonly Dim[])[];
  /** Required always (true), never (false), or when the function says so. */
  readonly required: boolean | ((doc: View) => boolean);
}

/** What the rules see of a document. */
export interface View {
  readonly meta: Record<string, unknown>;
  readonly has: (name: string) => boolean;
  readonly spec: (name: string) => Spec | undefined;
}
export interface Spec {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

type Shape = readonly (number | string)[];
const row = (
  name: string,
  dtypes: string,
  shape: Shape | readonly Shape[],
  required: Row["required"] = false,
): Row => ({
  name,
  dtypes: dtypes.split(" ") as DType[],
  shapes: ((Array.isArray(shape[0]) ? shape : [shape]) as readonly Shape[]).map((dims) => dims.map(parseDim)),
  required,
});
const parseDim = (dim: number | string): Dim =>
  typeof dim === "string" && dim.endsWith("+1") ? { plusOne: dim.slice(0, -2) } : dim;
const when = (...names: string[]) => (doc: View) => names.some((name) => doc.has(name));
const typed = (doc: View) => doc.meta["relations"] !== undefined;
const hasOwnArcs = (doc: View) => !typed(doc) || doc.has("indices") || doc.has("indptr");
const isQuantised = (doc: View) => doc.spec("feat")?.dtype === "U8" || doc.spec("feat")?.dtype === "I8";

const DENSE = "F32 F16 BF16 F64 U8 I8";
const splits = ["train", "val", "test"] as const;

/** What a held-out link has besides its ends: what its arc had. */
const linkColumns = ["link_type", "link_time", "link_weight", "link_feat"];

/** Arcs of one relation, or of the whole graph (prefix ""). */
const arcRows = (prefix: string, e: string): Row[] => [
  row(`${prefix}edge_weight`, "F32 F64", [e]),
  row(`${prefix}edge_time`, "I64 F64", [e]),
  row(`${prefix}edge_type`, "I32", [e]),
  row(`${prefix}edge_feat`, "F32", [e, "*"]),
  row(`${prefix}edge_ids`, "I64", [e]),
];
/** Node features in one of the stored forms. */
const featureRows = (name: string, n: string, f: string): Row[] => [
  row(name, DENSE, [n, f]),
  row(`${name}.scale`, "F32", [f]),
  row(`${name}.indptr`, "I64", [`${n}+1`], when(`${name}.indices`, `${name}.values`)),
  row(`${name}.indices`, "I32", [`${name} entries`], when(`${name}.indptr`)),
  row(`${name}.values`, "F32", [`${name} entries`]),
];

const graphRows: Row[] = [
  row("indptr", "I64", ["n+1"], hasOwnArcs),
  row("indices", "I32 I64", ["e"], hasOwnArcs),
  ...arcRows("", "e"),
  ...featureRows("feat", "n", "F"),
  row("feat.scale", "F32", ["F"], isQuantised),
  row("label", "I32 U8", [["n"], ["n", "C"]]),
  row("target", "F32 F64", [["n"], ["n", "*"]]),
  ...splits.map((s) => row(`split.${s}`, "BOOL I64", [["splits", "n"], ["*"]])),
  row("node_ids", "I64", ["n"]),
  row("node_names", "U8", ["*"], when("node_names.indptr")),
  row("node_names.indptr", "I64", ["n+1"], when("node_names")),
  row("node_type", "I32", ["n"]),
  row("node_time", "I64 F64", ["n"]),
  row("node_weight", "I32 I64 F32 F64", [["n"], ["n", "*"]]),
  row("pos", "F32 F64", ["n", 3]),
  /** Nodes stored in the order of a partition: part p has rows part_ptr[p] .. part_ptr[p+1). */
  row("part_ptr", "I64", ["parts+1"]),
  row("graph_ptr", "I64", ["graphs+1"], when("graph_label", "graph_target", "graph_feat", "graph_cell")),
  row("graph_label", "I32", ["graphs"]),
  row("graph_target", "F32 F64", [["graphs"], ["graphs", "*"]]),
  row("graph_feat", "F32", ["graphs", "*"]),
  row("graph_cell", "F32 F64", ["graphs", 3, 3]),
  ...splits.map((s) => row(`fold.${s}`, "BOOL", ["folds", "graphs"])),
  ...splits.map((s) =>
    row(`link.${s}`, "I64", [`${s} links`, 2], when(...linkColumns.map((column) => `${column}.${s}`)))
  ),
  ...splits.flatMap((s) => [
    row(`link_type.${s}`, "I32", [`${s} links`]),
    row(`link_time.${s}`, "I64 F64", [`${s} links`]),
    row(`link_weight.${s}`, "F32 F64", [`${s} links`]),
    row(`link_feat.${s}`, "F32", [`${s} links`, "*"]),
  ]),
  row("rel/{relation}/indptr", "I64", ["{dst}+1"], true),
  row("rel/{relation}/indices", "I32 I64", ["arcs of {relation}"], true),
  ...arcRows("rel/{relation}/", "arcs of {relation}"),
  ...featureRows("feat/{type}", "{type}", "features of {type}"),
  row("label/{type}", "I32", ["{type}"]),
];

const sampleRows: Row[] = [
  row("epoch_ptr", "I64", ["epochs+1"], true),
  row("node_ptr", "I64", ["B+1"], true),
  row("nodes", "I32 I64", ["batch nodes"], true),
  row("level_size", "I64", ["B", "hops+1"], true),
  /** How many of a batch's first nodes it is drawn for; absent: level_size[b, 0]. */
  row("seed_count", "I64", ["B"]),
  /** How many batches have each node of the graph. */
  row("popularity", "I64", ["n"]),
  /** What the loss of a node counts: 1 over the probability that a batch has it. */
  row("node_weight", "F32", ["batch nodes"]),
  row("block{hop}.row_ptr", "I64", ["B+1"], true),
  row("block{hop}.indptr", "I64", ["*"], true),
  row("block{hop}.edge_ptr", "I64", ["B+1"], true),
  row("block{hop}.indices", "I32", ["edges of block{hop}"], true),
  row("block{hop}.edges", "I64", ["edges of block{hop}"]),
  row("block{hop}.edge_weight", "F32", ["edges of block{hop}"]),
  /** What an arc counts in its row: 1 over the probability that a batch with the row's node has the arc. */
  row("block{hop}.arc_weight", "F32", ["edges of block{hop}"]),
];

const isPropagated = (doc: View) => doc.meta["layout"] === "propagated";
const isTiered = (doc: View) => doc.meta["layout"] === "packed" && doc.meta["tiers"] !== undefined;
const isOperators = (doc: View) => doc.meta["layout"] === "operators";
const cacheRows: Row[] = [
  row("node_ptr", "I64", ["*"], (doc) => doc.meta["layout"] === "packed"),
  ...featureRows("feat", "rows", "F"),
  // Rows in tiers: those in memory, the first ones in that of a GPU; pages of shared rows, segment by segment, then of
  // packed ones, batch by batch; and where the rows of each batch are.
  row("hot.feat", DENSE, ["hot rows", "F"], isTiered),
  row("shared_ptr", "I64", ["segments+1"], isTiered),
  row("packed_ptr", "I64", ["packed batches+1"], isTiered),
  /** Hot, shared and packed rows of each batch. */
  row("gather.counts", "I64", ["packed batches", 3], isTiered),
  /** Positions in the batch of its hot, shared and packed rows, each in the order in which they lie. */
  row("gather.pos", "I32", ["uses"], isTiered),
  /** Numbers of the hot rows and of the segment's shared rows. */
  row("gather.loc", "I32", ["*"], isTiered),
  row("pages", "U8", ["pages", 4096], isTiered),
  /** Of propagated features in int8, where rows have scales and columns have none. */
  row("feat.row_scale", "F32", ["rows"]),
  // The chosen rows of an operator, transposed: row j lists those that have an entry (i, j).
  row("layer{layer}.rows", "I64", ["rows of layer {layer}"], true),
  row("layer{layer}.indptr", "I64", ["n+1"], true),
  row("layer{layer}.indices", "I32 I64", ["entries of layer {layer}"], true),
  /** Numbers of the entries in the operator, where it has values. */
  row("layer{layer}.order", "I64", ["entries of layer {layer}"]),
  /** What a row counts; absent: 1. */
  row("layer{layer}.weights", "F32", ["rows of layer {layer}"]),
];

const ANY: readonly Shape[] = [[], ["*"], ["*", "*"], ["*", "*", "*"], ["*", "*", "*", "*"]];
const ALL = "F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL";
const modelRows: Row[] = [
  row("param/<name>", ALL, ANY),
  row("best/<name>", ALL, ANY),
  row("ema/<name>", ALL, ANY),
  row("optimizer/<name>/<part>", ALL, ANY),
  row("state/<name>", ALL, ANY),
  ...splits.map((s) => row(`split.${s}`, "I64", ["*"])),
];

export interface KindSchema {
  readonly meta: z.ZodObject;
  /** Dimensions that the metadata give. */
  readonly dims: (meta: Record<string, unknown>) => Record<string, number>;
  readonly rows: readonly Row[];
  /** Rules that a row cannot say. */
  readonly rules?: (doc: View) => string[];
}

const num = (value: unknown) => value as number;

function typedDims(meta: Record<string, unknown>): Record<string, number> {
  const types = (meta["node_types"] ?? []) as string[];
  const counts = (meta["node_counts"] ?? []) as number[];
  return Object.fromEntries(
    types.flatMap((type, i) => counts[i] === undefined ? [] : [[`nodes of ${type}`, counts[i]]]),
  );
}

function graphRules(doc: View): string[] {
  const { meta } = doc;
  const problems: string[] = [];
  const types = meta["node_types"] as string[] | undefined;
  const counts = meta["node_counts"] as number[] | undefined;
  const relations = meta["relations"] as { name: string; src: string; dst: string }[] | undefined;
  const twice = (what: string, names: readonly string[]) => {
    for (const name of new Set(names.filter((x, i) => names.indexOf(x) !== i))) {
      problems.push(`${what} "${name}" is there twice`);
    }
  };
  if (types) {
    twice("node type", types);
    if (counts?.length !== types.length) {
      problems.push(
        `metadata node_counts: ${
          counts ? counts.length + " numbers" : "missing"
        }, expected one per node type (${types.length})`,
      );
    } else if (counts.reduce((a, b) => a + b, 0) !== meta["num_nodes"]) {
      problems.push(
        `metadata node_counts add up to ${counts.reduce((a, b) => a + b, 0)}, expected num_nodes = ${
          meta["num_nodes"]
        }`,
      );
    }
  }
  if (relations) {
    twice("relation", relations.map(({ name }) => name));
    if (!types) problems.push("metadata relations are there without node_types");
    for (const { name, src, dst } of relations) {
      for (const [end, type] of [["src", src], ["dst", dst]] as const) {
        if (types && !types.includes(type)) {
          problems.push(`relation "${name}": ${end} "${type}" is no node type (${types.join(", ")})`);
        }
      }
    }
    const arcs = relations.map(({ name }) => doc.spec(`rel/${name}/indices`)?.shape[0] ?? NaN).reduce(
      (a, b) => a + b,
      0,
    );
    if (!doc.has("indices") && arcs === arcs && arcs !== meta["num_edges"]) {
      problems.push(`the relations hold ${arcs} arcs, expected num_edges = ${meta["num_edges"]}`);
    }
  }
  if (doc.has("feat") && doc.has("feat.indptr")) {
    problems.push('both "feat" and "feat.indptr" are there, expected dense or sparse features');
  }
  if (num(meta["num_features"]) > 0 && !doc.has("feat") && !doc.has("feat.indptr")) {
    problems.push(`num_features = ${meta["num_features"]}, but there is no tensor "feat" or "feat.indptr"`);
  }
  const label = doc.spec("label");
  if (label) {
    const multi = meta["multi_label"] === true;
    if (multi !== (label.dtype === "U8") || multi !== (label.shape.length === 2)) {
      problems.push(
        `tensor "label" is ${label.dtype} [${label.shape}], expected ${
          multi ? "U8 [n, C] for several labels per node" : "I32 [n]"
        }`,
      );
    }
  }
  const names = meta["class_names"] as string[] | undefined;
  if (names && names.length !== meta["num_classes"]) {
    problems.push(
      `metadata class_names: ${names.length} names, expected num_classes = ${meta["num_classes"]}`,
    );
  }
  for (const s of splits) {
    const split = doc.spec(`split.${s}`);
    if (split && (split.dtype === "BOOL") !== (split.shape.length === 2)) {
      problems.push(
        `tensor "split.${s}" is ${split.dtype} [${split.shape}], expected BOOL masks [splits, n] or an I64 list`,
      );
    }
  }
  if (new Set(splits.map((s) => doc.spec(`split.${s}`)?.dtype).filter((d) => d)).size > 1) {
    problems.push("splits are stored partly as masks and partly as lists, expected one form");
  }
  if (
    meta["row_order"] === "time" && !doc.has("edge_time") &&
    !relations?.every(({ name }) => doc.has(`rel/${name}/edge_time`))
  ) {
    problems.push('row_order is "time", but there is no tensor "edge_time"');
  }
  return problems;
}

/** A list of layers is a count of rows and entries for each, which the tensors must have. */
function layerDims(meta: Record<string, unknown>): Record<string, number> {
  const layers = (meta["layers"] ?? []) as ({ rows: number; entries: number } | null)[];
  return Object.fromEntries(
    layers.flatMap((layer, l) =>
      layer ? [[`rows of layer ${l}`, layer.rows], [`entries of layer ${l}`, layer.entries]] : []
    ),
  );
}

/** Tiers count the rows and pages that the tensors must have. */
function tierDims({ tiers }: Record<string, unknown>): Record<string, number> {
  if (!tiers) return {};
  const t = tiers as z.infer<typeof tiersMeta>, { gpu, host, shared, packed } = t.uses;
  return {
    "hot rows": t.gpu_rows + t.host_rows,
    segments: t.segments,
    pages: t.shared_pages + t.packed_pages,
    uses: gpu + host + shared + packed,
  };
}

function operatorRules(doc: View): string[] {
  const keys = ["num_entries", "approx", "model", "epoch", "budget", "layers"];
  const features = ["feat", "feat.indptr", "feat.indices"].filter((name) => doc.has(name));
  return [
    ...keys.filter((key) => doc.meta[key] === undefined).map((key) =>
      `metadata ${key} is missing, which operators have`
    ),
    ...features.map((name) => `tensor "${name}" has no place among operators`),
  ];
}

function cacheRules(doc: View): string[] {
  if (isOperators(doc)) return operatorRules(doc);
  if (doc.meta["num_features"] === undefined) return ["metadata num_features is missing"];
  if (isTiered(doc)) {
    const others = ["feat", "feat.indptr"].filter((name) => doc.has(name));
    const [nodes, pages] = ["node_ptr", "packed_ptr"].map((name) => doc.spec(name)?.shape[0] ?? NaN);
    return [
      ...others.map((name) => `tensor "${name}" has no place among tiers`),
      ...(pages! - nodes!
        ? [`tensor "packed_ptr" has ${pages} elements, expected the ${nodes} of "node_ptr"`]
        : []),
    ];
  }
  if (doc.has("feat") === doc.has("feat.indptr")) return ['expected either "feat" or "feat.indptr"'];
  if (isPropagated(doc) && doc.has("node_ptr")) {
    return ['tensor "node_ptr" has no place in propagated features'];
  }
  const scales = ["feat.scale", "feat.row_scale"].filter((name) => doc.has(name)).length;
  if (isPropagated(doc) && scales !== (doc.spec("feat")?.dtype === "I8" ? 1 : 0)) {
    return ['expected "feat.scale" or "feat.row_scale" beside int8 features, and neither beside others'];
  }
  return [];
}

export const schemas: Readonly<Record<string, KindSchema>> = {
  graph: {
    meta: graphMeta,
    dims: (m) => ({
      n: num(m["num_nodes"]),
      e: num(m["num_edges"]),
      F: num(m["num_features"]),
      C: num(m["num_classes"]),
      ...typedDims(m),
    }),
    rows: graphRows,
    rules: graphRules,
  },
  partition: {
    meta: partitionMeta,
    dims: (m) => ({
      n: num(m["num_nodes"]),
      k: num(m["k"]),
      ...(m["num_edges"] === undefined ? {} : { e: num(m["num_edges"]) }),
    }),
    rules: partitionRules,
    rows: [
      row("part", "I32", ["n"], ofNodes),
      row("part_ptr", "I64", ["k+1"], ofNodes),
      row("order", "I64", ["n"], ofNodes),
      row("edge_part", "I32", ["e"], (doc) => !ofNodes(doc)),
    ],
  },
  sample: {
    meta: sampleMeta,
    dims: (m) => ({
      n: num(m["num_nodes"]),
      B: num(m["num_batches"]),
      epochs: num(m["epochs"]),
      hops: num(m["hops"]),
    }),
    rows: sampleRows,
  },
  cache: {
    meta: cacheMeta,
    dims: (m) => ({
      n: num(m["num_nodes"]),
      F: num(m["num_features"] ?? 0),
      ...(m["layout"] === "propagated" ? { rows: num(m["num_nodes"]) } : {}),
      ...tierDims(m),
      ...layerDims(m),
    }),
    rows: cacheRows,
    rules: cacheRules,
  },
  model: { meta: modelMeta, dims: () => ({}), rows: modelRows },
  embedding: {
    meta: embeddingMeta,
    dims: () => ({}),
    rows: [row("node_ids", "I64", ["n"], true), row("vectors", "F32", ["n", "*"], true)],
  },
  prediction: {
    meta: predictionMeta,
    dims: (m) => ({ C: num(m["num_classes"]) }),
    rows: [
      row("node_ids", "I64", ["n"], (doc) => !doc.has("graph_ids")),
      row("graph_ids", "I64", ["n"]),
      row("scores", "F32", ["n", "C"], true),
      row("label", "I32", ["n"]),
      ...splits.map((s) => row(`split.${s}`, "I64", ["*"])),
    ],
  },
  ref: { meta: refMeta, dims: () => ({}), rows: [] },
};

/** One provenance record per step. */
export const provenanceSchema = z.array(z.looseObject({
  command: z.string(),
  params: z.record(z.string(), z.unknown()),
  seed: z.number().optional(),
  version: z.string(),
  inputs: z.array(z.string()),
}));
