/** max(x, slope * x) for slope below 1: relu (slope 0) and leaky relu. The gradient at 0 is the slope. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  slope: number;
}

const op: Op<Params> = {
  name: "relu",
  forward(tape, [x], { slope }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("relu", { x: x!.handle, out: output.handle, slope });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x], params }, g) => [tape.apply(gradient, [g, x!], params)],
};

/** g where x > 0, else slope * g: linear in g, constant in x. */
const gradient: Op<Params> = {
  name: "relu_backward",
  forward(tape, [g, x], { slope }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("relu_backward", { g: g!.handle, x: x!.handle, out: output.handle, slope });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [, x], params }, gg, needs) => [
    needs[0] ? tape.apply(gradient, [gg, x!], params) : null,
    null,
  ],
};

export function relu(tape: Tape, x: Tensor, slope = 0): Tensor {
  return tape.apply(op, [x], { slope });
}
