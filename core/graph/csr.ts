/** A sparse matrix in memory: compressed sparse rows over native arrays. */
import { type DType, dtypes } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";

/**
 * (numRows, numCols) with row = destination: `indices[indptr[v] .. indptr[v+1])` are the columns of row v, ascending.
 * `values` null means ones.
 */
export interface Csr {
  readonly numRows: number;
  readonly numCols: number;
  readonly indptr: NativeArray<"I64">;
  readonly indices: NativeArray<"I32"> | NativeArray<"I64">;
  readonly values: NativeArray<"F32"> | NativeArray<"F64"> | null;
}

/** Stored entries. */
export function nnz(a: Csr): number {
  return a.indices.length;
}

/** The dtype that indices below `count` take: I32 while they fit. */
export function indexDType(count: number): "I32" | "I64" {
  return count <= 2 ** 31 - 1 ? "I32" : "I64";
}

/** Bytes of the arrays. */
export function csrBytes(a: Csr): number {
  const size = (x: NativeArray<DType>) => x.length * dtypes[x.dtype].size;
  return size(a.indptr) + size(a.indices) + (a.values ? size(a.values) : 0);
}

/** Small matrices from plain arrays: for tests and fixtures. `rows[v]` lists the columns of row v. */
export function csrFromRows(
  rows: readonly (readonly number[])[],
  numCols = rows.length,
  values?: readonly number[],
): Csr {
  const indptr = new BigInt64Array(rows.length + 1);
  rows.forEach((row, v) => indptr[v + 1] = indptr[v]! + BigInt(row.length));
  return {
    numRows: rows.length,
    numCols,
    indptr: NativeArray.from<"I64">(indptr),
    indices: NativeArray.from<"I32">(Int32Array.from(rows.flat())),
    values: values ? NativeArray.from<"F32">(Float32Array.from(values)) : null,
  };
}
