/** Full-graph input: one static batch, for training and for exact inference. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { adjacency } from "../graph/adjacency.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatureInput, ForwardInput } from "../models/model.ts";
import { type Norm, normalized } from "../tensor/norm.ts";
import { type Operator, Pattern } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Batch, BatchSource } from "./source.ts";

/** The normalised adjacency of a whole graph, in `arena`. */
export function graphOperator(engine: Engine, arena: Arena, graph: Graph, norm: Norm): Operator {
  const { csr, isSymmetric } = adjacency(graph);
  const pattern = Pattern.of(arena, csr, isSymmetric);
  const values = csr.values ? new Tensor(floatWeights(engine, arena, csr.values)) : null;
  return normalized(engine, arena, pattern, values, norm);
}

function floatWeights(engine: Engine, arena: Arena, values: NativeArray): TensorHandle {
  const bound = arena.bind(values);
  if (bound.dtype === "F32") return bound;
  const out = arena.tensor("F32", [values.length]);
  engine.run("cast", { x: bound, out });
  return out;
}

/** The forward pass's view of a whole graph. The operator is built when a layer first asks for it. */
export function fullInput(engine: Engine, arena: Arena, graph: Graph, features: FeatureInput, norm: Norm): ForwardInput {
  let operator: Operator | null = null;
  const ids = graph.nodeIds();
  return {
    features,
    operator: () => operator ??= engine.once(() => graphOperator(engine, arena, graph, norm)),
    ids: ids ? arena.bind(ids) : null,
  };
}

/** Train on all nodes at once. */
export function fullBatchSource(input: ForwardInput, arena: Arena, graph: Graph, train: BigInt64Array): BatchSource {
  const lossRows = arena.bind(NativeArray.from<"I64">(train));
  const batch: Batch = {
    ...input,
    operator: input.operator,
    numNodes: graph.numNodes,
    labels: arena.bind(graph.labels()!),
    lossRows,
    numLossRows: train.length,
  };
  return { name: "full", isStatic: true, batches: () => [batch] };
}
