import { describe, expect, test } from "bun:test";
import { allMetrics, metrics } from "../../../core/metrics/mod.ts";
import type { LinkPredictions } from "../../../core/metrics/predictions.ts";
import { ranksOf, sharedHitsOf } from "../../../core/metrics/ranking.ts";

/** Links and the scores of their own negatives. */
function links(rows: readonly (readonly [number, readonly number[]])[]): LinkPredictions {
  return {
    kind: "links",
    positive: Float32Array.from(rows, ([score]) => score),
    negative: Float32Array.from(rows.flatMap(([, others]) => others)),
    negativesPer: rows[0]![1].length,
  };
}
const compute = (name: string, p: LinkPredictions) => metrics.get(name).compute(p);

// Places 1, 3 and 2.5: one above, one of the same score.
const three = links([[5, [1, 2, 3, 4]], [2, [3, 1, 4, 0]], [0, [0, 1, -1, -2]]]);

describe("by hand", () => {
  test("the place of a link counts what scores higher, and half of what scores the same", () => {
    expect([...ranksOf(three)]).toEqual([1, 3, 2.5]);
    expect([...ranksOf(links([[1, [1, 1, 1, 1]]]))]).toEqual([3]);
  });

  test("MRR is the mean of 1 / place, hits are the share of places up to k", () => {
    expect(compute("mrr", three)).toBeCloseTo((1 + 1 / 3 + 1 / 2.5) / 3, 15);
    expect(compute("hits-at-1", three)).toBeCloseTo(1 / 3, 15);
    expect(compute("hits-at-3", three)).toBe(1);
    expect(compute("hits-at-10", links([[0, Array<number>(20).fill(1)], [2, Array<number>(20).fill(1)]])))
      .toBe(0.5);
  });

  test("places that were counted apart stand in for those among the negatives, any number per link", () => {
    const p = { ...three, ranks: Float64Array.of(1, 2, 4, 4) };
    expect(compute("mrr", p)).toBe(0.5);
    expect(compute("hits-at-3", p)).toBe(0.5);
  });

  test("shared hits are links above the k-th best of all negatives; equals do not count", () => {
    const p = links([[9, [1, 2]], [5, [5, 4]], [6, [8, 3]]]);
    // Negatives 8 5 4 3 2 1: the second best is 5.
    expect(sharedHitsOf(p, 2)).toBeCloseTo(2 / 3, 15);
    expect(sharedHitsOf(p, 1)).toBeCloseTo(1 / 3, 15);
    expect(sharedHitsOf(p, 7)).toBeNaN();
  });

  test("ROC AUC and average precision take all negatives together", () => {
    const p = links([[3, [1]], [1, [2]]]);
    // Pairs: 3 > 1, 3 > 2, 1 = 1 (half), 1 < 2.
    expect(compute("roc-auc", p)).toBe(2.5 / 4);
    // Thresholds 3 (1 of 1), 2, 1 (2 of 4).
    expect(compute("average-precision", p)).toBe((1 + 0.5) / 2);
  });
});

test("what has no order has no score, and neither has nothing", () => {
  for (const p of [links([[NaN, [1]]]), links([[1, [NaN]]])]) {
    expect(new Set(Object.values(allMetrics(p)))).toEqual(new Set([null]));
  }
  const none = {
    kind: "links",
    positive: new Float32Array(),
    negative: new Float32Array(),
    negativesPer: 1,
  } as const;
  expect(new Set(Object.values(allMetrics(none)))).toEqual(new Set([null]));
});
