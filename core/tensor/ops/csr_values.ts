/** Functions of a sparse matrix's values: reordering for the transpose, dropout on entries. */
import type { TensorHandle } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Pattern } from "../operator.ts";
import { Tensor } from "../tensor.ts";
import { DROPOUT_STREAM } from "./dropout.ts";
import { gather } from "./gather.ts";

/** values[order[e]] */
export function gatherValues(tape: Tape, values: Tensor, order: TensorHandle): Tensor {
  return gather(tape, values, new Tensor(order));
}

interface DropoutParams {
  pattern: Pattern;
  p: number;
  layer: number;
  ids: TensorHandle | null;
}

const op: Op<DropoutParams> = {
  name: "dropout_csr",
  forward(tape, [values], { pattern, p, layer, ids }) {
    const output = tape.tensor(values?.dtype ?? "F32", [pattern.numEntries]);
    tape.engine.run("dropout_csr", {
      indptr: pattern.indptr,
      values: values?.handle,
      ids,
      out: output.handle,
      p,
      stream: DROPOUT_STREAM,
      layer,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(op, [g], params)],
};

/** Inverted dropout on the entries of a sparse matrix (`values` null: ones); the mask is keyed by row id and position. */
export function dropoutValues(
  tape: Tape,
  pattern: Pattern,
  values: Tensor | null,
  p: number,
  layer: number,
  ids: TensorHandle | null,
): Tensor {
  return tape.apply(op, values ? [values] : [], { pattern, p, layer, ids });
}

const edgesOp: Op<DropoutParams> = {
  name: "dropout_edges",
  forward(tape, [x], { pattern, p, layer, ids }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("dropout_edges", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      x: x!.handle,
      ids,
      out: output.handle,
      p,
      stream: DROPOUT_STREAM,
      layer,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(edgesOp, [g], params)],
};

/**
 * Inverted dropout on numbers of edges, [nnz] or (nnz, heads): the mask is keyed by the original nodes of the edge and
 * the head, so that it follows the edge into any batch and node order. Off outside of training.
 *
 * @param ids  original node number of each column, the rows being the first of them; null where column = node.
 */
export function dropoutEdges(
  tape: Tape,
  pattern: Pattern,
  x: Tensor,
  p: number,
  layer: number,
  ids: TensorHandle | null,
): Tensor {
  if (p <= 0 || !tape.training) return x;
  const columns = ids && { ...ids, rows: pattern.numCols };
  return tape.apply(edgesOp, [x], { pattern, p, layer, ids: columns });
}
