/** Propagated features: A^K X, computed once and read by models that need no more of the graph. */
import { z } from "zod";
import { type Arena, Engine, hostArray, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { placeColumns } from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkArcs, checkFeatures } from "../graph/arcs.ts";
import { type FeatNorm, featNorms, type FeatStats, requireFeatures } from "../graph/features.ts";
import { asFloats } from "../graph/feature_store.ts";
import { featureScale, type Graph } from "../graph/graph.ts";
import { type AdjacencyNorm, norms } from "../tensor/norm.ts";
import { Tensor } from "../tensor/tensor.ts";
import { graphOperator } from "../train/full_batch.ts";
import { type ColumnBlock, ColumnCheckpoint } from "./checkpoint.ts";
import { preparedColumns } from "./columns.ts";
import { cacheDTypes, encoded, type EncodingError } from "./encode.ts";
import { sizeOf } from "../size.ts";
import { type LayoutEntry, MAKE_FEATURES, memoryParam } from "./layout.ts";
import { chunkColumns, propagateColumns } from "./propagate.ts";
import { toScratch } from "./scratch.ts";

export { propagate } from "./propagate.ts";

export interface PropagatedMeta {
  readonly layout: "propagated";
  /** Digest of the graph. */
  readonly graph: string;
  readonly hops: number;
  readonly norm: AdjacencyNorm;
  readonly feat_norm: FeatNorm;
  /** Which stored split "standard" took its statistics from. */
  readonly split_index?: number;
  readonly num_nodes: number;
  /** Columns: those of all hops together. */
  readonly num_features: number;
  /** X, norm(A) X, .., norm(A)^hops X stand side by side; absent: the last alone. */
  readonly all_hops?: boolean;
  /** Share of X in what each hop gives; absent: none. */
  readonly alpha?: number;
  /** Of int8: what a scale is of. */
  readonly scale_of?: "row" | "column";
  /** What storing lost against float32; absent: nothing. */
  readonly error?: EncodingError;
  readonly model_use: string;
}

export const propagatedParams = z.object({
  hops: z.int().min(1).max(255).describe("multiply features by the normalised adjacency K times").meta({
    value: "K",
  }),
  norm: z.enum(norms).default("sym").describe(
    "adjacency normalisation; every node has a self-loop of weight 1",
  ),
  featNorm: z.enum(featNorms).default("none").describe("feature normalisation, ahead of propagation"),
  splitIndex: z.int().min(0).default(0).describe(
    "which of several stored splits --feat-norm standard is taken from",
  ),
  allHops: z.boolean().default(false).describe(
    "keep X and what each hop gives side by side, for mlp (SIGN); without, the last alone",
  ),
  alpha: z.number().min(0).lt(1).default(0).describe(
    "share of X in what each hop gives, for mlp: (1 - alpha) A H + alpha X, personalised PageRank as appnp's",
  ),
  dtype: z.enum(cacheDTypes).default("f32").describe(
    "how the numbers are stored; int8 has a scale per row or column, whichever loses less; the error is said",
  ),
  checkpoint: z.string().optional().describe(
    "keep finished columns in FILE, and go on from there where it has some; it is removed at the end",
  ).meta({ value: "FILE", writes: true }),
  memory: memoryParam("1G"),
}).strict();
export type PropagatedParams = z.infer<typeof propagatedParams>;

/** Blocks of columns that a checkpoint has at least, where there are that many columns. */
const LEAST_BLOCKS = 16;
/** Rows that are put together at once when chunks of columns wait in files. */
const ROW_BYTES = 16 * 2 ** 20;

/**
 * Propagate a graph's features. The norm gives every node a self-loop of weight 1, replacing one that is there; degrees
 * are in-degrees.
 *
 * Memory: the result if it takes at most half of `memory`, and chunks of columns in the other half; a larger result
 * waits in unnamed files, or in that of --checkpoint. Cost: O(hops * arcs * features). The same bytes for any memory and thread count.
 * Source: Wu et al. 2019, arXiv:1902.07153, eq. 8; all hops side by side: Frasca et al. 2020, SIGN, arXiv:2004.11198;
 * alpha: Gasteiger et al. 2019, arXiv:1810.05997, eq. 4, of features in place of predictions.
 *
 * @param progress  told how many columns are done: first those of a checkpoint.
 * @throws {GustError} (mismatch) for the checkpoint of something else.
 */
export function propagatedDocument(
  graph: Graph,
  params: PropagatedParams,
  provenance: readonly ProvenanceRecord[],
  progress?: (done: number, of: number) => void,
): NewDocument {
  const features = requireFeatures(graph, MAKE_FEATURES);
  checkArcs(graph);
  checkFeatures(graph);
  const { hops, norm, featNorm, splitIndex, allHops, alpha, dtype } = params;
  const memory = sizeOf(params.memory);
  const n = graph.numNodes, own = features.numFeatures, width = allHops ? (hops + 1) * own : own;
  const isHeld = params.checkpoint === undefined && 4 * n * width <= memory / 2;
  const engine = new Engine();
  let kept: ColumnCheckpoint | null = null;
  try {
    const arena = engine.arena();
    const train = featNorm === "standard" ? graph.split("train", splitIndex) : null;
    const columns = preparedColumns(engine, arena, features, featNorm, train);
    const operator = graphOperator(engine, arena, graph, norm);
    const held = isHeld ? NativeArray.allocate("F32", n * width, false) : null;
    let step = chunkColumns(n, own, memory / 2), begin = 0;
    const blocks: ColumnBlock[] = [];
    if (params.checkpoint !== undefined) {
      const standard = featNorm === "standard" ? splitIndex : null;
      const name = JSON.stringify([graph.digest, hops, norm, featNorm, standard, allHops, alpha]);
      kept = new ColumnCheckpoint(params.checkpoint, name, n);
      begin = finishedColumns(kept, own, allHops ? hops + 1 : 1);
      step = Math.min(step, Math.ceil(own / LEAST_BLOCKS));
    }
    progress?.(begin, own);
    const put = (chunk: NativeArray<"F32">, first: number, count: number) => {
      if (held) placeColumns(chunk, count, held, width, first);
      else if (kept) kept.put(chunk, first, count);
      else blocks.push({ array: toScratch(chunk), first, count });
    };
    propagateColumns(
      engine,
      operator,
      columns,
      { hops, all: allHops, alpha },
      step,
      (chunk, first, count, hop) => {
        put(chunk, (allHops ? hop * own : 0) + first, count);
        if (hop === hops) progress?.(first + count, own);
      },
      begin,
    );
    const chunks = kept?.blocks ?? blocks;
    const stored = encoded(
      () => held ? rowPieces(held, n, width) : joined(chunks, n, width),
      n,
      width,
      dtype,
    );
    const meta: PropagatedMeta & Record<string, unknown> = {
      layout: "propagated",
      graph: graph.digest,
      hops,
      norm,
      feat_norm: featNorm,
      ...(featNorm === "standard" ? { split_index: splitIndex } : {}),
      num_nodes: n,
      num_features: width,
      ...(allHops ? { all_hops: true } : {}),
      ...(alpha > 0 ? { alpha } : {}),
      ...(stored.scaleOf ? { scale_of: stored.scaleOf } : {}),
      ...(stored.error ? { error: stored.error } : {}),
      model_use: allHops || alpha > 0
        ? "models that read features only: mlp"
        : "models that read features only: sgc, mlp",
    };
    const copyOf = (t: TensorHandle) => hostArray(t, "F32").read();
    const stats: NewTensor[] = columns.stats
      ? [
        { name: "extra/feat_mean", dtype: "F32", shape: [own], data: copyOf(columns.stats.mean) },
        {
          name: "extra/feat_inverse_std",
          dtype: "F32",
          shape: [own],
          data: copyOf(columns.stats.inverseStd),
        },
      ]
      : [];
    return {
      kind: "cache",
      meta,
      tensors: [...stored.tensors, ...stats],
      provenance,
    };
  } finally {
    kept?.close();
    engine.destroy();
  }
}

/**
 * How many columns have been finished, of `parts` blocks each: they were put in the order of columns, and of parts for
 * equal columns. What is not whole is dropped.
 */
function finishedColumns(kept: ColumnCheckpoint, own: number, parts: number): number {
  let begin = 0, whole = 0;
  for (let b = 0; b + parts <= kept.blocks.length; b += parts) {
    const { count } = kept.blocks[b]!;
    const isNext = (block: ColumnBlock, part: number) =>
      block.first === part * own + begin && block.count === count && begin + count <= own;
    if (!kept.blocks.slice(b, b + parts).every(isNext)) break;
    begin += count;
    whole = b + parts;
  }
  kept.keep(whole);
  return begin;
}

const pieceRows = (numCols: number) => Math.max(1, Math.floor(ROW_BYTES / (4 * Math.max(1, numCols))));

/** Rows of a matrix in memory, some at a time: as many as of one that is joined. */
function* rowPieces(
  matrix: NativeArray<"F32">,
  numRows: number,
  numCols: number,
): Generator<NativeArray<"F32">> {
  const step = pieceRows(numCols);
  for (let row = 0; row < numRows; row += step) {
    yield matrix.slice(row * numCols, Math.min(step, numRows - row) * numCols);
  }
}

/** Rows of a matrix whose columns lie in chunks, some rows at a time in one buffer. */
function* joined(
  chunks: readonly ColumnBlock[],
  numRows: number,
  numCols: number,
): Generator<NativeArray<"F32">> {
  const step = pieceRows(numCols);
  const buffer = NativeArray.allocate("F32", Math.min(step, numRows) * numCols, false);
  for (let row = 0; row < numRows; row += step) {
    const rows = Math.min(step, numRows - row);
    const piece = buffer.slice(0, rows * numCols);
    for (const { array, first, count } of chunks) {
      placeColumns(array.slice(row * count, rows * count), count, piece, numCols, first);
    }
    yield piece;
  }
}

/**
 * Propagated features as the input of a model: mapped where they are float32, else decoded into `arena`.
 * @throws {GustError} (mismatch) if they were made from another graph or are of another layout.
 */
export function openPropagated(engine: Engine, arena: Arena, cache: Document, graph: Graph): Tensor {
  checkMadeFrom(cache, graph.document);
  if (cache.kind !== "cache" || cache.meta["layout"] !== "propagated") {
    throw new GustError(
      "mismatch",
      `${cache.label} is no cache of propagated features`,
      "gust cache --hops K",
    );
  }
  const { num_features: width } = cache.meta as unknown as PropagatedMeta;
  const array = cache.tensor("feat", "F32", "BF16", "I8"), scale = featureScale(cache);
  const x = asFloats(engine, arena, array, graph.numNodes, {
    kind: "dense",
    array,
    numFeatures: width,
    scale,
  });
  if (cache.has("feat.row_scale")) {
    engine.run("row_scale", { x, scale: arena.bind(cache.tensor("feat.row_scale", "F32")), out: x });
  }
  return new Tensor(x);
}

/** The statistics of a cache made with --feat-norm standard, else null: to prepare another graph's features alike. */
export function propagatedStats(engine: Engine, cache: Document): FeatStats | null {
  if (!cache.has("extra/feat_mean")) return null;
  const load = (name: string) => {
    const stored = cache.tensor(name, "F32");
    const handle = engine.persistent.tensor("F32", [stored.length]);
    writeTensor(handle, stored);
    return handle;
  };
  return { mean: load("extra/feat_mean"), inverseStd: load("extra/feat_inverse_std") };
}

export const propagated: LayoutEntry = {
  name: "propagated",
  summary: "features multiplied by the normalised adjacency K times (--hops)",
  source: "Wu et al. 2019, arXiv:1902.07153, eq. 8",
  params: propagatedParams,
  idle: ({ featNorm }) => featNorm === "standard" ? {} : { splitIndex: "without --feat-norm standard" },
};
