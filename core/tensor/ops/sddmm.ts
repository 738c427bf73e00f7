/** Sampled dense-dense product: one dot product per stored entry; the gradient of spmm to its values. */
import type { TensorHandle } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import { type Pattern, SparseOperator } from "../operator.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  pattern: Pattern;
  left: TensorHandle | null;
  right: TensorHandle | null;
}

const op: Op<Params> = {
  name: "sddmm",
  forward(tape, [x, y], { pattern, left, right }) {
    const output = tape.tensor(x!.dtype, [pattern.numEntries]);
    tape.engine.run("sddmm", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      left,
      right,
      x: x!.handle,
      y: y!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  // out[e] is bilinear in x[i] and y[j]: each gradient is a product with g as the values.
  backward(tape, { inputs: [x, y], params: { pattern, left, right } }, g, needs) {
    const weighted = new SparseOperator(pattern, { values: g, left, right });
    return [
      needs[0] ? weighted.apply(tape, y!) : null,
      needs[1] ? weighted.transpose(tape).apply(tape, x!) : null,
    ];
  },
};

/** out[e] = left[i] * right[j] * <x[i], y[j]> for each entry e = (i, j): [nnz]. */
export function sddmm(
  tape: Tape,
  pattern: Pattern,
  left: TensorHandle | null,
  right: TensorHandle | null,
  x: Tensor,
  y: Tensor,
): Tensor {
  return tape.apply(op, [x, y], { pattern, left, right });
}
