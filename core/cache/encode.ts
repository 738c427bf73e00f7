/**
 * Float32 features in fewer bits: bfloat16, or int8 times a scale per row or per column, whichever loses less of these
 * features; and what is lost, measured against float32.
 */
import { dtypes } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import { encodeRows, rowExtremes } from "../../ffi/native_rows.ts";
import type { NewTensor } from "../format/document.ts";

export const cacheDTypes = ["f32", "bf16", "int8"] as const;
export type CacheDType = (typeof cacheDTypes)[number];

/** What storing lost: the largest error, the root of the sum of squared errors over that of squares; 0 of nothing. */
export interface EncodingError {
  readonly max: number;
  readonly rms: number;
}

/** Features as they are written. */
export interface Encoded {
  readonly tensors: readonly NewTensor[];
  /** Of int8: what a scale is of. */
  readonly scaleOf?: "row" | "column";
  /** Absent: nothing was lost. */
  readonly error?: EncodingError;
}

/** Rows in order, some at a time, each piece valid until the next; every call begins anew. */
export type Pieces = () => Iterable<NativeArray<"F32">>;

interface Scales {
  readonly row: NativeArray<"F32"> | null;
  readonly column: NativeArray<"F32"> | null;
}

/** What storing the pieces so loses. */
function errorOf(pieces: Pieces, numCols: number, dtype: "BF16" | "I8", scales: Scales): EncodingError {
  let max = 0, squares = 0, of = 0, row = 0;
  for (const piece of pieces()) {
    const rows = piece.length / numCols;
    const error = encodeRows(piece, numCols, dtype, at(scales, row, rows), null);
    max = Math.max(max, error.max);
    squares += error.squares;
    of += error.of;
    row += rows;
  }
  return { max, rms: of === 0 ? 0 : Math.sqrt(squares / of) };
}

const at = ({ row, column }: Scales, first: number, count: number): Scales => ({
  row: row && row.slice(first, count),
  column,
});

/** Largest absolute values become what 127 stands for. */
function toScales(most: NativeArray<"F32">): void {
  for (let i = 0; i < most.length;) {
    const window = most.window(i);
    for (let k = 0; k < window.length; k++) window[k] = window[k]! / 127;
    i += window.length;
  }
}

/**
 * The tensors "feat" (and its scales) of a matrix that comes in pieces; pieces are read once while the document is
 * written, and once or three times before. Memory: a piece, and 4 bytes per row and column of int8.
 */
export function encoded(pieces: Pieces, numRows: number, numCols: number, as: CacheDType): Encoded {
  const shape = [numRows, numCols];
  if (as === "f32" || numRows * numCols === 0) {
    const dtype = as === "f32" ? "F32" : as === "bf16" ? "BF16" : "I8";
    const data = as === "f32" ? pieces : NativeArray.allocate(dtype, 0);
    const none = as === "int8"
      ? [{
        name: "feat.scale",
        dtype: "F32" as const,
        shape: [numCols],
        data: NativeArray.allocate("F32", numCols),
      }]
      : [];
    return { tensors: [{ name: "feat", dtype, shape, data }, ...none] };
  }
  const written = (dtype: "BF16" | "I8", scales: Scales) =>
    function* (): Generator<NativeArray> {
      let row = 0, room: NativeArray | null = null;
      for (const piece of pieces()) {
        room ??= NativeArray.allocate(dtype, piece.length, false);
        const to = room.slice(0, piece.length), rows = piece.length / numCols;
        encodeRows(piece, numCols, dtype, at(scales, row, rows), to);
        row += rows;
        yield to;
      }
    };
  if (as === "bf16") {
    const none = { row: null, column: null };
    return {
      tensors: [{ name: "feat", dtype: "BF16", shape, data: written("BF16", none) }],
      error: errorOf(pieces, numCols, "BF16", none),
    };
  }
  const row = NativeArray.allocate("F32", numRows), column = NativeArray.allocate("F32", numCols);
  let first = 0;
  for (const piece of pieces()) {
    const rows = piece.length / numCols;
    rowExtremes(piece, numCols, row.slice(first, rows), column);
    first += rows;
  }
  toScales(row);
  toScales(column);
  const ofRow = errorOf(pieces, numCols, "I8", { row, column: null });
  const ofColumn = errorOf(pieces, numCols, "I8", { row: null, column });
  const isByRow = ofRow.rms < ofColumn.rms;
  const scales = isByRow ? { row, column: null } : { row: null, column };
  return {
    tensors: [
      { name: "feat", dtype: "I8", shape, data: written("I8", scales) },
      isByRow
        ? { name: "feat.row_scale", dtype: "F32", shape: [numRows], data: row }
        : { name: "feat.scale", dtype: "F32", shape: [numCols], data: column },
    ],
    scaleOf: isByRow ? "row" : "column",
    error: isByRow ? ofRow : ofColumn,
  };
}

/** Bytes of a number as it is stored. */
export const storedBytes = (as: CacheDType): number =>
  dtypes[({ f32: "F32", bf16: "BF16", int8: "I8" } as const)[as]].size;
