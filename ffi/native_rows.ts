/** Rows and columns of feature matrices: what batches and caches are made of. */
import type { Csr } from "../core/graph/csr.ts";
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";

/** Row numbers. */
export type Indices = NativeArray<"I32"> | NativeArray<"I64">;

const code = (array: NativeArray<DType>) => dtypes[array.dtype].code;

/**
 * Rows `index` of a row-major matrix, in that order, same dtype.
 *
 * @param numCols  elements per row; the matrix has array.length / numCols rows.
 * @param out  where they go, index.length * numCols elements; by default a new array.
 * @throws {NativeError} (data) for a row out of range.
 */
export function gatherRows<D extends DType>(
  array: NativeArray<D>,
  numCols: number,
  index: Indices,
  out: NativeArray<D> = NativeArray.allocate(array.dtype, index.length * numCols, false),
): NativeArray<D> {
  checkRoom(out, array.dtype, index.length * numCols);
  const rows = numCols === 0 ? 0 : array.length / numCols;
  if (numCols === 0) return out;
  const rowBytes = numCols * dtypes[array.dtype].size;
  call(
    "gust_rows_gather",
    index.length,
    index.address,
    code(index),
    rows,
    rowBytes,
    array.address,
    out.address,
  );
  return out;
}

/** Where new arrays come from. */
export type Allocate = (dtype: DType, length: number) => NativeArray;
const allocate: Allocate = (dtype, length) => NativeArray.allocate(dtype, length, false);

/** Rows `index` of a CSR matrix as a CSR matrix, in that order. @throws {NativeError} (data) for a row out of range. */
export function gatherCsrRows(csr: Csr, index: Indices, room: Allocate = allocate): Csr {
  const { indptr, numEntries } = gatherIndptr(csr, index, 0, room);
  const indices = room(csr.indices.dtype, numEntries) as Csr["indices"];
  const values = csr.values ? room(csr.values.dtype, numEntries) as Csr["values"] : null;
  gatherEntries(csr.indptr, csr.indices, index, indptr, indices);
  if (csr.values) gatherEntries(csr.indptr, csr.values, index, indptr, values!);
  return { numRows: index.length, numCols: csr.numCols, indptr, indices, values };
}

/** Row pointer of the gathered rows, beginning at `base`. */
export function gatherIndptr(
  csr: Csr,
  index: Indices,
  base = 0,
  room: Allocate = allocate,
): { indptr: NativeArray<"I64">; numEntries: number } {
  const indptr = room("I64", index.length + 1) as NativeArray<"I64">;
  const [numEntries] = callOut(
    1,
    "gust_rows_gather_indptr",
    index.length,
    index.address,
    code(index),
    csr.numRows,
    csr.indptr.address,
    csr.indices.length,
    base,
    indptr.address,
  ) as [number];
  return { indptr, numEntries };
}

/** One array of a CSR matrix (indices or values) for rows whose pointer gatherIndptr() made, into `to`. */
export function gatherEntries(
  fromIndptr: NativeArray<"I64">,
  from: NativeArray<DType>,
  index: Indices,
  toIndptr: NativeArray<"I64">,
  to: NativeArray<DType>,
): void {
  const first = index.length === 0 ? 0 : toIndptr.at(0);
  const last = index.length === 0 ? 0 : toIndptr.at(index.length);
  checkRoom(to, from.dtype, last - first);
  call(
    "gust_rows_gather_entries",
    index.length,
    index.address,
    code(index),
    fromIndptr.address,
    dtypes[from.dtype].size,
    from.address,
    toIndptr.address,
    to.address,
  );
}

/**
 * Rows start .. start + count of a CSR matrix: the row pointer is copied and begins at 0, the entries are not copied.
 * @throws {NativeError} (data) if the row pointer does not rise inside the entries.
 */
export function sliceCsrRows(csr: Csr, start: number, count: number): Csr {
  const window = csr.indptr.slice(start, count + 1);
  const indptr = NativeArray.allocate("I64", count + 1, false);
  call("gust_rows_rebase", count, window.address, csr.indices.length, indptr.address);
  const first = window.at(0), entries = indptr.at(count);
  const slice = <A extends { slice(start: number, count: number): A }>(array: A) =>
    array.slice(first, entries);
  return {
    numRows: count,
    numCols: csr.numCols,
    indptr,
    indices: slice(csr.indices as NativeArray<"I32">),
    values: csr.values && slice(csr.values as NativeArray<"F32">),
  };
}

/** Columns first .. first + count of a row-major matrix into `out`, a matrix of `count` columns of the same dtype. */
export function sliceColumns<D extends DType>(
  array: NativeArray<D>,
  numCols: number,
  first: number,
  count: number,
  out: NativeArray<D>,
): void {
  const { size } = dtypes[array.dtype];
  const rows = numCols === 0 ? 0 : array.length / numCols;
  checkColumns(numCols, first, count);
  checkRoom(out, array.dtype, rows * count);
  call(
    "gust_rows_copy",
    rows,
    count * size,
    array.address + first * size,
    numCols * size,
    out.address,
    count * size,
  );
}

/** Put a matrix of `count` columns into columns first .. first + count of `to`; the number of rows is theirs. */
export function placeColumns<D extends DType>(
  from: NativeArray<D>,
  count: number,
  to: NativeArray<D>,
  numCols: number,
  first: number,
): void {
  const { size } = dtypes[from.dtype];
  checkColumns(numCols, first, count);
  if (count === 0) return;
  const rows = from.length / count;
  checkRoom(to, from.dtype, rows * numCols);
  call(
    "gust_rows_copy",
    rows,
    count * size,
    from.address,
    count * size,
    to.address + first * size,
    numCols * size,
  );
}

function checkRoom(out: NativeArray<DType>, dtype: DType, length: number): void {
  if (out.dtype !== dtype || out.length !== length) {
    throw new RangeError(`room for ${out.length} ${out.dtype}, expected ${length} ${dtype}`);
  }
}

function checkColumns(numCols: number, first: number, count: number): void {
  if (first < 0 || count < 0 || first + count > numCols) {
    throw new RangeError(`columns ${first} + ${count} of ${numCols}`);
  }
}

/** Columns first .. first + count of a CSR matrix (values F32 or ones) as dense rows of `count` in `out`. */
export function csrColumns(csr: Csr, first: number, count: number, out: NativeArray<"F32">): void {
  checkColumns(csr.numCols, first, count);
  if (csr.values && csr.values.dtype !== "F32") {
    throw new TypeError(`values of ${csr.values.dtype}, expected F32`);
  }
  checkRoom(out, "F32", csr.numRows * count);
  call(
    "gust_rows_columns",
    csr.numRows,
    csr.indptr.address,
    csr.indices.length,
    csr.indices.address,
    code(csr.indices),
    csr.values?.address ?? 0,
    first,
    count,
    out.address,
  );
}

/**
 * Mean and 1 / standard deviation (0 for constant columns) of each column over the rows `index`. Two passes in float64:
 * the same numbers for any thread count, and for a column whatever columns are beside it.
 *
 * @throws {NativeError} (data) for a row out of range.
 */
export function columnMoments(array: NativeArray, numCols: number, index: NativeArray<"I64">): {
  mean: NativeArray<"F32">;
  inverseStd: NativeArray<"F32">;
} {
  const mean = NativeArray.allocate("F32", numCols), inverseStd = NativeArray.allocate("F32", numCols);
  if (numCols === 0) return { mean, inverseStd };
  call(
    "gust_rows_moments",
    index.length,
    index.address,
    array.length / numCols,
    numCols,
    code(array),
    array.address,
    mean.address,
    inverseStd.address,
  );
  return { mean, inverseStd };
}

/** counts[row] += how often each row is in `index`. @throws {NativeError} (data) for a row out of range. */
export function countRows(index: Indices, counts: NativeArray<"I64">): void {
  call("gust_rows_count", index.length, index.address, code(index), counts.length, counts.address);
}

/** Counts the distinct rows among all that were added. */
export class DistinctRows {
  private readonly seen: NativeArray<"U8">;
  /** Rows added, distinct ones among them. */
  total = 0;
  distinct = 0;

  constructor(readonly numRows: number) {
    this.seen = NativeArray.allocate("U8", numRows);
  }

  add(index: Indices): void {
    const [fresh] = callOut(
      1,
      "gust_rows_mark",
      index.length,
      index.address,
      code(index),
      this.numRows,
      this.seen.address,
    ) as [number];
    this.total += index.length;
    this.distinct += fresh;
  }
}

/** What rows of a file cost: how many were read, by how many reads. */
export interface RowReads {
  readonly rows: number;
  readonly reads: number;
}

/**
 * Rows `index` of a matrix that lies in a file, in that order: those that `held` has of there, the others of the file.
 *
 * @param file  an open file and the byte at which row 0 begins; out and held have its dtype.
 * @param place  row of `held` where each row of the matrix is, -1: not there.
 * @throws {NativeError} (data) for a row out of range, (io, eof) where the file cannot be read.
 */
export function readRows(
  file: { readonly fd: number; readonly offset: number },
  numCols: number,
  index: Indices,
  place: NativeArray<"I32">,
  held: NativeArray<DType>,
  out: NativeArray<DType>,
): RowReads {
  checkRoom(out, held.dtype, index.length * numCols);
  const [rows, reads] = callOut(
    2,
    "gust_rows_read",
    file.fd,
    file.offset,
    place.length,
    numCols * dtypes[out.dtype].size,
    index.length,
    index.address,
    code(index),
    place.address,
    held.address,
    out.address,
  ) as [number, number];
  return { rows, reads };
}

/** Row to[i] of `target` = row from[i] of `source`; rows have numCols elements and are inside both. */
export function putRows<D extends DType>(
  source: NativeArray<D>,
  from: NativeArray<"I32">,
  target: NativeArray<D>,
  to: NativeArray<"I32">,
  numCols: number,
): void {
  if (from.length !== to.length || source.dtype !== target.dtype) {
    throw new RangeError(`${from.length} rows of ${source.dtype} to ${to.length} of ${target.dtype}`);
  }
  const rowBytes = numCols * dtypes[source.dtype].size;
  call("gust_rows_put", from.length, from.address, to.address, rowBytes, source.address, target.address);
}

/** Largest absolute values of the rows of a matrix into `row`, and of its columns where they exceed those of `column`. */
export function rowExtremes(
  matrix: NativeArray<"F32">,
  numCols: number,
  row: NativeArray<"F32">,
  column: NativeArray<"F32">,
): void {
  checkRoom(matrix, "F32", row.length * numCols);
  checkRoom(column, "F32", numCols);
  call("gust_rows_extremes", row.length, numCols, matrix.address, row.address, column.address);
}

/**
 * A matrix as BF16, or as I8 times a scale per row or per column.
 *
 * @param to  null: only the errors are wanted.
 * @returns the largest absolute error, and the sums of squared errors and of squares.
 */
export function encodeRows(
  matrix: NativeArray<"F32">,
  numCols: number,
  dtype: "BF16" | "I8",
  scale: { readonly row: NativeArray<"F32"> | null; readonly column: NativeArray<"F32"> | null },
  to: NativeArray | null,
): { max: number; squares: number; of: number } {
  const rows = numCols === 0 ? 0 : matrix.length / numCols, out = new Float64Array(3);
  if (to) checkRoom(to, dtype, matrix.length);
  if (scale.row) checkRoom(scale.row, "F32", rows);
  if (scale.column) checkRoom(scale.column, "F32", numCols);
  call(
    "gust_rows_encode",
    rows,
    numCols,
    matrix.address,
    dtypes[dtype].code,
    scale.row?.address ?? 0,
    scale.column?.address ?? 0,
    to?.address ?? 0,
    out,
  );
  return { max: out[0]!, squares: out[1]!, of: out[2]! };
}
