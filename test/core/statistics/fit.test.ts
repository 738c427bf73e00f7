import { describe, expect, test } from "bun:test";
import { exponentOf } from "../../../core/statistics/fit.ts";

describe("exponentOf()", () => {
  test("finds the exponent of a power", () => {
    const xs = [1, 2, 4, 8, 16];
    expect(exponentOf(xs, xs.map((x) => 3 * x ** 1.25))).toBeCloseTo(1.25, 12);
    expect(exponentOf(xs, xs.map(() => 7))).toBeCloseTo(0, 12);
  });

  test("is the least-squares line through the logarithms", () => {
    // log2 y = 0, 2, 1 at log2 x = 0, 1, 2: slope 1/2.
    expect(exponentOf([1, 2, 4], [1, 4, 2])).toBeCloseTo(0.5, 12);
  });

  test("is not a number of a single point", () => {
    expect(exponentOf([2], [3])).toBeNaN();
  });
});
