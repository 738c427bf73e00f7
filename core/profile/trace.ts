/**
 * A profile in the trace event format of Chrome, for chrome://tracing and Perfetto: one row of epochs, one of ops.
 *
 * Source: "Trace Event Format", the Chromium project, section "Complete Events".
 */
import type { Profiler, TraceEvent } from "./profiler.ts";

/** Microseconds with the nanoseconds that the clock gives. */
const us = (time: number) => Number(time.toFixed(3));

function* eventsOf(profiler: Profiler): Generator<object> {
  const threads = [["epochs", profiler.epochs], ["ops", profiler.ops]] as const;
  for (const [i, [name, events]] of threads.entries()) {
    const at = { pid: 1, tid: i + 1 };
    yield { name: "thread_name", ph: "M", ...at, args: { name } };
    for (const { name, category, startUs, durationUs, args } of events as readonly TraceEvent[]) {
      yield { name, cat: category, ph: "X", ts: us(startUs), dur: us(durationUs), ...at, args };
    }
  }
}

/** Events that are written at once. */
const PIECE = 1000;

/** The trace as JSON, piece by piece. */
export function* traceText(profiler: Profiler): Generator<string> {
  let piece = '{"displayTimeUnit":"ms","traceEvents":[\n', count = 0;
  for (const event of eventsOf(profiler)) {
    piece += (count++ ? ",\n" : "") + JSON.stringify(event);
    if (count % PIECE) continue;
    yield piece;
    piece = "";
  }
  yield piece + "\n]}\n";
}
