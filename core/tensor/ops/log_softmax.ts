/** x - logsumexp(x), row by row. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { axpby } from "./axpby.ts";
import { rowScale, rowSum } from "./row_sum.ts";
import { unary } from "./unary.ts";

const op: Op<undefined> = {
  name: "log_softmax",
  forward(tape, [x]) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("log_softmax", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  // dx = g - softmax(x) * (sum of g along the row)
  backward: (tape, { output }, g) => [
    axpby(tape, g, rowScale(tape, unary(tape, output, "exp"), rowSum(tape, g)), 1, -1),
  ],
};

export function logSoftmax(tape: Tape, x: Tensor): Tensor {
  return tape.apply(op, [x], undefined);
}
