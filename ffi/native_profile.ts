/** The times of ops, kept by the native interpreter while a profile is asked for. */
import { call } from "./native.ts";
import type { Engine } from "./engine.ts";

/** Ops that are handed over at once. */
const PIECE = 4096;
const WORDS = 3;

/** Keep the times of every op that runs on the engine from now on, counted from now. */
export function startOpTimes({ context }: Engine): void {
  call("gust_profile_start", context);
}

/** Stop keeping times. */
export function stopOpTimes({ context }: Engine): void {
  call("gust_profile_stop", context);
}

/**
 * Take the times that were kept since the last call, in the order in which the ops ran.
 *
 * @param visit  gets the op's number in the table, and its start and duration in nanoseconds.
 */
export function takeOpTimes(
  { context }: Engine,
  visit: (op: number, startNs: number, durationNs: number) => void,
): void {
  const words = new BigInt64Array(PIECE * WORDS);
  for (let count = PIECE; count === PIECE;) {
    count = call("gust_profile_take", context, PIECE, words);
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      visit(Number(words[at]), Number(words[at + 1]), Number(words[at + 2]));
    }
  }
}
