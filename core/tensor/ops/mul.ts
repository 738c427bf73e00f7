/** x * y, element by element. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

const op: Op<undefined> = {
  name: "mul",
  forward(tape, [x, y]) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("mul", { x: x!.handle, y: y!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x, y] }, g, needs) => [
    needs[0] ? mul(tape, g, y!) : null,
    needs[1] ? mul(tape, g, x!) : null,
  ],
};

export function mul(tape: Tape, x: Tensor, y: Tensor): Tensor {
  return tape.apply(op, [x, y], undefined);
}
