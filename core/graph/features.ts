/** Node features ready for a model: float32, normalised as asked, sparse ones left sparse. */
import { type Arena, type Engine, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { columnMoments, gatherCsrRows, type Indices } from "../../ffi/native_rows.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { GustError } from "../errors.ts";
import { Pattern, type SparseOperator } from "../tensor/operator.ts";
import { SparseFeatures } from "../tensor/sparse_features.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { RowStore } from "./feature_store.ts";
import type { Csr } from "./csr.ts";
import type { Features, Graph } from "./graph.ts";

/**
 * none: as stored. row: each row divided by the sum of its absolute values. l2: by its Euclidean length.
 * standard: columns to mean 0 and variance 1 over the training nodes (dense features only).
 */
export const featNorms = ["none", "row", "l2", "standard"] as const;
export type FeatNorm = (typeof featNorms)[number];

/**
 * file: as stored. one: a single 1. degree: one-hot in-degree, where degrees from the width on share the last column.
 * identity: one-hot node number, so that the first layer's weights are an embedding of every node.
 */
export const featSources = ["file", "one", "degree", "identity"] as const;
export type FeatSource = (typeof featSources)[number];

/** Column statistics of "standard": the model keeps them, so that other graphs get the same transformation. */
export interface FeatStats {
  readonly mean: TensorHandle;
  readonly inverseStd: TensorHandle;
}

export interface PreparedFeatures {
  readonly input: Tensor | SparseOperator;
  readonly numFeatures: number;
  readonly stats: FeatStats | null;
}

/** What training does about a graph without features. */
const MAKE_SOME =
  "re-import with a features file, or make some of the graph with --features degree, one or identity";

/** The graph's features. @throws {GustError} (missing) with the hint. */
export function requireFeatures(graph: Graph, hint = MAKE_SOME): Features {
  const features = graph.features();
  if (!features) {
    throw new GustError(
      "missing",
      `${graph.document.label} has no node features, expected some`,
      hint,
    );
  }
  return features;
}

/** Sparse rows with a single 1 each, at `column(v)` of node v. */
function oneHot(numNodes: number, numFeatures: number, column: (v: number) => number): Features {
  const indptr = NativeArray.allocate("I64", numNodes + 1, false);
  const indices = NativeArray.allocate("I32", numNodes, false);
  for (let at = 0; at <= numNodes;) {
    const window = indptr.window(at);
    for (let i = 0; i < window.length; i++) window[i] = BigInt(at + i);
    at += window.length;
  }
  for (let at = 0; at < numNodes;) {
    const window = indices.window(at);
    for (let i = 0; i < window.length; i++) window[i] = column(at + i);
    at += window.length;
  }
  return {
    kind: "csr",
    numFeatures,
    csr: { numRows: numNodes, numCols: numFeatures, indptr, indices, values: null },
  };
}

/**
 * Features as stored, or made of the graph.
 *
 * @param width  columns of "degree" features that a model was trained on; null: the largest degree + 1.
 * @throws {GustError} (missing) for "file" where the graph stores none.
 */
export function featuresOf(graph: Graph, source: FeatSource, width: number | null = null): Features {
  const { numNodes, csr } = graph;
  if (source === "file") return requireFeatures(graph);
  if (source === "identity") return oneHot(numNodes, numNodes, (v) => v);
  if (source === "one") {
    const array = NativeArray.allocate("F32", numNodes, false).fill(1);
    return { kind: "dense", numFeatures: 1, array, scale: null };
  }
  const pointer = csr.indptr.window(), degree = (v: number) => Number(pointer[v + 1]! - pointer[v]!);
  let columns = width ?? 1;
  if (width === null) { for (let v = 0; v < numNodes; v++) columns = Math.max(columns, degree(v) + 1); }
  return oneHot(numNodes, columns, (v) => Math.min(degree(v), columns - 1));
}

/**
 * The statistics that features are standardised with; null where they are not.
 * @throws {GustError} (usage) for "standard" on sparse features: subtracting a mean would make them dense; (missing)
 * without training nodes.
 */
export function featureStats(
  engine: Engine,
  features: Features,
  norm: FeatNorm,
  trainNodes: BigInt64Array | null,
): FeatStats | null {
  if (norm !== "standard") return null;
  if (features.kind === "dense") return columnStats(engine, features, trainNodes);
  throw new GustError(
    "usage",
    "--feat-norm standard: the features are sparse and subtracting a mean would make them dense, expected none, row or l2",
  );
}

/**
 * Prepare features in `arena`. Stored float32 rows and CSR arrays are used in place where nothing changes them.
 *
 * @param trainNodes  I64 node numbers that "standard" takes its statistics from; unused otherwise.
 * @param stats  statistics to apply instead of computing them (evaluation on another graph).
 * @param nodes  the rows that are wanted, checked to be rows: gathered into `arena`; null: all.
 * @param store  where dense features are kept, if not in `features` alone.
 * @throws {GustError} (usage) for "standard" on sparse features: subtracting a mean would make them dense.
 */
export function prepareFeatures(
  engine: Engine,
  arena: Arena,
  features: Features,
  norm: FeatNorm,
  trainNodes: BigInt64Array | null,
  stats: FeatStats | null = null,
  nodes: Indices | null = null,
  store: RowStore | null = null,
): PreparedFeatures {
  const { numFeatures } = features;
  if (features.kind === "csr") {
    featureStats(engine, features, norm, trainNodes);
    const csr = nodes
      ? gatherCsrRows(features.csr, nodes, (dtype, length) => arena.array(dtype, length))
      : features.csr;
    return { input: sparseFeatures(engine, arena, csr, norm), numFeatures, stats: null };
  }
  const x = store && nodes ? store.rows(arena, nodes) : denseFloat(engine, arena, features, nodes, store);
  if (norm === "none") return { input: new Tensor(x), numFeatures, stats: null };
  if (norm === "standard") {
    const used = stats ?? featureStats(engine, features, norm, trainNodes)!;
    return { input: new Tensor(standardize(engine, arena, x, used)), numFeatures, stats: used };
  }
  const out = arena.tensor("F32", [x.rows, x.cols]), scale = arena.tensor("F32", [x.rows]);
  rowScale(engine, x, norm, out, scale);
  engine.run("row_scale", { x, scale, out });
  return { input: new Tensor(out), numFeatures, stats: null };
}

/** What "row" and "l2" multiply each row of x by; `work` has the shape of x. */
export function rowScale(
  engine: Engine,
  x: TensorHandle,
  norm: "row" | "l2",
  work: TensorHandle,
  scale: TensorHandle,
): void {
  if (norm === "row") {
    engine.run("unary", { x, out: work, kind: unaryKinds.abs, alpha: 0 });
    engine.run("row_sum", { x: work, out: scale });
    engine.run("unary", { x: scale, out: scale, kind: unaryKinds.reciprocal, alpha: 0 });
  } else {
    engine.run("row_dot", { x, y: x, out: scale });
    engine.run("unary", { x: scale, out: scale, kind: unaryKinds.power, alpha: -0.5 });
  }
}

function sparseFeatures(
  engine: Engine,
  arena: Arena,
  csr: Csr,
  norm: FeatNorm,
): SparseOperator {
  const pattern = Pattern.of(arena, csr);
  const stored = csr.values ? floatValues(engine, arena, csr.values) : null;
  if (norm === "none") return new SparseFeatures(pattern, { values: stored ? new Tensor(stored) : null });
  const scale = arena.tensor("F32", [csr.numRows]);
  engine.run("csr_row_sum", {
    indptr: pattern.indptr,
    values: stored,
    out: scale,
    power: norm === "row" ? 1 : 2,
  });
  engine.run("unary", { x: scale, out: scale, kind: unaryKinds.power, alpha: norm === "row" ? -1 : -0.5 });
  const values = arena.tensor("F32", [pattern.numEntries]);
  engine.run("csr_scale", {
    indptr: pattern.indptr,
    indices: pattern.indices,
    values: stored,
    left: scale,
    out: values,
  });
  return new SparseFeatures(pattern, { values: new Tensor(values) });
}

function floatValues(engine: Engine, arena: Arena, values: NativeArray): TensorHandle {
  const bound = arena.bind(values);
  if (bound.dtype === "F32") return bound;
  const out = arena.tensor("F32", [values.length]);
  engine.run("cast", { x: bound, out });
  return out;
}

/** Rows as float32: in place where they are and all are wanted, converted (and multiplied by feat.scale) otherwise. */
function denseFloat(
  engine: Engine,
  arena: Arena,
  { array, numFeatures, scale }: Features & { kind: "dense" },
  nodes: Indices | null,
  store: RowStore | null,
): TensorHandle {
  const rows = numFeatures === 0 ? 0 : array.length / numFeatures;
  const bound = store?.all ?? arena.bind(array, [rows, numFeatures]);
  if (bound.dtype === "F32" && !nodes) return bound;
  const out = arena.tensor("F32", [nodes?.length ?? rows, numFeatures]);
  if (nodes) engine.run("gather", { x: bound, index: arena.bind(nodes as NativeArray), out });
  else engine.run("cast", { x: bound, out });
  if (scale) engine.run("column_affine", { x: out, scale: arena.bind(scale), out });
  return out;
}

/** A copy that outlives arenas. */
function keep(engine: Engine, array: NativeArray<"F32">): TensorHandle {
  const handle = engine.persistent.tensor("F32", [array.length]);
  writeTensor(handle, array);
  return handle;
}

/** The moments of quantised numbers become those of the numbers that they stand for. */
function scaleMoments(
  { mean, inverseStd }: { mean: NativeArray<"F32">; inverseStd: NativeArray<"F32"> },
  scale: NativeArray<"F32">,
): void {
  const m = mean.window(), inverse = inverseStd.window();
  scale.window().forEach((s, j) => {
    m[j]! *= s;
    inverse[j] = s === 0 ? 0 : inverse[j]! / Math.abs(s);
  });
}

/** Mean and 1 / standard deviation (0 for constant columns) over the training nodes. */
export function columnStats(
  engine: Engine,
  { array, numFeatures, scale }: Features & { kind: "dense" },
  trainNodes: BigInt64Array | null,
): FeatStats {
  if (!trainNodes || trainNodes.length === 0) {
    throw new GustError("missing", "--feat-norm standard needs a training split to take its statistics from");
  }
  const moments = columnMoments(array, numFeatures, NativeArray.from<"I64">(trainNodes));
  if (scale) scaleMoments(moments, scale);
  return { mean: keep(engine, moments.mean), inverseStd: keep(engine, moments.inverseStd) };
}

/** (x - mean) * inverseStd, column by column. */
function standardize(
  engine: Engine,
  arena: Arena,
  x: TensorHandle,
  { mean, inverseStd }: FeatStats,
): TensorHandle {
  const out = arena.tensor("F32", [x.rows, x.cols]), factor = arena.tensor("F32", [x.rows, x.cols]);
  engine.run("broadcast_rows", { x: mean, out: factor });
  engine.run("axpby", { x, y: factor, out, alpha: 1, beta: -1 });
  engine.run("broadcast_rows", { x: inverseStd, out: factor });
  engine.run("mul", { x: out, y: factor, out });
  return out;
}
