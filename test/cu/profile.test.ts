/** Times of ops: which ran, in which order, and none where nobody asked. */
import { describe, expect, test } from "bun:test";
import { Engine, type OpCall } from "../../ffi/engine.ts";
import { startOpTimes, stopOpTimes, takeOpTimes } from "../../ffi/native_profile.ts";
import { NativeError, openNative } from "../../ffi/native.ts";
import { type OpName, opNames } from "../../ffi/ops.ts";

await openNative();

interface Taken {
  readonly op: OpName;
  readonly start: number;
  readonly duration: number;
}

function taken(engine: Engine): Taken[] {
  const all: Taken[] = [];
  takeOpTimes(engine, (op, start, duration) => all.push({ op: opNames[op]!, start, duration }));
  return all;
}

/** An engine, and two ops on it. */
function world() {
  const engine = new Engine(), arena = engine.arena();
  const x = arena.tensor("F32", [100, 8]), sums = arena.tensor("F32", [8]);
  const body = () => {
    engine.run("fill", { out: x, value: 1 });
    engine.run("column_sum", { x, out: sums });
  };
  return { engine, x, body };
}

describe("op times", () => {
  test("are kept from the start to the stop, of single ops and of replays, in order and one after another", () => {
    const { engine, body } = world();
    body();
    startOpTimes(engine);
    const program = engine.record(body);
    program.replay();
    stopOpTimes(engine);
    body();
    const times = taken(engine);
    expect(times.map(({ op }) => op)).toEqual(["fill", "column_sum", "fill", "column_sum"]);
    for (const [i, { start, duration }] of times.entries()) {
      expect(duration).toBeGreaterThanOrEqual(0);
      if (i) expect(start).toBeGreaterThanOrEqual(times[i - 1]!.start + times[i - 1]!.duration);
    }
    expect(taken(engine)).toEqual([]);
    engine.destroy();
  });

  test("are handed over in pieces, whatever their number, and a new start drops them", () => {
    const { engine, body } = world();
    const program = engine.record(body);
    startOpTimes(engine);
    for (let i = 0; i < 5000; i++) program.replay();
    expect(taken(engine).length).toBe(10_000);
    program.replay();
    startOpTimes(engine);
    body();
    expect(taken(engine).length).toBe(2);
    engine.destroy();
  });

  test("leave an op out that failed", () => {
    const { engine, x, body } = world();
    startOpTimes(engine);
    const program = engine.record(body);
    taken(engine);
    expect(() => engine.run("fill", { out: { ...x, slot: 12345 }, value: 1 })).toThrow(NativeError);
    program.replay();
    expect(taken(engine).length).toBe(2);
    engine.destroy();
  });
});

test("an observer hears of every op what it was for, and of a replay what was recorded", () => {
  const { engine, body } = world();
  const seen: OpCall[] = [], replays: (readonly OpCall[])[] = [];
  engine.observer = { onRun: (call) => seen.push(call), onReplay: (calls) => replays.push(calls) };
  const program = engine.inPhase("score", () => engine.record(body));
  engine.run("fill", { out: engine.arena().tensor("F32", [2]), value: 0 });
  program.replay();
  expect(seen.map(({ op, phase }) => [op, phase])).toEqual([
    ["fill", "score"],
    ["column_sum", "score"],
    ["fill", "input"],
  ]);
  expect(replays).toEqual([seen.slice(0, 2)]);
  engine.destroy();
});
