/** What sparse kernels ask of the memory system (cu/common/tuning.h); no result depends on it. */
import { call } from "./native.ts";

export interface Tuning {
  /** Cache level that rows to come are prefetched into: 1 or 2. */
  readonly prefetchLevel: number;
  /** Cache lines that are on their way. */
  readonly linesAhead: number;
  /** Dense matrices beyond this size are multiplied in packed column tiles of at most this size; 0: never. */
  readonly tileBytes: number;
}

function read(): [level: number, lines: number, tile: number, lastLevel: number] {
  const out = new BigInt64Array(4);
  call("gust_tuning", out);
  return Array.from(out, Number) as ReturnType<typeof read>;
}

/** What is in force. */
export function getTuning(): Tuning {
  const [prefetchLevel, linesAhead, tileBytes] = read();
  return { prefetchLevel, linesAhead, tileBytes };
}

/** Bytes of the last-level cache, 0 if unknown. */
export function lastLevelCache(): number {
  return read()[3];
}

/** @throws {NativeError} (invalid) naming the setting that is out of range. */
export function setTuning({ prefetchLevel, linesAhead, tileBytes }: Tuning): void {
  call("gust_set_tuning", prefetchLevel, linesAhead, tileBytes);
}
