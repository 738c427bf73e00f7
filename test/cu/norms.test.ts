import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/norms.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  integers,
  numbers,
  randoms,
  realTypes,
  rounded,
  roundoff,
  tensor,
} from "./_ops.ts";

/** Starts of s segments of up to 2 * length rows; every fourth is empty, segment 1 may be long. */
function segments(s: number, length: number, long = 0): number[] {
  const indptr = [0];
  integers(s, 0, 2 * length + 1, "sizes").forEach((d, i) =>
    indptr.push(indptr.at(-1)! + (i % 4 === 0 ? 0 : i === 1 && long ? long : d))
  );
  return indptr;
}

const cases: [string, number[], number][] = [
  ["many small graphs", segments(900, 9), 8],
  ["a segment of several pieces", segments(20, 30, 3001), 3],
  ["one segment", [0, 5000], 17],
  ["wide rows", segments(40, 6), 130],
];
const eps = 1e-5;

describe.each([...realTypes])("%s", (dtype) => {
  test("segment_norm() does a small case by hand", () => {
    const indptr = tensor("I64", [4], [0, 2, 2, 5]), x = tensor(dtype, [5, 1], [1, 3, 2, 2, 8]);
    const alpha = tensor(dtype, [1], [0.5]), gamma = tensor(dtype, [1], [2]), beta = tensor(dtype, [1], [10]);
    const mean = tensor(dtype, [3, 1]), moment = tensor(dtype, [3, 1]), out = tensor(dtype, [5, 1]);
    engine.run("segment_norm", { indptr, x, alpha, gamma, beta, mean, moment, out, eps: 0 });
    // means 2 and 4; c = (0, 2) and (0, 0, 6), moments 2 and 12.
    expect(numbers(mean)).toEqual([2, 0, 4]);
    expect(numbers(moment)).toEqual([2, 0, 12]);
    const want = [0, 2 / Math.sqrt(2), 0, 0, 6 / Math.sqrt(12)].map((v) => 10 + 2 * v);
    expectClose(numbers(out), want, 4 * roundoff[dtype]);
  });

  test.each(cases)("segment_norm() and its gradient match the reference with %s", (_, starts, f) => {
    const n = starts.at(-1)!, s = starts.length - 1, whole = s === 1;
    const values = randoms(n * f, "x").map((v) => 3 + v), ups = randoms(n * f, "g");
    const numbersOf = (name: string) => rounded(dtype, randoms(f, name));
    const scales = { alpha: numbersOf("alpha"), gamma: numbersOf("gamma"), beta: numbersOf("beta") };
    const exact = { values: rounded(dtype, values), ups: rounded(dtype, ups) };
    const norm = { f, eps, ...scales };
    const indptr = whole ? null : tensor("I64", [s + 1], starts);
    const x = tensor(dtype, [n, f], values), g = tensor(dtype, [n, f], ups), out = tensor(dtype, [n, f]);
    const [alpha, gamma, beta] = Object.values(scales).map((v) => tensor(dtype, [f], v));
    const perSegment = () => tensor(dtype, [s, f]);
    const mean = perSegment(), moment = perSegment();
    const want = reference.segmentNorm(starts, exact.values, norm);
    const forward = () =>
      engine.run("segment_norm", { indptr, x, alpha, gamma, beta, mean, moment, out, eps });
    // Numbers up to 4, centred by a rounded mean: 4 roundings of size 4 over a deviation of at least 1 / 2 or, in
    // segments of equal rows, of sqrt(eps) = 1 / 300.
    const tolerance = 32 * roundoff[dtype], small = 5000 * roundoff[dtype];
    expectEverywhere(mean, want.mean, tolerance, forward);
    expectEverywhere(moment, want.moment, tolerance, forward);
    expectEverywhere(out, want.out, small, forward);
    const [d_alpha, d_gamma, d_beta] = [perSegment(), perSegment(), perSegment()];
    const grads = reference.segmentNormBackward(starts, exact.values, exact.ups, norm);
    const backward = () =>
      engine.run("segment_norm_backward", {
        indptr,
        x,
        alpha,
        gamma,
        mean,
        moment,
        g,
        out,
        d_alpha,
        d_gamma,
        d_beta,
        eps,
      });
    // Rows of one node at a distance alpha * x from the mean: factors up to 1 / sqrt(eps) again, and sums of n_s terms.
    const longest = starts.reduce((most, at, i) => Math.max(most, at - (starts[i - 1] ?? 0)), 0);
    expectEverywhere(d_beta, grads.dBeta, tolerance * Math.sqrt(longest), backward);
    expectEverywhere(d_gamma, grads.dGamma, small * Math.sqrt(longest), backward);
    expectEverywhere(d_alpha, grads.dAlpha, 8 * small * Math.sqrt(longest), backward);
    expectEverywhere(out, grads.out, 8 * small * Math.sqrt(longest), backward);
  });

  test("absent factors are alpha = gamma = 1 and beta = 0, and rows outside of all segments become 0", () => {
    const indptr = tensor("I64", [2], [1, 3]), x = tensor(dtype, [4, 1], [9, 1, 3, 9]);
    const mean = tensor(dtype, [1, 1]), moment = tensor(dtype, [1, 1]), out = tensor(dtype, [4, 1]);
    engine.run("segment_norm", { indptr, x, mean, moment, out, eps: 0 });
    expect(numbers(out)).toEqual([0, -1, 1, 0]);
    const g = tensor(dtype, [4, 1], [5, 1, 1, 5]);
    const [d_alpha, d_gamma, d_beta] = [1, 1, 1].map(() => tensor(dtype, [1, 1])) as [never, never, never];
    engine.run("segment_norm_backward", {
      indptr,
      x,
      mean,
      moment,
      g,
      out,
      d_alpha,
      d_gamma,
      d_beta,
      eps: 0,
    });
    // A constant gradient changes nothing that is centred: dx = 0; d_alpha = -mean * sum of dc = -2 * 2.
    expect(numbers(out).map((v) => v + 0)).toEqual([0, 0, 0, 0]);
    expect([d_alpha, d_gamma, d_beta].map((t) => numbers(t)[0]! + 0)).toEqual([-4, 0, 2]);
  });

  test("row_normalize() and its gradient match the reference", () => {
    const small = tensor(dtype, [2, 2], [1, 3, 5, 5]), by = tensor(dtype, [2, 2]), one = tensor(dtype, [2]);
    engine.run("row_normalize", { x: small, out: by, inverse: one, eps: 0.25 });
    expectClose(numbers(one), [1 / Math.sqrt(1.25), 2], 2 * roundoff[dtype]);
    expectClose(numbers(by), [-1 / Math.sqrt(1.25), 1 / Math.sqrt(1.25), 0, 0], 2 * roundoff[dtype]);
    for (const [n, f] of [[3000, 16], [40, 700], [70, 3]] as const) {
      const values = rounded(dtype, randoms(n * f, "x")), ups = rounded(dtype, randoms(n * f, "g"));
      const x = tensor(dtype, [n, f], values), g = tensor(dtype, [n, f], ups);
      const out = tensor(dtype, [n, f]), inverse = tensor(dtype, [n]), back = tensor(dtype, [n, f]);
      const want = reference.rowNormalize(values, f, eps);
      const run = () => engine.run("row_normalize", { x, out, inverse, eps });
      // Three numbers may lie close together: deviations down to 1 / 300.
      expectEverywhere(inverse, want.inverse, 300 * roundoff[dtype], run);
      expectEverywhere(out, want.out, 2000 * roundoff[dtype], run);
      const backward = () => engine.run("row_normalize_backward", { g, y: out, inverse, out: back });
      const grads = reference.rowNormalizeBackward(ups, numbers(out), numbers(inverse), f);
      expectEverywhere(back, grads, 600 * roundoff[dtype], backward);
    }
  });

  test("no rows, no segments and no columns are fine", () => {
    for (const [s, n, f] of [[0, 0, 3], [2, 0, 3], [1, 4, 0], [1, 0, 0]] as const) {
      const indptr = tensor("I64", [s + 1], new Array(s + 1).fill(0).map((_, i) => i === s ? n : 0));
      const x = tensor(dtype, [n, f]), inverse = tensor(dtype, [n]);
      const of = () => tensor(dtype, [s, f]);
      const [mean, moment, d_alpha, d_gamma, d_beta] = [of(), of(), of(), of(), of()];
      engine.run("segment_norm", { indptr, x, mean, moment, out: x, eps });
      engine.run("segment_norm_backward", {
        indptr,
        x,
        mean,
        moment,
        g: x,
        out: x,
        d_alpha,
        d_gamma,
        d_beta,
        eps,
      });
      engine.run("row_normalize", { x, out: x, inverse, eps });
      engine.run("row_normalize_backward", { g: x, y: x, inverse, out: x });
      if (n === 0 && s > 0) expect(numbers(d_beta)).toEqual(new Array(s * f).fill(0));
    }
    const x = tensor(dtype, [2, 1]), two = tensor(dtype, [2, 1]);
    const absent = () => engine.run("segment_norm", { x, mean: two, moment: two, out: x, eps });
    expect(absent).toThrow("mean of 2 rows without an indptr");
  });
});
