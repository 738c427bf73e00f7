/** The machine's limits: loops that do nothing but what they measure. Callers take the time. */
import { dtypes } from "./dtype.ts";
import { call, type NativeArray } from "./native.ts";

/** The sums that keep the loops from being optimised away may be any 64-bit number. */
const unused = new BigInt64Array(1);

/** a = b + 3 c: 12 bytes per element move between memory and the cores. */
export function triad(a: NativeArray<"F32">, b: NativeArray<"F32">, c: NativeArray<"F32">): void {
  if (a.length !== b.length || a.length !== c.length) {
    throw new RangeError(`triad() of arrays of ${a.length}, ${b.length} and ${c.length} elements`);
  }
  call("gust_roofline_triad", a.address, b.address, c.address, a.length);
}

/** Every worker reads its own `bytesPerWorker` (a multiple of 512) of `data` `passes` times. */
export function readPasses(data: NativeArray<"U8">, bytesPerWorker: number, passes: number): void {
  const workers = call("gust_num_threads");
  if (workers * bytesPerWorker > data.length) {
    throw new RangeError(
      `${workers} workers read ${bytesPerWorker} bytes each of an array of ${data.length}`,
    );
  }
  call("gust_roofline_read", data.address, bytesPerWorker, passes, unused);
}

/**
 * Read the first `read` bytes of `from` and, in step with it, write the first `write` bytes of `to`, `passes` times;
 * both are multiples of 64.
 *
 * @param ahead  bytes to prefetch ahead, 0 = none.
 * @param past  store past the caches.
 */
export function passOver(
  from: NativeArray<"U8">,
  read: number,
  to: NativeArray<"U8">,
  write: number,
  { ahead, past, passes }: { ahead: number; past: boolean; passes: number },
): void {
  if (read > from.length || write > to.length) {
    throw new RangeError(`a pass over ${read} and ${write} bytes of ${from.length} and ${to.length}`);
  }
  call("gust_roofline_pass", from.address, read, to.address, write, ahead, Number(past), passes, unused);
}

/**
 * Read whole rows of a table in the order of `indices`, `passes` times.
 *
 * @param indices  row numbers; the caller knows that they are rows of the table.
 * @param piece  bytes of a row that are read at once: runs of rows are read piece by piece.
 * @param ahead  rows to prefetch a piece of, 0 = none.
 * @param level  the cache that pieces are prefetched into, 1 or 2.
 */
export function gatherRows(
  indices: NativeArray<"I32"> | NativeArray<"I64">,
  table: NativeArray<"U8">,
  rowBytes: number,
  piece: number,
  ahead: number,
  level: number,
  passes: number,
): void {
  const { code } = dtypes[indices.dtype];
  call(
    "gust_roofline_gather",
    indices.address,
    code,
    indices.length,
    table.address,
    rowBytes,
    piece,
    ahead,
    level,
    passes,
    unused,
  );
}

/** Copy bytes at .. at + piece - 1 of every row of a table to `packed`, row after row. */
export function packRows(
  table: NativeArray<"U8">,
  rowBytes: number,
  piece: number,
  at: number,
  packed: NativeArray<"U8">,
): void {
  const rows = table.length / rowBytes;
  if (!Number.isInteger(rows) || packed.length < rows * piece) {
    throw new RangeError(`packRows() of ${rows} rows of ${piece} bytes into ${packed.length} bytes`);
  }
  call("gust_roofline_pack", table.address, rows, rowBytes, piece, at, packed.address);
}

/** Multiply-adds of float32 in registers on every worker; returns the floating-point operations done. */
export function multiplyAdd(rounds: number): number {
  const out = new BigInt64Array(1);
  call("gust_roofline_multiply_add", rounds, out);
  return Number(out[0]);
}
