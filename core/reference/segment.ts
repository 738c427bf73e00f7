/** Ranges of rows in plain float64. A reduction is `spmm` with the rows themselves as columns. */
import type { PlainCsr } from "./csr.ts";
import { spmm, type SpmmOptions } from "./spmm.ts";

type Numbers = ArrayLike<number>;

export function segmentReduce(indptr: Numbers, x: Numbers, f: number, reduce: SpmmOptions["reduce"] = "sum") {
  const rows = indptr[indptr.length - 1]!;
  const csr: PlainCsr = {
    numRows: indptr.length - 1,
    numCols: rows,
    indptr,
    indices: Array.from({ length: rows }, (_, i) => i),
  };
  return spmm(csr, x, f, { reduce });
}

/** The row of each segment for each of its rows, divided by the segment's length if `mean`. */
export function segmentBroadcast(indptr: Numbers, x: Numbers, f: number, mean: boolean): number[] {
  const out: number[] = [];
  for (let s = 0; s + 1 < indptr.length; s++) {
    const length = indptr[s + 1]! - indptr[s]!;
    for (let i = 0; i < length; i++) {
      for (let c = 0; c < f; c++) out.push(x[s * f + c]! / (mean ? length : 1));
    }
  }
  return out;
}

/** Softmax inside each segment, column by column. */
export function segmentSoftmax(indptr: Numbers, x: Numbers, f: number): number[] {
  const out = new Array<number>(x.length).fill(0);
  for (let s = 0; s + 1 < indptr.length; s++) {
    for (let c = 0; c < f; c++) {
      let top = -Infinity, sum = 0;
      for (let i = indptr[s]!; i < indptr[s + 1]!; i++) top = Math.max(top, x[i * f + c]!);
      for (let i = indptr[s]!; i < indptr[s + 1]!; i++) sum += Math.exp(x[i * f + c]! - top);
      for (let i = indptr[s]!; i < indptr[s + 1]!; i++) out[i * f + c] = Math.exp(x[i * f + c]! - top) / sum;
    }
  }
  return out;
}
