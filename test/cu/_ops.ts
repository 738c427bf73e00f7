/** For tests of native ops: tensors from numbers, runs on other thread counts and instruction sets. */
import { expect } from "bun:test";
import { type DType, dtypes, type TypedArray } from "../../ffi/dtype.ts";
import { Engine, hostArray, setIsa, setThreads, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { Random } from "../../core/tensor/rng.ts";
import { openTestDevice, testDevice } from "../_device.ts";

await openTestDevice();

export const engine = new Engine();
const arena = engine.arena();

export const realTypes = ["F32", "F64"] as const;
export type Real = (typeof realTypes)[number];

/** Unit roundoff: half the distance from 1 to the next number. */
export const roundoff = { F32: 2 ** -24, F64: 2 ** -53 } as const;

/** A new tensor of `shape` with `values` (absent: garbage, so that an op that does not write it shows). */
export function tensor(dtype: DType, shape: readonly number[], values?: ArrayLike<number>): TensorHandle {
  const t = arena.tensor(dtype, shape), size = t.rows * t.cols;
  if (values && values.length !== size) throw new RangeError(`${values.length} values for [${shape}]`);
  setNumbers(t, values ?? new Array<number>(size).fill(77));
  return t;
}

/** Let a tensor hold other numbers. */
export function setNumbers(t: TensorHandle, values: ArrayLike<number>): void {
  const array = NativeArray.allocate(t.dtype, t.rows * t.cols, false), window = array.window();
  for (let i = 0; i < window.length; i++) {
    window[i] = t.dtype === "I64" ? BigInt(values[i]!) : values[i] as never;
  }
  writeTensor(t, array);
  array.free();
}

/** The elements of a tensor, copied. */
export const elementsOf = (t: TensorHandle): TypedArray => hostArray(t).read();

export function numbers(t: TensorHandle): number[] {
  return Array.from(elementsOf(t) as ArrayLike<number | bigint>, Number);
}

/** The bytes of a tensor, copied. */
export function bytes(t: TensorHandle): Uint8Array {
  const { buffer } = elementsOf(t);
  return new Uint8Array(buffer as ArrayBuffer, 0, t.rows * t.cols * dtypes[t.dtype].size);
}

/** What was drawn under each name: drawing costs more than the ops that are tested on it. */
const drawn = new Map<string, number[]>();

/** n numbers in [-1, 1), those that float32 holds, the same for the same name. */
export function randoms(n: number, name: string): number[] {
  const known = drawn.get(name) ?? [];
  drawn.set(name, known);
  const random = new Random({ seed: 1, stream: name });
  for (let i = known.length; i < n; i++) known.push(random.f32(i, 0) * 2 - 1);
  return known.slice(0, n);
}

/** n integers in low .. high - 1. */
export function integers(n: number, low: number, high: number, name: string): number[] {
  const random = new Random({ seed: 2, stream: name });
  return Array.from({ length: n }, (_, i) => low + random.below(i, 0, high - low));
}

/** Numbers as the dtype holds them. */
export const rounded = (dtype: Real, values: readonly number[]): number[] =>
  dtype === "F32" ? values.map(Math.fround) : [...values];

/** |got - want| <= tolerance * (1 + |want|), element by element. */
export function expectClose(got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  const bad = got.findIndex((v, i) => !(Math.abs(v - want[i]!) <= tolerance * (1 + Math.abs(want[i]!))));
  if (bad >= 0) expect(`[${bad}] = ${got[bad]}`).toBe(`[${bad}] = ${want[bad]} within ${tolerance}`);
}

/** The instruction sets that this machine runs. */
export const isas: readonly string[] = testDevice !== "cpu"
  ? [testDevice]
  : ["portable", "avx2", "avx512"].filter((name) => {
    try {
      setIsa(name);
      return true;
    } catch (error) {
      if (error instanceof NativeError && error.code === "unsupported") return false;
      throw error;
    }
  });
const best = isas.at(-1)!;
const use = (isa: string) => testDevice === "cpu" && setIsa(isa);
use(best);

/** Run once per instruction set, then return to the best; on a GPU once. */
export function onEveryIsa(run: (isa: string) => void): void {
  try {
    for (const isa of isas) {
      use(isa);
      run(isa);
    }
  } finally {
    use(best);
  }
}

/** `run` on 1, 2 and 4 threads gives the same bytes in `outs`; returns them. */
export function expectSameOnThreads(outs: readonly TensorHandle[], run: () => void): Uint8Array[] {
  let first: Uint8Array[] | undefined;
  try {
    for (const threads of [1, 2, 4]) {
      setThreads(threads);
      run();
      const now = outs.map(bytes);
      first ??= now;
      now.forEach((b, i) => expect(Buffer.compare(b, first![i]!)).toBe(0));
    }
  } finally {
    setThreads(0);
  }
  return first!;
}

/**
 * What every op owes: on every instruction set `run` agrees with `want` to `tolerance`, and gives the same bytes on 1,
 * 2 and 4 threads.
 */
export function expectEverywhere(
  out: TensorHandle,
  want: readonly number[],
  tolerance: number,
  run: () => void,
): void {
  onEveryIsa(() => {
    expectSameOnThreads([out], run);
    expectClose(numbers(out), want, tolerance);
  });
}
