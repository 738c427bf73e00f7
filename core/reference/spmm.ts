/** Sparse x dense in plain float64. */
import { forEntries, type PlainCsr } from "./csr.ts";

type Numbers = ArrayLike<number>;

export interface SpmmOptions {
  readonly left?: Numbers | undefined;
  readonly right?: Numbers | undefined;
  readonly diagonal?: Numbers | undefined;
  readonly reduce?: "sum" | "mean" | "max" | "min";
}

/**
 * out[i] = left[i] * reduce over entries of row i of value * right[j] * x[j] + diagonal[i] * x[i], and the number of
 * the winning entry of max and min (-1: none; the first of equals).
 */
export function spmm(
  csr: PlainCsr,
  x: Numbers,
  f: number,
  { left, right, diagonal, reduce = "sum" }: SpmmOptions = {},
): { out: number[]; arg: number[] } {
  const out = new Array<number>(csr.numRows * f).fill(0), arg = new Array<number>(csr.numRows * f).fill(-1);
  const wins = {
    sum: () => false,
    mean: () => false,
    max: (a: number, b: number) => a > b,
    min: (a: number, b: number) => a < b,
  };
  forEntries(csr, (i, j, e) => {
    for (let c = 0; c < f; c++) {
      const k = i * f + c, term = (csr.values?.[e] ?? 1) * (right?.[j] ?? 1) * x[j * f + c]!;
      if (reduce === "sum" || reduce === "mean") out[k]! += term;
      else if (arg[k] === -1 || wins[reduce](term, out[k]!)) {
        out[k] = term;
        arg[k] = e;
      }
    }
  });
  for (let k = 0; k < out.length; k++) {
    const i = Math.floor(k / f);
    if (reduce === "mean") out[k]! /= Math.max(1, csr.indptr[i + 1]! - csr.indptr[i]!);
    out[k] = out[k]! * (left?.[i] ?? 1) + (diagonal ? diagonal[i]! * x[k]! : 0);
  }
  return { out, arg };
}

/** The gradient of max and min to x: out[indices[arg[k]], c] += value * g[k]. */
export function spmmArgBackward(csr: PlainCsr, arg: Numbers, g: Numbers, f: number): number[] {
  const out = new Array<number>(csr.numCols * f).fill(0);
  for (let k = 0; k < arg.length; k++) {
    const e = arg[k]!;
    if (e >= 0) out[csr.indices[e]! * f + k % f]! += (csr.values?.[e] ?? 1) * g[k]!;
  }
  return out;
}

/** left[i] * right[j] * <x[i], y[j]> per entry. */
export function sddmm(
  csr: PlainCsr,
  x: Numbers,
  y: Numbers,
  f: number,
  left?: Numbers,
  right?: Numbers,
): number[] {
  const out = new Array<number>(csr.indices.length).fill(0);
  forEntries(csr, (i, j, e) => {
    let dot = 0;
    for (let c = 0; c < f; c++) dot += x[i * f + c]! * y[j * f + c]!;
    out[e] = dot * (left?.[i] ?? 1) * (right?.[j] ?? 1);
  });
  return out;
}
