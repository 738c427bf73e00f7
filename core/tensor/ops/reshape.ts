/** The same elements under another shape; no copy. */
import type { Op, Tape } from "../autograd.ts";
import { Tensor } from "../tensor.ts";

const op: Op<{ shape: readonly number[] }> = {
  name: "reshape",
  forward: (tape, [x], { shape }) => ({
    output: new Tensor(tape.arena.reshape(x!.handle, shape)),
    saved: undefined,
  }),
  backward: (tape, { inputs: [x] }, g) => [reshape(tape, g, x!.shape)],
};

export function reshape(tape: Tape, x: Tensor, shape: readonly number[]): Tensor {
  return tape.apply(op, [x], { shape });
}
