/** Element-wise functions and their derivatives, each made of the others. */
import { unaryKinds } from "../../../ffi/ops.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { axpby, scale } from "./axpby.ts";
import { mul } from "./mul.ts";

export type UnaryKind = keyof typeof unaryKinds;
interface Params {
  kind: UnaryKind;
  alpha: number;
}

/** d(kind)/dx times g, by kind; `y` is the function's value. */
const derivative: Record<
  UnaryKind,
  (tape: Tape, x: Tensor, y: Tensor, g: Tensor, alpha: number) => Tensor | null
> = {
  exp: (tape, _x, y, g) => mul(tape, g, y),
  log: (tape, x, _y, g) => mul(tape, g, unary(tape, x, "reciprocal")),
  tanh: (tape, _x, y, g) => axpby(tape, g, mul(tape, g, mul(tape, y, y)), 1, -1),
  sigmoid: (tape, _x, y, g) => axpby(tape, mul(tape, g, y), mul(tape, g, mul(tape, y, y)), 1, -1),
  sqrt: (tape, _x, y, g) => scale(tape, mul(tape, g, unary(tape, y, "reciprocal")), 0.5),
  reciprocal: (tape, _x, y, g) => scale(tape, mul(tape, g, mul(tape, y, y)), -1),
  power: (tape, x, _y, g, alpha) => scale(tape, mul(tape, g, unary(tape, x, "power", alpha - 1)), alpha),
  abs: (tape, x, _y, g) => mul(tape, g, unary(tape, x, "sign")),
  sign: () => null,
  // 1 where x > alpha, else 0.
  max_scalar: (tape, x, _y, g, alpha) => {
    const shifted = tape.noGrad(() => {
      const level = tape.tensor(x.dtype, x.shape);
      tape.engine.run("fill", { out: level.handle, value: alpha });
      const above = axpby(tape, unary(tape, x, "max_scalar", alpha), level, 1, -1);
      return unary(tape, above, "sign");
    });
    return mul(tape, g, shifted);
  },
};

const op: Op<Params> = {
  name: "unary",
  forward(tape, [x], { kind, alpha }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("unary", { x: x!.handle, out: output.handle, kind: unaryKinds[kind], alpha });
    return { output, saved: undefined };
  },
  backward: (
    tape,
    { inputs: [x], output, params },
    g,
  ) => [derivative[params.kind](tape, x!, output, g, params.alpha)],
};

/** kind(x), element by element; `alpha` is the exponent of "power" and the bound of "max_scalar". */
export function unary(tape: Tape, x: Tensor, kind: UnaryKind, alpha = 0): Tensor {
  return tape.apply(op, [x], { kind, alpha });
}
