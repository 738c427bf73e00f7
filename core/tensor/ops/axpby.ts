/** alpha * x + beta * y; also sums, differences and scalings. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  alpha: number;
  beta: number;
}

const op: Op<Params> = {
  name: "axpby",
  forward(tape, [x, y], { alpha, beta }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("axpby", { x: x!.handle, y: y?.handle, out: output.handle, alpha, beta });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g, needs) => [
    needs[0] ? scale(tape, g, params.alpha) : null,
    needs[1] ? scale(tape, g, params.beta) : null,
  ],
};

/** alpha * x + beta * y, same shapes. */
export function axpby(tape: Tape, x: Tensor, y: Tensor, alpha: number, beta: number): Tensor {
  return tape.apply(op, [x, y], { alpha, beta });
}

/** alpha * x; x itself for alpha = 1. */
export function scale(tape: Tape, x: Tensor, alpha: number): Tensor {
  return alpha === 1 ? x : tape.apply(op, [x], { alpha, beta: 0 });
}
