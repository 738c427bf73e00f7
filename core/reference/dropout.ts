/** Dropout and uniform draws, element by element from the key of each. */
import type { Random } from "../tensor/rng.ts";

type Numbers = ArrayLike<number>;

function scaled(x: number, word: number, p: number): number {
  if (p === 0) return x;
  return p < 1 && word >= Math.floor(p * 2 ** 32) ? x / (1 - p) : 0;
}

/** x has f columns; row i draws as id ids[i] (absent: i). */
export function dropout(x: Numbers, f: number, p: number, random: Random, ids?: Numbers): number[] {
  return Array.from(x, (v, k) => {
    const i = Math.floor(k / f);
    return scaled(v, random.u32(ids ? ids[i]! : i, k % f), p);
  });
}

/** CSR values (absent: ones); the draw number is the position inside the row. */
export function dropoutCsr(
  indptr: Numbers,
  values: Numbers | null,
  p: number,
  random: Random,
  ids?: Numbers,
): number[] {
  const out: number[] = [];
  for (let i = 0; i + 1 < indptr.length; i++) {
    for (let e = indptr[i]!; e < indptr[i + 1]!; e++) {
      out.push(scaled(values ? values[e]! : 1, random.u32(ids ? ids[i]! : i, e - indptr[i]!), p));
    }
  }
  return out;
}

/** low + (high - low) * u for n rows of f draws, with 24-bit (F32) or 53-bit (F64) u. */
export function uniform(
  n: number,
  f: number,
  low: number,
  high: number,
  random: Random,
  dtype: "F32" | "F64",
): number[] {
  const out: number[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < f; j++) {
      if (dtype === "F64") out.push(low + (high - low) * random.f64(i, j));
      else out.push(Math.fround(low + Math.fround(high - low) * random.f32(i, j)));
    }
  }
  return out;
}
