/** Matrices side by side, and ranges of columns: each is the other's adjoint. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

const concatOp: Op<undefined> = {
  name: "concat_columns",
  forward(tape, inputs) {
    const cols = inputs.reduce((sum, x) => sum + x.cols, 0);
    const output = tape.tensor(inputs[0]!.dtype, [inputs[0]!.rows, cols]);
    let at = 0;
    for (const x of inputs) {
      tape.engine.run("put_columns", { x: x.handle, out: output.handle, at });
      at += x.cols;
    }
    return { output, saved: undefined };
  },
  backward(tape, { inputs }, g, needs) {
    let at = 0;
    return inputs.map((x, k) => {
      const first = at;
      at += x.cols;
      return needs[k] ? takeColumns(tape, g, first, x.cols) : null;
    });
  },
};

const takeOp: Op<{ at: number; count: number }> = {
  name: "take_columns",
  forward(tape, [x], { at, count }) {
    const output = tape.tensor(x!.dtype, [x!.rows, count]);
    tape.engine.run("take_columns", { x: x!.handle, out: output.handle, at });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x], params: { at } }, g) => [
    tape.apply(placeOp, [g], { at, cols: x!.cols }),
  ],
};

/** x among columns of zeros. */
const placeOp: Op<{ at: number; cols: number }> = {
  name: "place_columns",
  forward(tape, [x], { at, cols }) {
    const output = tape.tensor(x!.dtype, [x!.rows, cols]);
    // A recorded step runs on the same memory again: zeros are written every time.
    tape.engine.run("fill", { out: output.handle, value: 0 });
    tape.engine.run("put_columns", { x: x!.handle, out: output.handle, at });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x], params: { at } }, g) => [takeColumns(tape, g, at, x!.cols)],
};

/** (n, a), (n, b), ... -> (n, a + b + ...) */
export function concatColumns(tape: Tape, parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? parts[0]! : tape.apply(concatOp, parts, undefined);
}
/** Columns at .. at + count of x. */
export function takeColumns(tape: Tape, x: Tensor, at: number, count: number): Tensor {
  return tape.apply(takeOp, [x], { at, count });
}
