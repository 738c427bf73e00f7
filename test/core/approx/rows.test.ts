import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bestRows, drawnRows, overlapOf, usefulRows } from "../../../core/approx/rows.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { constant } from "../../../core/tensor/tensor.ts";
import { engine } from "../../cu/_ops.ts";

const scratch = engine.arena();
const best = (scores: readonly number[], k: number) => {
  const { rows, list, weights } = bestRows(
    engine,
    scratch,
    constant(scratch, "F32", [scores.length], scores).handle,
    k,
  );
  expect([list!.rows, weights]).toEqual([rows.length, null]);
  return [...rows];
};

describe("bestRows()", () => {
  test("takes the largest scores, of equals the first, in order of their numbers", () => {
    expect(best([1, 5, 3, 5, 2], 3)).toEqual([1, 2, 3]);
    expect(best([4, 4, 4, 4], 2)).toEqual([0, 1]);
    expect(best([1, 2], 2)).toEqual([0, 1]);
  });

  test("takes none where none is asked for", () => {
    expect(best([0, 0], 0)).toEqual([]);
    expect(best([], 0)).toEqual([]);
  });
});

test("usefulRows() counts scores above 0; what is not a number is none", () => {
  const count = (...scores: number[]) =>
    usefulRows(engine, scratch, constant(scratch, "F32", [scores.length], scores).handle);
  expect([count(0, 3, 0, 1e-30), count(0, 0), count(), count(NaN, 1)]).toEqual([2, 0, 0, 0]);
});

describe("drawnRows()", () => {
  const draw = (scores: readonly number[], k: number, seed = 0) =>
    drawnRows(
      constant(scratch, "F32", [scores.length], scores).handle,
      k,
      new Random({ seed, stream: "rows" }),
    );

  test("a row counts times drawn / (k p)", () => {
    const scores = [1, 0, 2, 5], k = 400, { rows, weights } = draw(scores, k);
    expect([...rows]).toEqual([0, 2, 3]);
    expect(weights![1]).toBe(0);
    const times = [...rows].map((i) => weights![i]! * k * scores[i]! / 8);
    expect(times.reduce((a, b) => a + b, 0)).toBeCloseTo(k, 3);
    // Within five standard deviations of k p.
    times.forEach((count, t) => {
      const p = scores[rows[t]!]! / 8;
      expect(Math.abs(count - k * p)).toBeLessThan(5 * Math.sqrt(k * p * (1 - p)));
    });
    expect([...draw(scores, k).weights!]).toEqual([...weights!]);
    expect([...draw(scores, k, 1).weights!]).not.toEqual([...weights!]);
  });

  test("no scores, no rows", () => {
    for (const scores of [[0, 0], [], [NaN]]) expect(draw(scores, 3).rows.length).toBe(0);
  });
});

test("overlapOf() is what two sets have in common over their union", () => {
  expect(overlapOf(Int32Array.of(1, 2, 5), Int32Array.of(2, 5, 7, 9))).toBe(2 / 5);
  expect(overlapOf(new Int32Array(0), new Int32Array(0))).toBe(1);
  const rows = fc.uniqueArray(fc.nat(30)).map((list) => Int32Array.from(list).sort());
  fc.assert(fc.property(rows, rows, (a, b) => {
    const common = [...a].filter((i) => b.includes(i)).length, either = new Set([...a, ...b]).size;
    expect(overlapOf(a, b)).toBe(either === 0 ? 1 : common / either);
  }));
});
