/** Functions of sparse matrices in plain float64. */

type Numbers = ArrayLike<number>;

/** A CSR matrix of plain numbers; `values` absent: ones. */
export interface PlainCsr {
  readonly numRows: number;
  readonly numCols: number;
  readonly indptr: Numbers;
  readonly indices: Numbers;
  readonly values?: Numbers | undefined;
}

/** Call f(i, j, e) for every entry in order. */
export function forEntries(csr: PlainCsr, f: (i: number, j: number, e: number) => void): void {
  for (let i = 0; i < csr.numRows; i++) {
    for (let e = csr.indptr[i]!; e < csr.indptr[i + 1]!; e++) f(i, csr.indices[e]!, e);
  }
}

/** The transpose; order[e'] is the number of the old entry. Entries of a row come in the order of the old rows. */
export function transpose(csr: PlainCsr): { indptr: number[]; indices: number[]; order: number[] } {
  const columns: [number, number][][] = Array.from({ length: csr.numCols }, () => []);
  forEntries(csr, (i, j, e) => columns[j]!.push([i, e]));
  const indptr = [0];
  for (const column of columns) indptr.push(indptr.at(-1)! + column.length);
  const entries = columns.flat();
  return { indptr, indices: entries.map(([i]) => i), order: entries.map(([, e]) => e) };
}

/**
 * The transpose of the listed rows alone: every column's listed rows, numbered as in the matrix, in the order of the list;
 * order[e'] is the number of the old entry.
 */
export function sliceTransposed(
  csr: PlainCsr,
  rows: Numbers,
): { indptr: number[]; indices: number[]; order: number[] } {
  const columns: [number, number][][] = Array.from({ length: csr.numCols }, () => []);
  for (const i of Array.from(rows)) {
    for (let e = csr.indptr[i]!; e < csr.indptr[i + 1]!; e++) columns[csr.indices[e]!]!.push([i, e]);
  }
  const indptr = [0];
  for (const column of columns) indptr.push(indptr.at(-1)! + column.length);
  const entries = columns.flat();
  return { indptr, indices: entries.map(([i]) => i), order: entries.map(([, e]) => e) };
}

/** Sum of |value|^power per row; power 0 counts. */
export function rowSum(csr: PlainCsr, power: number): number[] {
  const out = new Array<number>(csr.numRows).fill(0);
  forEntries(csr, (i, _, e) => out[i]! += power === 0 ? 1 : Math.abs(csr.values?.[e] ?? 1) ** power);
  return out;
}

/** left[i] * value * right[j] per entry. */
export function scale(csr: PlainCsr, left?: Numbers, right?: Numbers): number[] {
  const out = new Array<number>(csr.indices.length).fill(0);
  forEntries(csr, (i, j, e) => out[e] = (csr.values?.[e] ?? 1) * (left?.[i] ?? 1) * (right?.[j] ?? 1));
  return out;
}

/** The dense matrix, row-major; duplicates add up. */
export function toDense(csr: PlainCsr): number[] {
  const out = new Array<number>(csr.numRows * csr.numCols).fill(0);
  forEntries(csr, (i, j, e) => out[i * csr.numCols + j]! += csr.values?.[e] ?? 1);
  return out;
}
