/** What batch sources of adaptive samplers are made of, and what batches of nodes have in common. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { gatherRows, type Indices } from "../../ffi/native_rows.ts";
import { prepareFeatures, requireFeatures } from "../graph/features.ts";
import type { Graph } from "../graph/graph.ts";
import type { Loss } from "../losses/loss.ts";
import type { ForwardInput, LayerInput, Stage } from "../models/model.ts";
import type { Norm } from "../tensor/norm.ts";
import type { BatchFeatures } from "./sampled.ts";
import type { Batch } from "./source.ts";

/** What an adaptive source needs of a run. */
export interface AdaptiveContext {
  readonly engine: Engine;
  /** Lives as long as the run. */
  readonly arena: Arena;
  readonly graph: Graph;
  readonly seed: number;
  readonly stages: readonly Stage[];
  /** The whole graph. */
  readonly input: ForwardInput;
  /** Rows that batches read. */
  readonly features: BatchFeatures;
  /** Of all nodes. */
  readonly targets: TensorHandle;
  readonly train: BigInt64Array;
  readonly loss: Loss;
  /** The operator where a layer asks for none of its own. */
  readonly norm: Norm;
  /** On the input of each layer. */
  readonly dropout: number;
  /** What the last layer's weights multiply. */
  readonly lastLayer: readonly LayerInput[];
  readonly hasBias: boolean;
  /** How batches count. */
  readonly batchLoss: "mean" | "nodes";
}

export const integers = (values: readonly number[]): NativeArray<"I64"> =>
  NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
export const floats = (values: readonly number[]): NativeArray<"F32"> =>
  NativeArray.from<"F32">(Float32Array.from(values));

/** Original numbers of nodes, in `arena`. */
export function originalsOf(arena: Arena, graph: Graph, nodes: Indices): TensorHandle {
  const ids = graph.nodeIds();
  return arena.bind(
    ids ? gatherRows(ids, 1, nodes, arena.array("I64", nodes.length)) : nodes as NativeArray,
  );
}

/**
 * A batch's nodes: features and original numbers of all, targets of the first `count`, which are the rows that count.
 */
export function nodeRows(
  { engine, graph, targets: all, features: { norm, stats, stored, store } }: AdaptiveContext,
  arena: Arena,
  nodes: Indices,
  count: number,
): Omit<Batch, "operator"> {
  const targets = arena.tensor(all.dtype, all.rank === 1 ? [count] : [count, all.cols]);
  const index = arena.rows(arena.bind(nodes as NativeArray), 0, count);
  if (count > 0) engine.run("gather", { x: all, index, out: targets });
  const rows = prepareFeatures(
    engine,
    arena,
    stored ?? requireFeatures(graph),
    norm,
    null,
    stats,
    nodes,
    store,
  );
  return {
    numNodes: nodes.length,
    features: rows.input,
    graphs: null,
    ids: originalsOf(arena, graph, nodes),
    targets,
    lossRows: arena.bind(integers(Array.from({ length: count }, (_, i) => i))),
    numLossRows: count,
  };
}
