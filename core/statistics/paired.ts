/** Whether the mean of paired differences is 0: tests over seeds. */
import { mean, std } from "./moments.ts";
import { normalTails } from "./normal.ts";
import { studentBound } from "./student.ts";

/** The most pairs that the exact test takes: 2^20 sign patterns. */
export const EXACT_PAIRS = 20;

export interface TestResult {
  readonly test: "sign-flip" | "wilcoxon";
  /** Two-sided. */
  readonly p: number;
}

/**
 * Exact paired permutation test: if the two of each pair are exchangeable, every pattern of signs of the differences is
 * equally likely; p is the share of the 2^n patterns whose sum is at least as far from 0.
 * Source: Fisher 1935, The Design of Experiments, section 21. Cost: O(2^n).
 *
 * @throws {RangeError} for more than EXACT_PAIRS differences.
 */
export function signFlipTest(differences: readonly number[]): TestResult {
  const n = differences.length;
  if (n > EXACT_PAIRS) throw new RangeError(`${n} pairs, expected at most ${EXACT_PAIRS}`);
  const total = differences.reduce((sum, d) => sum + Math.abs(d), 0);
  // Sums in another order differ by rounding: below n units in the last place of the sum of magnitudes.
  const reached = Math.abs(differences.reduce((sum, d) => sum + d, 0)) - total * 1e-13;
  let count = 0;
  const walk = (i: number, sum: number) => {
    if (i === n) {
      if (Math.abs(sum) >= reached) count++;
      return;
    }
    walk(i + 1, sum + differences[i]!);
    walk(i + 1, sum - differences[i]!);
  };
  walk(0, 0);
  return { test: "sign-flip", p: count / 2 ** n };
}

/**
 * Wilcoxon's signed-rank test by the normal approximation with continuity and tie corrections; differences of 0 are left
 * out. p is 1 where all are 0. Source: Wilcoxon 1945; Hollander, Wolfe and Chicken 2014, section 3.1.
 */
export function wilcoxonTest(differences: readonly number[]): TestResult {
  const kept = differences.filter((d) => d !== 0).sort((a, b) => Math.abs(a) - Math.abs(b));
  const n = kept.length;
  if (n === 0) return { test: "wilcoxon", p: 1 };
  let positive = 0, ties = 0;
  for (let i = 0; i < n;) {
    let j = i;
    while (j < n && Math.abs(kept[j]!) === Math.abs(kept[i]!)) j++;
    const size = j - i, rank = (i + 1 + j) / 2;
    ties += size ** 3 - size;
    for (; i < j; i++) if (kept[i]! > 0) positive += rank;
  }
  const variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
  const distance = Math.max(0, Math.abs(positive - n * (n + 1) / 4) - 0.5);
  return { test: "wilcoxon", p: Math.min(1, normalTails(distance / Math.sqrt(variance))) };
}

/** The exact test for few pairs, else Wilcoxon's. */
export function pairedTest(differences: readonly number[]): TestResult {
  return differences.length <= EXACT_PAIRS ? signFlipTest(differences) : wilcoxonTest(differences);
}

/** Mean of the differences with its confidence interval by Student's t (normal differences assumed). */
export function meanDifference(
  differences: readonly number[],
  confidence: number,
): { mean: number; low: number | null; high: number | null } {
  const n = differences.length, center = mean(differences);
  if (n < 2) return { mean: center, low: null, high: null };
  const half = studentBound(confidence, n - 1) * std(differences) / Math.sqrt(n);
  return { mean: center, low: center - half, high: center + half };
}

/**
 * p values adjusted for having made all of these tests.
 * Source: Holm 1979, A simple sequentially rejective multiple test procedure.
 */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => ps[a]! - ps[b]!);
  const adjusted = new Array<number>(ps.length);
  let most = 0;
  order.forEach((index, rank) => {
    most = Math.max(most, Math.min(1, (ps.length - rank) * ps[index]!));
    adjusted[index] = most;
  });
  return adjusted;
}
