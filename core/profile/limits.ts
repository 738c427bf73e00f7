/**
 * How long what a profile counted would take at the machine's limits, measured by loops that share nothing with the ops
 * (../bench/limits.ts).
 *
 * A call is bound by what it streams, by the rows it reads by index, and by its arithmetic; the longest of the three is
 * the limit, as if the others hid behind it. What a call streams may lie in a cache, so it is held against reading as
 * few bytes again and again: no op reaches more.
 */
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import {
  arithmeticLimit,
  type Limit,
  limitWorkers,
  readLimit,
  rowGatherLimit,
  streamLimit,
} from "../bench/limits.ts";
import { measure } from "../bench/measure.ts";
import type { Csr } from "../graph/csr.ts";
import type { GatherPattern, OpRow, Profiler } from "./profiler.ts";

export interface MachineLimits {
  /** Bytes per nanosecond of a stream of at least `bytes` in all, smallest first. */
  readonly reads: readonly { readonly bytes: number; readonly rate: number }[];
  /** Bytes per nanosecond through arrays far larger than the caches, writing included. */
  readonly stream: number;
  /** Floating-point operations per nanosecond. */
  readonly arithmetic: number;
  /** Bytes per nanosecond of rows read by index. */
  readonly gathers: ReadonlyMap<GatherPattern, number>;
}

/** Bytes that each worker reads: of the second-level cache, and on to memory. */
const PER_WORKER = [2 ** 18, 2 ** 20, 2 ** 22, 2 ** 24, 2 ** 26];
/** Reading less often than this many bytes takes no time that a clock can tell. */
const READ_BYTES = 2 ** 24;
const RUNS = 3;
/** Patterns that are measured, the ones that take most time first; of each, indices up to a number. */
const MOST_PATTERNS = 8;
const MOST_INDICES = 2 ** 20;

/** The best rate that a limit was seen to reach. */
function ratesOf(limits: readonly Limit[]): number[] {
  const stats = measure(limits, RUNS);
  return limits.map(({ bytes, flops }, i) => (bytes ?? flops)! / (1e6 * stats[i]!.minMs));
}

function gatherRate({ tableRows, rowBytes }: GatherPattern, handle: TensorHandle): number {
  const count = Math.min(handle.rows, MOST_INDICES);
  const indices = hostArray(handle).slice(0, count) as Csr["indices"];
  return ratesOf([rowGatherLimit({ indices, numCols: tableRows }, rowBytes)])[0]!;
}

/** Measure what a profile has to be held against; the engine that it watches must live. */
export function measureLimits({ patterns }: Profiler): MachineLimits {
  const workers = limitWorkers();
  const reads = PER_WORKER.map((size) => readLimit(workers, size, Math.max(1, READ_BYTES / size)));
  const [stream, arithmetic, ...rates] = ratesOf([streamLimit(), arithmeticLimit(), ...reads]);
  const slowest = [...patterns.values()].toSorted((a, b) => b.ns - a.ns).slice(0, MOST_PATTERNS);
  const gathers = slowest.flatMap((pattern) => {
    const { indices } = pattern;
    return indices && indices.rows > 0 ? [[pattern, gatherRate(pattern, indices)] as const] : [];
  });
  return {
    reads: PER_WORKER.map((size, i) => ({ bytes: workers * size, rate: rates[i]! })),
    stream: stream!,
    arithmetic: arithmetic!,
    gathers: new Map(gathers),
  };
}

/** Bytes per nanosecond that a stream of `bytes` reaches at most. */
function streamRate({ reads, stream }: MachineLimits, bytes: number): number {
  const level = reads.findLast((read) => read.bytes <= bytes) ?? reads[0]!;
  return Math.max(level.rate, stream);
}

/** Nanoseconds that the calls of a row would take at the limits. */
export function limitNs(limits: MachineLimits, { streamed, gathered, flops }: OpRow): number {
  let streamNs = 0, gatherNs = 0;
  for (const [size, bytes] of streamed) streamNs += bytes / streamRate(limits, size);
  for (const [pattern, bytes] of gathered) {
    const rate = limits.gathers.get(pattern) ?? streamRate(limits, pattern.tableRows * pattern.rowBytes);
    gatherNs += bytes / rate;
  }
  return Math.max(streamNs, gatherNs, flops / limits.arithmetic);
}
