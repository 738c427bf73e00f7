/** Element-wise functions and their derivatives, each made of the others. */
import { unaryKinds } from "../../../ffi/ops.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { axpby, scale } from "./axpby.ts";
import { mul } from "./mul.ts";
import { relu } from "./relu.ts";

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
  expm1: (tape, x, _y, g) => mul(tape, g, unary(tape, x, "exp")),
  softplus: (tape, x, _y, g) => mul(tape, g, unary(tape, x, "sigmoid")),
  normal_cdf: (tape, x, _y, g) => mul(tape, g, normalDensity(tape, x)),
  // exp(min(x, 0))
  elu: (tape, x, _y, g) => mul(tape, g, unary(tape, scale(tape, relu(tape, scale(tape, x, -1)), -1), "exp")),
  gelu: (tape, x, _y, g) =>
    mul(tape, g, axpby(tape, unary(tape, x, "normal_cdf"), mul(tape, x, normalDensity(tape, x)), 1, 1)),
  // s + y - y s with s = sigmoid(x)
  silu(tape, x, y, g) {
    const s = unary(tape, x, "sigmoid");
    return mul(tape, g, axpby(tape, axpby(tape, s, y, 1, 1), mul(tape, y, s), 1, -1));
  },
};

/** exp(-x^2 / 2) / sqrt(2 pi) */
function normalDensity(tape: Tape, x: Tensor): Tensor {
  return scale(tape, unary(tape, scale(tape, mul(tape, x, x), -0.5), "exp"), 1 / Math.sqrt(2 * Math.PI));
}

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
