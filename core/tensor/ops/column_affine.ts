/** scale[j] * x[i, j] + shift[j]: one factor and one offset per column. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { addBias, columnSum } from "./add_bias.ts";
import { mul } from "./mul.ts";

const op: Op<undefined> = {
  name: "column_affine",
  forward(tape, [x, scale, shift]) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("column_affine", {
      x: x!.handle,
      scale: scale!.handle,
      shift: shift?.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x, scale] }, g, needs) => [
    needs[0] ? columnAffine(tape, g, scale!, null) : null,
    needs[1] ? columnSum(tape, mul(tape, g, x!)) : null,
    needs[2] ? columnSum(tape, g) : null,
  ],
};

/** scale and shift are [f]; an absent scale is 1, an absent shift 0. */
export function columnAffine(tape: Tape, x: Tensor, scale: Tensor | null, shift: Tensor | null): Tensor {
  if (!scale) return shift ? addBias(tape, x, shift) : x;
  return tape.apply(op, shift ? [x, scale, shift] : [x, scale], undefined);
}
