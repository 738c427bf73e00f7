/** Where a reader's bytes come from, and the raw arrays inside them: unpacking, byte order, element types. */
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, cString, NativeArray, NativeError } from "./native.ts";

const closed = new FinalizationRegistry<number>((handle) => {
  if (handle) call("gust_mapping_close", handle);
});

/** Spools up to this stay in memory, where no less is asked for. */
export const SPOOL_BYTES = 64 * 2 ** 20;

const compressions = ["none", "gzip", "zstd"] as const;

/** The bytes of a file or of standard input, unpacked where they are gzip or zstd; freed when collected. */
export class Source {
  private constructor(
    handle: number,
    readonly address: number,
    readonly sizeBytes: number,
    /** How they were packed. */
    readonly compression: (typeof compressions)[number],
    /** For messages: the path as given, or "standard input". */
    readonly label: string,
  ) {
    closed.register(this, handle);
  }

  /**
   * Map a file, or spool what is no regular file: in memory up to `spoolBytes`. `path` null is standard input.
   *
   * @throws {NativeError} (io) with the system's text, (data) for a broken or truncated packed stream.
   */
  static open(path: string | null, spoolBytes = SPOOL_BYTES): Source {
    if (path === "") throw new NativeError("io", "the file name is empty");
    const [handle, address, size, packed] = callOut(
      4,
      "gust_source_open",
      cString(path ?? ""),
      spoolBytes,
    ) as [
      number,
      number,
      number,
      number,
    ];
    return new Source(handle, address, size, compressions[packed]!, path ?? "standard input");
  }

  /** All bytes; they keep the source alive. */
  bytes(): NativeArray<"U8"> {
    return NativeArray.at("U8", this.sizeBytes, this.address, this);
  }

  /** The first bytes: at most `most`. */
  head(most: number): Uint8Array {
    return this.bytes().window(0, Math.min(most, this.sizeBytes));
  }
}

/** Lines, words, and blank lines at the end; lines that begin with % are left out. Stops past `mostLines`. */
export function textShape(
  source: Source,
  mostLines: number,
): { lines: number; words: number; blankAtEnd: number } {
  const [lines, words, blankAtEnd] = callOut(
    3,
    "gust_text_shape",
    source.address,
    source.sizeBytes,
    mostLines,
  ) as [number, number, number];
  return { lines, words, blankAtEnd };
}

/**
 * Unpack a member of a zip file.
 *
 * @throws {NativeError} (data) if it is damaged or unpacks to another size, (eof) if it ends early.
 */
export function unzip(
  packed: NativeArray<"U8">,
  isDeflated: boolean,
  crc32: number,
  sizeBytes: number,
): NativeArray<"U8"> {
  const bytes = NativeArray.allocate("U8", sizeBytes, false);
  call("gust_unzip", packed.address, packed.length, isDeflated ? 1 : 0, crc32, bytes.address, sizeBytes);
  return bytes;
}

/** Reverse the bytes of each element, in place. */
export function swapBytes(array: NativeArray): void {
  call("gust_swap_bytes", array.address, array.length, dtypes[array.dtype].size);
}

/** The row-major transpose of a row-major (rows, cols) matrix. */
export function transpose<D extends DType>(
  matrix: NativeArray<D>,
  rows: number,
  cols: number,
): NativeArray<D> {
  if (matrix.length !== rows * cols) {
    throw new RangeError(`transpose of ${rows} x ${cols}, but ${matrix.length} elements`);
  }
  const out = NativeArray.allocate(matrix.dtype, matrix.length, false);
  call("gust_transpose", matrix.address, rows, cols, dtypes[matrix.dtype].size, out.address);
  return out;
}

/**
 * Elements as another type; the same array where it is that type already.
 *
 * @returns the array, or the position of the first element that the integer type cannot hold.
 */
export function convert<D extends "F64" | "F32" | "I64" | "I32">(
  array: NativeArray,
  dtype: D,
): NativeArray<D> | number {
  if (array.dtype === dtype) return array as unknown as NativeArray<D>;
  const out = NativeArray.allocate(dtype, array.length, false);
  const [bad] = callOut(
    1,
    "gust_convert",
    array.address,
    dtypes[array.dtype].code,
    array.length,
    out.address,
    dtypes[dtype].code,
  ) as [number];
  return bad >= 0 ? bad : out;
}

/** Rows of `rowLength` elements, gathered. */
export function selectRows<D extends DType>(
  matrix: NativeArray<D>,
  rowLength: number,
  rows: NativeArray<"I64">,
): NativeArray<D> {
  const out = NativeArray.allocate(matrix.dtype, rows.length * rowLength, false);
  call(
    "gust_rows_select",
    matrix.address,
    rowLength * dtypes[matrix.dtype].size,
    rows.address,
    rows.length,
    out.address,
  );
  return out;
}
