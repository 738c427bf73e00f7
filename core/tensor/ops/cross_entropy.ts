/** Softmax cross entropy over labelled rows: one fused pass forward and one back. */
import type { TensorHandle } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { scale } from "./axpby.ts";
import { logSoftmax } from "./log_softmax.ts";
import { mul } from "./mul.ts";
import { totalSum } from "./row_sum.ts";

interface Params {
  label: TensorHandle;
  index: TensorHandle | null;
  weight: TensorHandle | null;
  sum: boolean;
}

const op: Op<Params> = {
  name: "softmax_cross_entropy",
  forward(tape, [x], { label, index, weight, sum }) {
    const output = tape.tensor(x!.dtype, [1]);
    tape.engine.run("softmax_cross_entropy", {
      x: x!.handle,
      label,
      index,
      weight,
      out: output.handle,
      sum: Number(sum),
    });
    return { output, saved: undefined };
  },
  backward(tape, { inputs: [x], params: { label, index, weight, sum } }, g) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("softmax_cross_entropy_backward", {
      x: x!.handle,
      label,
      index,
      weight,
      g: g.handle,
      out: output.handle,
      sum: Number(sum),
    });
    return [output];
  },
  // loss = -sum of w[i, c] * log_softmax(x)[i, c], where w holds each row's share of the mean at its label.
  decompose(tape, [x], { label, index, weight, sum }) {
    const shares = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("label_weights", { label, index, weight, out: shares.handle, sum: Number(sum) });
    return scale(tape, totalSum(tape, mul(tape, logSoftmax(tape, x!), shares)), -1);
  },
};

export interface CrossEntropyOptions {
  /** Rows that count (I32 or I64); absent: all. */
  readonly index?: TensorHandle | null;
  /** Weight of each counted row. */
  readonly weight?: TensorHandle | null;
  /** Sum instead of the (weighted) mean. */
  readonly sum?: boolean;
}

/** Mean over labelled rows of -log softmax(x)[label]: (n, c), I32[n] -> [1]. Negative labels are left out. */
export function crossEntropy(
  tape: Tape,
  x: Tensor,
  label: TensorHandle,
  options: CrossEntropyOptions = {},
): Tensor {
  const { index = null, weight = null, sum = false } = options;
  return tape.apply(op, [x], { label, index, weight, sum });
}
