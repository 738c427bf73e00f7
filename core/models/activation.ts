/** Activations of hidden layers, by name. */
import { z } from "zod";
import type { Tape } from "../tensor/autograd.ts";
import { relu } from "../tensor/ops/relu.ts";
import { unary } from "../tensor/ops/unary.ts";
import type { Tensor } from "../tensor/tensor.ts";

const functions = {
  relu: (tape: Tape, x: Tensor) => relu(tape, x),
  elu: (tape: Tape, x: Tensor) => unary(tape, x, "elu"),
  "leaky-relu": (tape: Tape, x: Tensor) => relu(tape, x, 0.01),
  gelu: (tape: Tape, x: Tensor) => unary(tape, x, "gelu"),
  silu: (tape: Tape, x: Tensor) => unary(tape, x, "silu"),
  tanh: (tape: Tape, x: Tensor) => unary(tape, x, "tanh"),
  none: (_tape: Tape, x: Tensor) => x,
};
export type Activation = keyof typeof functions;

/** The option: elu with alpha 1, leaky-relu with slope 0.01, gelu without approximation. */
export const activationParam = (usual: Activation) =>
  z.enum(Object.keys(functions) as [Activation, ...Activation[]]).default(usual).describe(
    "activation of hidden layers",
  );

export function activate(tape: Tape, x: Tensor, activation: Activation): Tensor {
  return functions[activation](tape, x);
}
