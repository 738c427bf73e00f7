import { describe, expect, test } from "bun:test";
import { mean, std } from "../../../core/statistics/moments.ts";
import { normalTails } from "../../../core/statistics/normal.ts";
import {
  holm,
  meanDifference,
  pairedTest,
  signFlipTest,
  wilcoxonTest,
} from "../../../core/statistics/paired.ts";
import { studentBound } from "../../../core/statistics/student.ts";

test("mean() and std() by hand", () => {
  expect([mean([1, 2, 6]), std([1, 2, 6])]).toEqual([3, Math.sqrt((4 + 1 + 9) / 2)]);
  expect([mean([]), std([]), std([7])]).toEqual([NaN, NaN, 0]);
});

test("studentBound() gives the tabulated values", () => {
  // Two-sided points of the t distribution, to the digits that tables print.
  for (
    const [confidence, df, bound] of [
      [0.95, 1, 12.7062047364],
      [0.95, 2, 4.3026527299],
      [0.95, 4, 2.7764451052],
      [0.95, 9, 2.2621571627],
      [0.99, 10, 3.1692726726],
      [0.95, 100, 1.9839715184],
      [0.5, 1, 1],
    ] as const
  ) {
    expect(studentBound(confidence, df)).toBeCloseTo(bound, 9);
  }
  expect(() => studentBound(1, 3)).toThrow("confidence is 1");
  expect(() => studentBound(0.9, 0)).toThrow("df is 0");
});

test("normalTails() gives the tabulated values, and both formulas agree where they meet", () => {
  expect(normalTails(0)).toBe(1);
  for (
    const [z, p] of [
      [1, 0.31731050786291415],
      [-1.959963984540054, 0.05],
      [2.5758293035489004, 0.01],
      [3, 0.0026997960632601866],
      [5, 5.733031437583866e-7],
      [8, 1.244192114854357e-15],
    ] as const
  ) {
    // The series loses what 1 - sum cancels: 1e-16 over the value; the fraction is exact to rounding.
    expect(Math.abs(normalTails(z) / p - 1)).toBeLessThan(1e-11);
  }
  expect(Math.abs(normalTails(3 - 1e-12) / normalTails(3) - 1)).toBeLessThan(1e-10);
});

describe("signFlipTest()", () => {
  test("gives Fisher's result for Darwin's maize", () => {
    // The Design of Experiments, section 21: 863 of 32768 patterns reach 314 on each side.
    const differences = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48];
    expect(signFlipTest(differences)).toEqual({ test: "sign-flip", p: 2 * 863 / 32768 });
  });

  test("of n equal differences is 2 / 2^n, of zeros 1, and does not depend on rounding", () => {
    expect(signFlipTest([0.1, 0.1, 0.1, 0.1]).p).toBe(2 / 16);
    expect(signFlipTest([0, 0, 0]).p).toBe(1);
    // 0.1 + 0.2 - 0.3 is not 0 in binary: the pattern counts as equal all the same.
    expect(signFlipTest([0.1, 0.2, -0.3]).p).toBe(1);
    expect(signFlipTest([3]).p).toBe(1);
  });

  test("takes twenty pairs, no more", () => {
    expect(signFlipTest(new Array(20).fill(1)).p).toBe(2 ** -19);
    expect(() => signFlipTest(new Array(21).fill(1))).toThrow("21 pairs, expected at most 20");
  });
});

describe("wilcoxonTest()", () => {
  test("agrees with the textbook's depression scores", () => {
    // Hollander, Wolfe and Chicken, table 3.1: V = 40 of 45, z = (40 - 22.5 - 0.5) / sqrt(71.25).
    const before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
    const after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    const { p } = wilcoxonTest(before.map((x, i) => x - after[i]!));
    expect(p).toBeCloseTo(normalTails(17 / Math.sqrt(71.25)), 12);
    expect(p).toBeCloseTo(0.0440, 4);
  });

  test("shares ranks among ties, and leaves zeros out", () => {
    // Ranks 2 2 2 4, positive 8 of 10; variance 7.5 - (27 - 3) / 48 = 7.
    expect(wilcoxonTest([1, 1, -1, 2, 0]).p).toBeCloseTo(normalTails(2.5 / Math.sqrt(7)), 12);
    expect(wilcoxonTest([0, 0]).p).toBe(1);
    expect(wilcoxonTest([1, -1]).p).toBe(1);
  });
});

test("pairedTest() is exact up to 20 pairs", () => {
  const alternating = (n: number) => Array.from({ length: n }, (_, i) => (i % 3) - 0.9);
  expect(pairedTest(alternating(20)).test).toBe("sign-flip");
  expect(pairedTest(alternating(21)).test).toBe("wilcoxon");
});

test("meanDifference() by hand", () => {
  const { mean: center, low, high } = meanDifference([1, 2, 3, 4, 5], 0.95);
  // 3 +- 2.7764451 * sqrt(2.5 / 5)
  expect([center, low, high].map((x) => Number(x!.toFixed(5)))).toEqual([3, 1.03676, 4.96324]);
  expect(meanDifference([2], 0.95)).toEqual({ mean: 2, low: null, high: null });
});

test("holm() multiplies the smallest by the number of tests, and never falls", () => {
  expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});
