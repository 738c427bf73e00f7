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
import type { Graph } from "../graph/graph.ts";
import { type AdjacencyNorm, norms } from "../tensor/norm.ts";
import { Tensor } from "../tensor/tensor.ts";
import { graphOperator } from "../train/full_batch.ts";
import { preparedColumns } from "./columns.ts";
import { type LayoutEntry, memoryParam, parseSize } from "./layout.ts";
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
  readonly num_features: number;
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
  memory: memoryParam("1G"),
}).strict();
export type PropagatedParams = z.infer<typeof propagatedParams>;

/** Rows that are put together at once when chunks of columns wait in files. */
const ROW_BYTES = 16 * 2 ** 20;

/**
 * Propagate a graph's features. The norm gives every node a self-loop of weight 1, replacing one that is there; degrees
 * are in-degrees.
 *
 * Memory: the result if it takes at most half of `memory`, and chunks of columns in the other half; a larger result
 * waits in unnamed files. Cost: O(hops * arcs * features). The same bytes for any memory and thread count.
 * Source: Wu et al. 2019, arXiv:1902.07153, eq. 8.
 */
export function propagatedDocument(
  graph: Graph,
  params: PropagatedParams,
  provenance: readonly ProvenanceRecord[],
): NewDocument {
  const features = requireFeatures(graph);
  checkArcs(graph);
  checkFeatures(graph);
  const { hops, norm, featNorm, splitIndex } = params;
  const memory = parseSize(params.memory);
  const n = graph.numNodes, width = features.numFeatures;
  const isHeld = 4 * n * width <= memory / 2;
  const engine = new Engine();
  try {
    const arena = engine.arena();
    const train = featNorm === "standard" ? graph.split("train", splitIndex) : null;
    const columns = preparedColumns(engine, arena, features, featNorm, train);
    const operator = graphOperator(engine, arena, graph, norm);
    const held = isHeld ? NativeArray.allocate("F32", n * width, false) : null;
    const chunks: { array: NativeArray<"F32">; first: number; count: number }[] = [];
    propagateColumns(
      engine,
      operator,
      columns,
      hops,
      chunkColumns(n, width, memory / 2),
      (chunk, first, count) => {
        if (held) placeColumns(chunk, count, held, width, first);
        else chunks.push({ array: toScratch(chunk), first, count });
      },
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
      model_use: "models that read features only: sgc, mlp",
    };
    const copyOf = (t: TensorHandle) => hostArray(t, "F32").read();
    const stats: NewTensor[] = columns.stats
      ? [
        { name: "extra/feat_mean", dtype: "F32", shape: [width], data: copyOf(columns.stats.mean) },
        {
          name: "extra/feat_inverse_std",
          dtype: "F32",
          shape: [width],
          data: copyOf(columns.stats.inverseStd),
        },
      ]
      : [];
    const data = held ?? (() => joined(chunks, n, width));
    return {
      kind: "cache",
      meta,
      tensors: [{ name: "feat", dtype: "F32", shape: [n, width], data }, ...stats],
      provenance,
    };
  } finally {
    engine.destroy();
  }
}

/** Rows of a matrix whose columns lie in chunks, some rows at a time in one buffer. */
function* joined(
  chunks: readonly { array: NativeArray<"F32">; first: number; count: number }[],
  numRows: number,
  numCols: number,
): Generator<NativeArray<"F32">> {
  const step = Math.max(1, Math.floor(ROW_BYTES / (4 * Math.max(1, numCols))));
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
 * Propagated features as the input of a model: mapped, nothing copied.
 * @throws {GustError} (mismatch) if they were made from another graph or are of another layout.
 */
export function openPropagated(arena: Arena, cache: Document, graph: Graph): Tensor {
  checkMadeFrom(cache, graph.document);
  if (cache.kind !== "cache" || cache.meta["layout"] !== "propagated") {
    throw new GustError(
      "mismatch",
      `${cache.label} is no cache of propagated features`,
      "gust cache --hops K",
    );
  }
  const { num_features: width } = cache.meta as unknown as PropagatedMeta;
  return new Tensor(arena.bind(cache.tensor("feat", "F32"), [graph.numNodes, width]));
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
};
