/** What follows a product, and its gradient from the inputs: dropout(activation(x + y + bias)). */
import type { activationKinds } from "../../ffi/ops.ts";
import type { Random } from "../tensor/rng.ts";
import { dropout } from "./dropout.ts";

type Numbers = ArrayLike<number>;

export interface Epilogue {
  /** Columns. */
  readonly f: number;
  readonly y?: Numbers | undefined;
  readonly bias?: Numbers | undefined;
  readonly kind: keyof typeof activationKinds;
  readonly slope: number;
  readonly p: number;
  readonly random: Random;
  readonly ids?: Numbers | undefined;
}

const activations = {
  none: (z: number) => z,
  relu: (z: number, slope: number) => z > 0 ? z : slope * z,
  elu: (z: number) => z > 0 ? z : Math.expm1(z),
  tanh: (z: number) => Math.tanh(z),
} as const;
const derivatives = {
  none: () => 1,
  relu: (z: number, slope: number) => z > 0 ? 1 : slope,
  elu: (z: number) => z > 0 ? 1 : Math.exp(z),
  tanh: (z: number) => 1 - Math.tanh(z) ** 2,
} as const;

const sums = (x: Numbers, { y, bias, f }: Epilogue) =>
  Array.from(x, (v, k) => v + (y?.[k] ?? 0) + (bias?.[k % f] ?? 0));

export function epilogue(x: Numbers, e: Epilogue): number[] {
  return dropout(sums(x, e).map((z) => activations[e.kind](z, e.slope)), e.f, e.p, e.random, e.ids);
}

/** The gradient of x, and its column sums. */
export function epilogueBackward(g: Numbers, x: Numbers, e: Epilogue): { dx: number[]; dBias: number[] } {
  const masked = dropout(g, e.f, e.p, e.random, e.ids);
  const dx = sums(x, e).map((z, k) => masked[k] === 0 ? 0 : masked[k]! * derivatives[e.kind](z, e.slope));
  const dBias = new Array<number>(e.f).fill(0);
  dx.forEach((d, k) => dBias[k % e.f]! += d);
  return { dx, dBias };
}
