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
    tape.engine.run("softmax_cross_entropy", { x: x!.handle, label, index, weight, out: output.handle, sum: Number(sum) });
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
  // loss = -sum of w[i, c] * log_softmax(x)[i, c], where w holds each row's weight at its label. The fused backward of
  // the constant 0 gives exactly w up to the softmax of a constant row, so w is taken from it.
  decompose(tape, [x], { label, index, weight, sum }) {
    const selected = tape.noGrad(() => selection(tape, x!, { label, index, weight, sum }));
    return scale(tape, totalSum(tape, mul(tape, logSoftmax(tape, x!), selected)), -1);
  },
};

/** (n, c): weight[r] / total at (index[r], label), 0 elsewhere. */
function selection(tape: Tape, x: Tensor, { label, index, weight, sum }: Params): Tensor {
  const { engine } = tape;
  const n = x.rows, c = x.cols;
  const one = tape.tensor(x.dtype, [1]);
  engine.run("fill", { out: one.handle, value: 1 });
  // At logits that are equal the gradient is (1/c - [c = label]) * w; removing w/c leaves the selection.
  const zero = tape.tensor(x.dtype, [n, c], true);
  const gradient = tape.tensor(x.dtype, [n, c]);
  engine.run("softmax_cross_entropy_backward", {
    x: zero.handle,
    label,
    index,
    weight,
    g: one.handle,
    out: gradient.handle,
    sum: Number(sum),
  });
  // Each row of the gradient holds w/c everywhere and w/c - w at its label: max(row) - row.
  const result = tape.tensor(x.dtype, [n, c]);
  const total = tape.tensor(x.dtype, [n]);
  const positive = tape.tensor(x.dtype, [n, c]);
  engine.run("unary", { x: gradient.handle, out: positive.handle, kind: 9, alpha: 0 });
  engine.run("row_sum", { x: positive.handle, out: total.handle });
  // (c - 1) entries of w/c are positive: their sum / (c - 1) is w/c.
  const level = tape.tensor(x.dtype, [n, c]);
  engine.run("broadcast_columns", { x: total.handle, out: level.handle });
  engine.run("axpby", {
    x: level.handle,
    y: gradient.handle,
    out: result.handle,
    alpha: c > 1 ? 1 / (c - 1) : 0,
    beta: -1,
  });
  return result;
}

export interface CrossEntropyOptions {
  /** Rows that count (I32 or I64); absent: all. */
  readonly index?: TensorHandle | null;
  /** Weight of each counted row. */
  readonly weight?: TensorHandle | null;
  /** Sum instead of the (weighted) mean. */
  readonly sum?: boolean;
}

/** Mean over labelled rows of -log softmax(x)[label]: (n, c), I32[n] -> [1]. Negative labels are left out. */
export function crossEntropy(tape: Tape, x: Tensor, label: TensorHandle, options: CrossEntropyOptions = {}): Tensor {
  const { index = null, weight = null, sum = false } = options;
  return tape.apply(op, [x], { label, index, weight, sum });
}

