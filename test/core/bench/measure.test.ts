import { describe, expect, test } from "bun:test";
import { measure, measureAgainst, statsOf, type Subject } from "../../../core/bench/measure.ts";

/** A clock that only subjects move: each repetition takes what `ms` says. */
function world() {
  let time = 0;
  const log: string[] = [];
  const subject = (name: string, ms: () => number): Subject => ({
    run(repeat) {
      log.push(`${name} ${repeat}`);
      for (let r = 0; r < repeat; r++) time += ms();
    },
  });
  return { now: () => time, log, subject };
}

describe("statsOf()", () => {
  test("gives the median, the least and the distance of the quartiles", () => {
    expect(statsOf([5, 1, 3, 2, 4])).toEqual({ medianMs: 3, minMs: 1, spread: 2 / 3, runs: 5 });
    expect(statsOf([4, 2])).toMatchObject({ medianMs: 3, minMs: 2, runs: 2 });
  });
});

describe("measure()", () => {
  test("takes turns, so that every subject sees the same moments", () => {
    const { now, log, subject } = world();
    const stats = measure([subject("a", () => 2), subject("b", () => 3)], 3, now);
    expect(log).toEqual(["a 1", "b 1", "a 1", "b 1", "a 1", "b 1", "a 1", "b 1"]);
    expect(stats.map((s) => s.medianMs)).toEqual([2, 3]);
    expect(stats.map((s) => s.runs)).toEqual([3, 3]);
  });

  test("repeats short subjects within a run and gives the time of one repetition", () => {
    const { now, log, subject } = world();
    const [stats] = measure([subject("a", () => 1 / 64)], 4, now);
    expect(stats).toEqual({ medianMs: 1 / 64, minMs: 1 / 64, spread: 0, runs: 4 });
    expect(Number(log.at(-1)!.split(" ")[1])).toBeGreaterThanOrEqual(64);
  });

  test("does not count the warm-up", () => {
    const { now, subject } = world();
    const times = [500, 2, 3, 4];
    const [stats] = measure([subject("a", () => times.shift()!)], 3, now);
    expect(stats).toMatchObject({ medianMs: 3, minMs: 2 });
  });
});

describe("measureAgainst()", () => {
  test("gives the limit's times for the subject's work", () => {
    const { now, subject } = world();
    const { stats, limit } = measureAgainst(subject("a", () => 8), subject("limit", () => 2), 3, 2.5, now);
    expect([stats.minMs, limit.minMs, limit.medianMs]).toEqual([8, 5, 5]);
  });

  test("gives a disturbed limit more chances, and an honest one none", () => {
    const { now, subject, log } = world();
    let runs = 0;
    const disturbed = subject("limit", () => ++runs < 6 ? 9 : 3);
    const { limit } = measureAgainst(subject("a", () => 4), disturbed, 3, 1, now);
    expect(limit.minMs).toBe(3);
    const before = log.length;
    measureAgainst(subject("a", () => 4), subject("limit", () => 2), 3, 1, now);
    expect(log.length - before).toBe(8);
  });

  test("gives up where the subject really is faster", () => {
    const { now, subject } = world();
    const { stats, limit } = measureAgainst(subject("a", () => 4), subject("limit", () => 5), 3, 1, now);
    expect(limit.minMs / stats.minMs).toBe(1.25);
  });
});
