/** Batches of whole graphs of a data set of many: what graph-level tasks train on and score in pieces. */
import { type Arena, type Engine, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { sliceGraphs } from "../../ffi/native_graphs.ts";
import { gatherCsrRows } from "../../ffi/native_rows.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { type Adjacency, adjacency } from "../graph/adjacency.ts";
import type { Csr } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatureInput, ForwardInput, Model } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Norm } from "../tensor/norm.ts";
import { Pattern, type SparseOperator } from "../tensor/operator.ts";
import { SparseFeatures } from "../tensor/sparse_features.ts";
import { Tensor } from "../tensor/tensor.ts";
import { GraphOperators } from "./full_batch.ts";
import type { Batch, BatchSource } from "./source.ts";
import { isKnown, type Targets, targetTensor } from "./targets.ts";

/** First node of each graph, and the number of nodes; a document without a pointer is one graph. */
export function pointerOf(graph: Graph): NativeArray<"I64"> {
  return graph.graphPointer() ?? NativeArray.from<"I64">(BigInt64Array.of(0n, BigInt(graph.numNodes)));
}

/** The forward pass's view of any of a data set's graphs. */
export class GraphSlices {
  private readonly adjacency: Adjacency;
  private readonly ids: NativeArray<"I64"> | null;
  readonly ptr: NativeArray<"I64">;

  /** @param features  of all nodes, as the model reads them. */
  constructor(
    private readonly engine: Engine,
    graph: Graph,
    private readonly features: FeatureInput,
    private readonly norm: Norm,
  ) {
    this.adjacency = adjacency(graph);
    this.ids = graph.nodeIds();
    this.ptr = pointerOf(graph);
  }

  get numGraphs(): number {
    return this.ptr.length - 1;
  }

  /**
   * The graphs `chosen`, one after another, in `arena`.
   * @throws {NativeError} (data) for an arc that leaves its graph.
   */
  input(arena: Arena, chosen: NativeArray<"I64">): ForwardInput & { readonly numNodes: number } {
    const { engine, norm } = this, { csr, isSymmetric } = this.adjacency;
    const slice = sliceGraphs(csr, this.ptr, chosen), nodes = arena.bind(slice.nodes);
    const operators = new GraphOperators(engine, arena, () => ({ csr: slice.csr, isSymmetric }));
    const take = (x: TensorHandle, shape: readonly number[]) => {
      const out = arena.tensor(x.dtype, shape);
      engine.run("gather", { x, index: nodes, out });
      return out;
    };
    return {
      numNodes: nodes.rows,
      features: this.features instanceof Tensor
        ? new Tensor(take(this.features.handle, [nodes.rows, this.features.cols]))
        : sparseRows(arena, this.features, slice.nodes),
      operator: (_layer, _count, kind = norm) => operators.get(kind),
      ids: this.ids ? take(arena.bind(this.ids), [nodes.rows]) : nodes,
      graphs: { ptr: arena.bind(slice.ptr), count: chosen.length, ids: arena.bind(chosen) },
    };
  }
}

/** Rows of sparse features, which have values or ones and no scales. */
function sparseRows(
  arena: Arena,
  { pattern, scales: { values } }: SparseOperator,
  rows: NativeArray<"I64">,
): SparseOperator {
  const csr = gatherCsrRows({
    ...pattern.hostCsr(),
    values: values ? hostArray(values.handle) as Csr["values"] : null,
  }, rows);
  const taken = csr.values && new Tensor(arena.bind(csr.values as NativeArray));
  return new SparseFeatures(Pattern.of(arena, csr), { values: taken });
}

const longs = (values: BigInt64Array) => NativeArray.from<"I64">(values);

/** Train on the graphs of the training split: all at once, or in batches of nearly equal size, in a new order each epoch. */
export function graphSource(
  engine: Engine,
  arena: Arena,
  slices: GraphSlices,
  targets: Targets,
  train: BigInt64Array,
  { batchSize, seed }: { readonly batchSize: number; readonly seed: number },
): BatchSource {
  const known = isKnown(targets), graphs = train.filter((g) => known(Number(g)));
  const all = targetTensor(arena, targets);
  const batch = (to: Arena, chosen: NativeArray<"I64">): Batch => {
    const input = slices.input(to, chosen), count = chosen.length;
    const target = to.tensor(all.dtype, all.rank === 1 ? [count] : [count, all.cols]);
    engine.run("gather", { x: all, index: input.graphs!.ids!, out: target });
    const rows = to.bind(longs(BigInt64Array.from({ length: count }, (_, i) => BigInt(i))));
    return { ...input, targets: target, lossRows: rows, numLossRows: count };
  };
  // The source is called as that of a full graph: how it is cut is an option of the task.
  if (batchSize === 0 || graphs.length <= batchSize) {
    const whole = batch(arena, longs(graphs));
    return { name: "full", isStatic: true, batches: () => [whole] };
  }
  const count = Math.ceil(graphs.length / batchSize);
  return {
    name: "full",
    isStatic: false,
    *batches(epoch, next) {
      const order = longs(graphs.slice());
      shuffle(order, slices.numGraphs, null, { seed, epoch });
      for (let b = 0; b < count; b++) {
        const first = Math.floor(graphs.length * b / count),
          end = Math.floor(graphs.length * (b + 1) / count);
        yield batch(next(), order.slice(first, end - first));
      }
    },
  };
}

/** Nodes that are scored at once: what bounds the memory of hidden rows. */
const PIECE_NODES = 2 ** 18;

/** Runs of graphs of at most `most` nodes each (or of one graph), as [first, end). */
export function piecesOf(ptr: NativeArray<"I64">, most = PIECE_NODES): [first: number, end: number][] {
  const starts = ptr.window(), graphs = starts.length - 1, pieces: [number, number][] = [];
  for (let first = 0; first < graphs;) {
    let end = first + 1;
    while (end < graphs && Number(starts[end + 1]! - starts[first]!) <= most) end++;
    pieces.push([first, end]);
    first = end;
  }
  return pieces;
}

/** Outputs of every graph, piece by piece, into `out` (graphs, width): exact, whatever the pieces. */
export function forwardPieces(
  engine: Engine,
  model: Model,
  slices: GraphSlices,
  pieces: readonly (readonly [number, number])[],
  out: TensorHandle,
): void {
  const arena = engine.arena();
  for (const [first, end] of pieces) {
    const chosen = longs(BigInt64Array.from({ length: end - first }, (_, i) => BigInt(first + i)));
    const outputs = model.forward(new Tape(engine, arena, false), slices.input(arena, chosen));
    const rows = arena.rows(out, first, end - first);
    engine.run("axpby", { x: outputs.handle, out: rows, alpha: 1, beta: 0 });
    arena.reset();
  }
  arena.destroy();
}

/** A model whose outputs are there already: what scorers read after `forwardPieces`. */
export function fixedOutputs(out: TensorHandle): Model {
  return { parameters: [], width: out.cols, forward: () => new Tensor(out) };
}
