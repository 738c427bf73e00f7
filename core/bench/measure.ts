/** Timing: warm-up, repeated runs in turn, median, minimum and spread. */
import { finishDevice, memoryUse } from "../../ffi/native.ts";

export interface Stats {
  /** Milliseconds of one repetition. */
  readonly medianMs: number;
  readonly minMs: number;
  /** Distance between the quartiles over the median. */
  readonly spread: number;
  readonly runs: number;
}

/** Bytes that native code holds now, those of a GPU included. */
export function heldNow(): number {
  const { held, device } = memoryUse();
  return held + device;
}

/** Something to time: `run(n)` does it n times. */
export interface Subject {
  run(repeat: number): void;
}

/** Relative distance of the quartiles from which a measurement is called unsteady. */
export const WIDE_SPREAD = 0.25;
/** A run is repeated until it takes this long: a hundred times what starting it and reading the clock cost. */
const RUN_MS = 1;

export function statsOf(times: readonly number[]): Stats {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const medianMs = quantileMid(sorted);
  return { medianMs, minMs: sorted[0]!, spread: (at(0.75) - at(0.25)) / medianMs, runs: sorted.length };
}

function quantileMid(sorted: readonly number[]): number {
  const mid = sorted.length >> 1;
  return sorted.length % 2 ? sorted[mid]! : (sorted[mid - 1]! + sorted[mid]!) / 2;
}

/** Milliseconds since some moment. */
export type Clock = () => number;
const clock: Clock = () => performance.now();

/** Milliseconds of `repeat` repetitions, until a GPU has done them. */
export function timeOf(subject: Subject, repeat: number, now = clock): number {
  const start = now();
  subject.run(repeat);
  finishDevice();
  return now() - start;
}

/** Repetitions that fill a run; the subject is warm afterwards. */
function calibrate(subject: Subject, now: Clock): number {
  for (let repeat = 1;;) {
    const ms = timeOf(subject, repeat, now);
    if (ms >= RUN_MS) return repeat;
    repeat *= Math.max(2, Math.min(16, Math.ceil(RUN_MS / Math.max(ms, 1e-3))));
  }
}

/**
 * Time the subjects `runs` times each, in turn, so that all of them see the same moments of a machine that others use
 * too, after a warm-up of each.
 */
export function measure(
  subjects: readonly Subject[],
  runs: number,
  now = clock,
): Stats[] {
  const repeats = subjects.map((subject) => calibrate(subject, now));
  const times: number[][] = subjects.map(() => []);
  for (let r = 0; r < runs; r++) {
    subjects.forEach((subject, i) => times[i]!.push(timeOf(subject, repeats[i]!, now) / repeats[i]!));
  }
  return times.map(statsOf);
}

/** Times that the limit is measured again where a busy machine kept it from its best. */
const MOST_RETRIES = 8;

/**
 * Time a subject and its limit in turn.
 *
 * @param share  repetitions of the limit that do the subject's work: the limit's times are given for those.
 */
export function measureAgainst(
  subject: Subject,
  limit: Subject,
  runs: number,
  share = 1,
  now?: Clock,
): { stats: Stats; limit: Stats } {
  const [stats, first] = measure([subject, limit], runs, now) as [Stats, Stats];
  let best = first;
  // A limit is what was reached at least once, so more chances make it truer and never flatter the subject.
  for (let retry = 0; retry < MOST_RETRIES && best.minMs * share > stats.minMs; retry++) {
    const again = measure([limit], runs, now)[0]!;
    if (again.minMs < best.minMs) best = again;
  }
  return { stats, limit: { ...best, medianMs: best.medianMs * share, minMs: best.minMs * share } };
}
