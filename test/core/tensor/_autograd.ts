/** For tests of autograd: float64 tensors, tapes in their own scopes, gradients against finite differences. */
import { expect } from "bun:test";
import type { DType, TypedArray } from "../../../ffi/dtype.ts";
import { Engine, type TensorHandle } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { type Op, Tape } from "../../../core/tensor/autograd.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { totalSum } from "../../../core/tensor/ops/row_sum.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

export const engine = new Engine();
/** What lives as long as the tests of a file. */
export const fixed = engine.arena();

/** n numbers in [-1, 1), the same for the same name. */
export function randoms(n: number, name: string): number[] {
  const random = new Random({ seed: 3, stream: name });
  return Array.from({ length: n }, (_, i) => random.f64(i, 0) * 2 - 1);
}

/** A native array of one dtype from plain numbers. */
export function native<D extends DType>(dtype: D, values: readonly number[]): NativeArray<D> {
  const array = NativeArray.allocate(dtype, values.length);
  const window = array.window() as TypedArray;
  values.forEach((v, i) => window[i] = (dtype === "I64" ? BigInt(v) : v) as never);
  return array;
}

/** A tensor of integers, for indices and pointers. */
export const integers = (dtype: "I32" | "I64", values: readonly number[]): TensorHandle =>
  fixed.bind(native(dtype, values));
export const index = (values: readonly number[], dtype: "I32" | "I64" = "I64") =>
  new Tensor(integers(dtype, values));

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A float64 tensor that gradients flow to. */
export function variable(
  shape: readonly number[],
  values: readonly number[] = randoms(sizeOf(shape), `x${shape}`),
): Tensor {
  if (values.length !== sizeOf(shape)) throw new RangeError(`${values.length} values for [${shape}]`);
  return new Tensor(fixed.bind(native("F64", values), shape), true);
}
/** A float64 vector of constants. */
export const vector = (values: readonly number[]): TensorHandle => fixed.bind(native("F64", values));

/** Run `body` on a fresh tape; what it made is gone afterwards. */
export function withTape<T>(body: (tape: Tape) => T, make: (tape: Tape) => Tape = (tape) => tape): T {
  const arena = engine.arena();
  try {
    return body(make(new Tape(engine, arena, true)));
  } finally {
    arena.destroy();
  }
}

/** A function of tensors, and where it is looked at. */
export interface Case {
  readonly inputs: readonly Tensor[];
  readonly f: (tape: Tape, inputs: readonly Tensor[]) => Tensor;
}

const numbersOf = (t: Tensor | null, like: Tensor) =>
  t ? t.toNumbers() : new Array<number>(like.size).fill(0);

/** Numbers for a linear functional of tensors. */
const direction = (x: Tensor, name: string) => randoms(x.size, `${name}${x.shape}`);

/** d(<seed, f(x)>)/dx for every input; zeros where nothing flows. */
export function firstGradient({ inputs, f }: Case, seed: Tensor, make?: (tape: Tape) => Tape): number[][] {
  return withTape((tape) => {
    const gradients = tape.grad(f(tape, inputs), inputs, { seed });
    return inputs.map((x, k) => numbersOf(gradients[k]!, x));
  }, make);
}

/** d(<v, dx>)/dx and d(<v, dx>)/dseed, where dx = d(<seed, f(x)>)/dx. */
export function secondGradient(
  { inputs, f }: Case,
  seed: Tensor,
  v: readonly Tensor[],
  make?: (tape: Tape) => Tape,
): number[][] {
  return withTape((tape) => {
    const first = tape.grad(f(tape, inputs), inputs, { seed, createGraph: true });
    const parts = first.flatMap((g, k) => g ? [totalSum(tape, mul(tape, g, v[k]!))] : []);
    const wrt = [...inputs, seed];
    const sums = wrt.map((x) => new Array<number>(x.size).fill(0));
    for (const part of parts) {
      tape.grad(part, wrt).forEach((g, k) => g?.toNumbers().forEach((value, i) => sums[k]![i]! += value));
    }
    return sums;
  }, make);
}

/** The shape of f's output. */
export function outputShape({ inputs, f }: Case): number[] {
  return withTape((tape) => f(tape, inputs).shape);
}

/** The seed and the directions that a case is checked along. */
export function directions(c: Case): { seed: Tensor; v: Tensor[] } {
  const shape = outputShape(c);
  return {
    seed: variable(shape, randoms(sizeOf(shape), `seed${shape}`)),
    v: c.inputs.map((x) => new Tensor(vector(direction(x, "v")), false)).map((t, k) =>
      reshaped(t, c.inputs[k]!.shape)
    ),
  };
}
const reshaped = (t: Tensor, shape: readonly number[]) => new Tensor(fixed.reshape(t.handle, shape));

/** (g(x + h) - g(x - h)) / 2h for every element of every tensor. */
export function differences(at: readonly Tensor[], value: () => number, h: number): number[][] {
  return at.map((x) => {
    const centres = x.toNumbers();
    const valueAt = (i: number, moved: number) => {
      x.set(centres.with(i, moved));
      return value();
    };
    const slopes = centres.map((centre, i) => (valueAt(i, centre + h) - valueAt(i, centre - h)) / (2 * h));
    x.set(centres);
    return slopes;
  });
}

// Central differences are off by h^2 / 6 times a third derivative, and by the rounding of the two values, 2^-53 times
// the sum of the terms, over h. At h = 2^-17 (the cube root of 2^-53, where both are least) these are 1e-11 times the
// third derivative and 1.5e-11 times the terms. Third derivatives and terms of the cases stay below 100.
const STEP = 2 ** -17;
const TOLERANCE = 2e-9;

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

export function expectNear(
  got: readonly number[],
  want: readonly number[],
  tolerance: number,
  what = "",
): void {
  expect(got.length).toBe(want.length);
  const bad = got.findIndex((x, i) =>
    !(Math.abs(x - want[i]!) <= tolerance * Math.max(1, Math.abs(want[i]!)))
  );
  if (bad >= 0) {
    expect(`${what}[${bad}] = ${got[bad]}`).toBe(`${what}[${bad}] = ${want[bad]} within ${tolerance}`);
  }
}

/** First and second gradients of a case against finite differences, with respect to its inputs and to the seed. */
export function checkGradients(c: Case): void {
  const { seed, v } = directions(c);
  const value = () => withTape((tape) => dot(c.f(tape, c.inputs).toNumbers(), seed.toNumbers()));
  const first = firstGradient(c, seed);
  differences(c.inputs, value, STEP).forEach((want, k) =>
    expectNear(first[k]!, want, TOLERANCE, `gradient of input ${k}`)
  );

  const slope = () => firstGradient(c, seed).reduce((sum, g, k) => sum + dot(g, v[k]!.toNumbers()), 0);
  const second = secondGradient(c, seed, v);
  differences([...c.inputs, seed], slope, STEP).forEach((want, k) =>
    expectNear(
      second[k]!,
      want,
      TOLERANCE,
      k < c.inputs.length ? `second gradient of input ${k}` : "second gradient of the seed",
    )
  );
}

/** Which ops ran forward and backward. */
export interface Seen {
  readonly forward: Set<string>;
  readonly backward: Set<string>;
}

/** A tape that notes the names of its ops. */
export class WatchedTape extends Tape {
  constructor(tape: Tape, private readonly seen: Seen) {
    super(tape.engine, tape.arena, tape.training);
  }
  override apply<P, S>(op: Op<P, S>, inputs: readonly Tensor[], params: P): Tensor {
    this.seen.forward.add(op.name);
    const watched: Op<P, S> = {
      ...op,
      backward: (tape, call, g, needs, take) => {
        this.seen.backward.add(op.name);
        return op.backward(tape, call, g, needs, take);
      },
    };
    return super.apply(watched, inputs, params);
  }
}

/** Both gradients of a case once, noting the ops that ran. */
export function runWatched(c: Case, seen: Seen): void {
  const { seed, v } = directions(c);
  const make = (tape: Tape) => new WatchedTape(tape, seen);
  firstGradient(c, seed, make);
  secondGradient(c, seed, v, make);
}
