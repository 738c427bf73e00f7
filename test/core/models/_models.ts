/** For tests of models: the whole graph as their input, in float32 or float64. */
import { type Arena, type Engine, hostArray } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { adjacency } from "../../../core/graph/adjacency.ts";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import type { ForwardInput, Signature } from "../../../core/models/model.ts";
import { type Norm, normalized } from "../../../core/tensor/norm.ts";
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";

/** Six nodes: two triangles and the edge 2-3; three features, two classes. */
export const g6Rows = [[1, 2], [0, 2], [0, 1, 3], [2, 4, 5], [3, 5], [3, 4]];
export const g6Features = [[1, 0, 0.5], [1, 0.5, 0], [1, 0, 0.25], [0, 1, 0], [0.75, 1, 0], [0.5, 1, -1]];
export const g6Labels = [0, 0, 0, 1, 1, 1];

export const signatureOf = (graph: Graph): Signature => ({
  num_features: graph.meta.num_features,
  num_classes: graph.numClasses,
});

/** What full-graph training gives a model, in the dtype of the test. */
export function graphInput(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  dtype: "F32" | "F64",
  norm: Norm,
): ForwardInput {
  const cast = (t: Tensor): Tensor => {
    if (t.dtype === dtype) return t;
    const out = arena.tensor(dtype, t.shape);
    engine.run("cast", { x: t.handle, out });
    return new Tensor(out);
  };
  const { csr, isSymmetric } = adjacency(graph);
  const values = csr.values ? cast(new Tensor(arena.bind(csr.values))) : null;
  const pattern = Pattern.of(arena, csr, isSymmetric);
  const made = new Map<Norm, SparseOperator>();
  const operator: ForwardInput["operator"] = (_layer, _count, kind = norm) => {
    if (!made.has(kind)) {
      made.set(kind, engine.once(() => normalized(engine, arena, pattern, values, kind, dtype)));
    }
    return made.get(kind)!;
  };
  const { input } = prepareFeatures(engine, arena, requireFeatures(graph), "none", null);
  const ids = graph.nodeIds(), pointer = graph.graphPointer();
  return {
    features: features(input),
    operator,
    ids: ids ? arena.bind(ids) : null,
    graphs: pointer && { ptr: arena.bind(pointer), count: pointer.length - 1, ids: null },
  };

  function features(x: Tensor | SparseOperator): Tensor | SparseOperator {
    if (x instanceof Tensor) return cast(x);
    // Ones are spelt out: dropout makes its values of the stored ones.
    const stored = x.scales.values ??
      new Tensor(arena.bind(NativeArray.from<"F32">(new Float32Array(x.pattern.numEntries).fill(1))));
    return new SparseOperator(x.pattern, { values: cast(stored) });
  }
}

export const bytesOf = (t: Tensor) =>
  Buffer.from(hostArray(t.handle).read().buffer as ArrayBuffer).toString("hex");
