/** Activations of hidden layers, by name, and what stands around them behind a product. */
import { z } from "zod";
import type { Tape } from "../tensor/autograd.ts";
import type { Product } from "../tensor/operator.ts";
import { epilogue, type EpilogueParts } from "../tensor/ops/epilogue.ts";
import { unary } from "../tensor/ops/unary.ts";
import { Tensor } from "../tensor/tensor.ts";

/** How each is computed: fused with what stands around it, or by an op of its own. */
const functions = {
  relu: { fused: "relu", slope: 0 },
  elu: { fused: "elu", slope: 0 },
  "leaky-relu": { fused: "relu", slope: 0.01 },
  gelu: { unary: "gelu" },
  silu: { unary: "silu" },
  tanh: { fused: "tanh", slope: 0 },
  none: { fused: "none", slope: 0 },
} as const;
export type Activation = keyof typeof functions;

/** The option: elu with alpha 1, leaky-relu with slope 0.01, gelu without approximation. */
export const activationParam = (usual: Activation) =>
  z.enum(Object.keys(functions) as [Activation, ...Activation[]]).default(usual).describe(
    "activation of hidden layers",
  );

/** What follows a product, all of it optional: dropout(activation(x + addend + bias)). */
export interface Ending extends Pick<EpilogueParts, "addend" | "bias" | "drop"> {
  readonly activation?: Activation;
}

export function finish(
  tape: Tape,
  x: Tensor | Product,
  { activation = "none", drop = null, ...sum }: Ending,
): Tensor {
  const kind = functions[activation];
  const ended = (parts: EpilogueParts) =>
    x instanceof Tensor ? epilogue(tape, x, parts) : x.apply(tape, parts);
  if ("fused" in kind) return ended({ ...sum, drop, activation: kind.fused, slope: kind.slope });
  return epilogue(tape, unary(tape, ended(sum), kind.unary), { drop });
}
