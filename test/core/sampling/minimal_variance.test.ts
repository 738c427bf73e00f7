/** Probabilities of minimal variance: their sum, their bounds, and that nothing else does better. */
import { describe, expect, test } from "bun:test";
import { drawVariance, minimalVariance } from "../../../core/sampling/minimal_variance.ts";
import { Random } from "../../../core/tensor/rng.ts";

const sum = (x: Float64Array) => x.reduce((a, b) => a + b, 0);
const uniform = (n: number, expected: number) => new Float64Array(n).fill(expected / n);

/** Scores of several shapes: spread out, heavy-tailed, tied, with zeros, almost all zero, tiny and huge. */
const shapes: Record<string, (i: number, u: number) => number> = {
  even: (_, u) => u,
  heavy: (_, u) => (1 - u) ** -2,
  tied: (i) => i % 3 + 1,
  equal: () => 0.25,
  zeros: (i, u) => i % 2 ? u : 0,
  "one of many": (i) => i === 7 ? 3 : 0,
  "all zero": () => 0,
  tiny: (_, u) => u * 1e-300,
  huge: (_, u) => u * 1e300,
  "many sizes": (i, u) => u * 10 ** (i % 40 - 20),
};
const scoresOf = (shape: string, n: number) => {
  const random = new Random({ seed: 3, stream: "test.scores" });
  return Float64Array.from({ length: n }, (_, i) => shapes[shape]!(i, random.f64(i, 0)));
};
const cases = Object.keys(shapes).flatMap((shape) =>
  [1, 13, 2000].flatMap((n) => [0.02, 0.3, 0.97, 1].map((share) => [shape, n, n * share] as const))
);

describe.each(cases)("%s scores, %i items, %d of them", (shape, n, expected) => {
  const scores = scoresOf(shape, n);

  test.each([0.1, 0, 1])("sums to B, within bounds, rises with the scores (floor %d)", (floorShare) => {
    const p = minimalVariance(scores, expected, floorShare);
    expect(Math.abs(sum(p) - expected)).toBeLessThan(1e-9);
    const floor = floorShare * expected / n;
    for (const x of p) {
      expect(x).toBeGreaterThanOrEqual(floor);
      expect(x).toBeLessThanOrEqual(1);
    }
    if (floorShare > 0) expect(Math.min(...p)).toBeGreaterThan(0);
    const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
    for (let k = 1; k < n; k++) {
      const [a, b] = [order[k - 1]!, order[k]!];
      expect(p[b]!).toBeGreaterThanOrEqual(p[a]!);
      if (scores[a] === scores[b]) expect(p[a]).toBe(p[b]!);
    }
    if (expected === n) expect([...p].every((x) => x > 1 - 1e-12)).toBe(true);
  });

  test("varies no more than uniform draws", () => {
    if (shape === "huge" || shape === "tiny") return; // their squares are no numbers
    for (const floorShare of [0, 0.1, 1]) {
      const even = drawVariance(scores, uniform(n, expected));
      expect(drawVariance(scores, minimalVariance(scores, expected, floorShare)))
        .toBeLessThanOrEqual(even * (1 + 1e-12) + 1e-30);
    }
  });
});

test("minimalVariance() is B g / sum g where no item saturates, and the gap to uniform draws is the formula's", () => {
  const scores = scoresOf("even", 500), expected = 40;
  const p = minimalVariance(scores, expected, 0), total = sum(scores);
  p.forEach((x, i) => expect(x).toBeCloseTo(expected * scores[i]! / total, 12));
  // Cong et al. 2020: (sum g)^2 / (B^3 n) |p - B/n|^2 for the sum over n^2.
  const apart = p.reduce((s, x) => s + (x - expected / 500) ** 2, 0);
  const gap = drawVariance(scores, uniform(500, expected)) - drawVariance(scores, p);
  expect(gap).toBeCloseTo(total ** 2 / (expected ** 3 * 500) * apart, 12);
  expect(gap).toBeGreaterThan(1e-4);
});

test("minimalVariance() saturates the largest scores, by hand", () => {
  // B = 2 of (10, 1, 1, 2): the first is certain, the others share 1 by their scores.
  expect([...minimalVariance(Float64Array.of(10, 1, 1, 2), 2, 0)]).toEqual([1, 0.25, 0.25, 0.5]);
  // With the floor 0.6 * 2/4 = 0.3 of two of them, 0.4 is left.
  const floored = minimalVariance(Float64Array.of(10, 1, 1, 2), 2, 0.6);
  [1, 0.3, 0.3, 0.4].forEach((x, i) => expect(floored[i]).toBeCloseTo(x, 14));
});

test("no exchange of probability between two items varies less", () => {
  const scores = scoresOf("heavy", 60), expected = 15, floor = 0.1 * expected / 60;
  const p = minimalVariance(scores, expected), best = drawVariance(scores, p);
  for (let a = 0; a < 60; a++) {
    for (let b = 0; b < 60; b++) {
      const moved = p.slice(), step = Math.min(1e-3, 1 - p[a]!, p[b]! - floor);
      moved[a]! += step;
      moved[b]! -= step;
      expect(drawVariance(scores, moved)).toBeGreaterThanOrEqual(best * (1 - 1e-12));
    }
  }
});

test("minimalVariance() refuses what has no probabilities", () => {
  const scores = Float64Array.of(1, 2, 3);
  expect(() => minimalVariance(scores, 4)).toThrow("4 of 3 items");
  expect(() => minimalVariance(scores, 0)).toThrow("0 of 3 items");
  expect(() => minimalVariance(scores, 1, 2)).toThrow("a floor of 2");
  expect(() => minimalVariance(Float64Array.of(1, -1), 1)).toThrow("score -1");
  expect(() => minimalVariance(Float64Array.of(1, NaN), 1)).toThrow("score NaN");
});
