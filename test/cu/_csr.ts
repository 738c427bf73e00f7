/** For tests of sparse ops: random CSR matrices, and their tensors. */
import type { TensorHandle } from "../../ffi/engine.ts";
import type { PlainCsr } from "../../core/reference/csr.ts";
import { integers, randoms, type Real, tensor } from "./_ops.ts";

export interface Shape {
  readonly n: number;
  readonly m: number;
  /** Mean degree; every fifth row is empty. */
  readonly degree: number;
  /** Length of row 1: above 4096 it is added in chunks. */
  readonly hub?: number;
}

/** A random matrix with empty rows, duplicates and values in [-1, 1). */
export function randomCsr({ n, m, degree, hub }: Shape): Required<PlainCsr> & { values: number[] } {
  const degrees = integers(n, 0, 2 * degree + 1, "degrees").map((d, i) =>
    i % 5 === 0 ? 0 : i === 1 && hub ? hub : d
  );
  const indptr = [0];
  for (const d of degrees) indptr.push(indptr.at(-1)! + d);
  const nnz = indptr.at(-1)!;
  return {
    numRows: n,
    numCols: m,
    indptr,
    indices: integers(nnz, 0, m, "indices"),
    values: randoms(nnz, "values"),
  };
}

export function patternTensors(
  csr: PlainCsr,
  index: "I32" | "I64",
): { indptr: TensorHandle; indices: TensorHandle } {
  return {
    indptr: tensor("I64", [csr.indptr.length], csr.indptr),
    indices: tensor(index, [csr.indices.length], csr.indices),
  };
}

export const vector = (dtype: Real, values: readonly number[]) => tensor(dtype, [values.length], values);

/** Entries of the longest row. */
export function maxDegree(csr: PlainCsr): number {
  let most = 0;
  for (let i = 0; i < csr.numRows; i++) most = Math.max(most, csr.indptr[i + 1]! - csr.indptr[i]!);
  return most;
}
