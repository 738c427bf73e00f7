/** Full-graph input: one static batch, for training and for exact inference. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { type Adjacency, adjacency } from "../graph/adjacency.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatureInput, ForwardInput } from "../models/model.ts";
import { type Norm, normalized } from "../tensor/norm.ts";
import { type Operator, Pattern } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Batch, BatchSource } from "./source.ts";
import { type Targets, targetTensor } from "./targets.ts";

/** The operators of a graph, each made in `arena` when it is first asked for. */
export class GraphOperators {
  private base: { pattern: Pattern; values: Tensor | null } | null = null;
  private readonly made = new Map<Norm, Operator>();

  /** @param adjacency  asked for once, when the first operator is made. */
  constructor(
    private readonly engine: Engine,
    private readonly arena: Arena,
    private readonly adjacency: () => Pick<Adjacency, "csr" | "isSymmetric">,
  ) {}

  get(kind: Norm): Operator {
    const known = this.made.get(kind);
    if (known) return known;
    const { engine, arena } = this;
    const operator = engine.once(() => {
      this.base ??= this.pattern();
      return normalized(engine, arena, this.base.pattern, this.base.values, kind);
    });
    this.made.set(kind, operator);
    return operator;
  }

  private pattern() {
    const { engine, arena } = this, { csr, isSymmetric } = this.adjacency();
    const values = csr.values ? new Tensor(floatWeights(engine, arena, csr.values)) : null;
    return { pattern: Pattern.of(arena, csr, isSymmetric), values };
  }
}

/** The normalised adjacency of a whole graph, in `arena`. */
export function graphOperator(engine: Engine, arena: Arena, graph: Graph, norm: Norm): Operator {
  return new GraphOperators(engine, arena, () => adjacency(graph)).get(norm);
}

/** Edge weights as float32: in place where they are. */
export function floatWeights(engine: Engine, arena: Arena, values: NativeArray): TensorHandle {
  const bound = arena.bind(values);
  if (bound.dtype === "F32") return bound;
  const out = arena.tensor("F32", [values.length]);
  engine.run("cast", { x: bound, out });
  return out;
}

/**
 * The forward pass's view of a whole graph. Operators are built when a layer first asks for them.
 * @param features  asked for once, when they are first read.
 */
export function fullInput(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  features: () => FeatureInput,
  norm: Norm,
): ForwardInput {
  const operators = new GraphOperators(engine, arena, () => adjacency(graph));
  const ids = graph.nodeIds(), pointer = graph.graphPointer();
  let prepared: FeatureInput | null = null;
  return {
    get features() {
      return prepared ??= engine.once(features);
    },
    operator: (_layer, _count, kind = norm) => operators.get(kind),
    ids: ids ? arena.bind(ids) : null,
    graphs: pointer && { ptr: arena.bind(pointer), count: pointer.length - 1, ids: null },
  };
}

/**
 * Train a model that reads features only: the rows of the training nodes are all it needs. Dropout masks follow the
 * node, so that the step is the same as on all rows.
 */
export function featureRowsSource(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  features: Tensor,
  targets: Targets,
  train: BigInt64Array,
): BatchSource {
  const rows = arena.bind(NativeArray.from<"I64">(train));
  const take = (x: TensorHandle, shape: readonly number[]) => {
    const out = arena.tensor(x.dtype, shape);
    engine.run("gather", { x, index: rows, out });
    return out;
  };
  const ids = graph.nodeIds();
  const takeTargets = () => {
    const all = targetTensor(arena, targets);
    return take(all, all.rank === 1 ? [train.length] : [train.length, all.cols]);
  };
  const batch: Batch = {
    features: new Tensor(take(features.handle, [train.length, features.cols])),
    operator: () => {
      throw new Error("a model of features only asked for an operator");
    },
    ids: ids ? take(arena.bind(ids), [train.length]) : rows,
    graphs: null,
    numNodes: train.length,
    targets: takeTargets(),
    lossRows: arena.bind(NativeArray.from<"I64">(BigInt64Array.from(train, (_, i) => BigInt(i)))),
    numLossRows: train.length,
  };
  return { name: "full", isStatic: true, batches: () => [batch] };
}

/** Train on all nodes at once. */
export function fullBatchSource(
  input: ForwardInput,
  arena: Arena,
  graph: Graph,
  targets: Targets,
  train: BigInt64Array,
): BatchSource {
  const lossRows = arena.bind(NativeArray.from<"I64">(train));
  const batch: Batch = {
    ...input,
    numNodes: graph.numNodes,
    targets: targetTensor(arena, targets),
    lossRows,
    numLossRows: train.length,
  };
  return { name: "full", isStatic: true, batches: () => [batch] };
}
