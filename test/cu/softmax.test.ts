import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/softmax.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  numbers,
  randoms,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

const shapes: [number, number][] = [[2708, 7], [1, 1], [900, 40], [40_000, 1], [5, 3000], [2, 20_011]];

describe.each([...realTypes])("%s", (dtype) => {
  test("log_softmax() of equal and of far apart scores by hand", () => {
    const x = tensor(dtype, [3, 2], [5, 5, 1000, 0, -(2 ** 99), 0]), out = tensor(dtype, [3, 2]);
    engine.run("log_softmax", { x, out });
    expectClose(numbers(out), [-Math.LN2, -Math.LN2, 0, -1000, -(2 ** 99), 0], 2 * roundoff[dtype]);
    engine.run("log_softmax", { x, out: x });
    expect(numbers(x)).toEqual(numbers(out));
  });

  test.each(shapes)("log_softmax() and argmax() match the reference at %d x %d", (n, f) => {
    const values = randoms(n * f, "x").map((v) => v * 8), x = tensor(dtype, [n, f], values);
    const out = tensor(dtype, [n, f]), best = tensor("I32", [n]);
    // exp is good to 2e-7 in float32 and the sum adds nothing in float64: its log moves by as much, and the results
    // (at most about 26 in magnitude) are differences that are rounded twice.
    const tolerance = (dtype === "F32" ? 4e-7 : 4e-15) + 2 * roundoff[dtype];
    expectEverywhere(
      out,
      reference.logSoftmax(values, n, f),
      tolerance,
      () => engine.run("log_softmax", { x, out }),
    );
    expectEverywhere(best, reference.argmax(values, n, f), 0, () => engine.run("argmax", { x, out: best }));
  });

  test("softmax is exact over the whole range of exp", () => {
    // Two scores d apart: log softmax is -log(1 + exp(-d)) and -d - log(1 + exp(-d)).
    const gaps = Array.from({ length: 2000 }, (_, i) => Math.fround(i * 0.06)), n = gaps.length;
    const x = tensor(dtype, [n, 2], gaps.flatMap((d) => [0, -d])), out = tensor(dtype, [n, 2]);
    const want = gaps.flatMap((d) => [-Math.log1p(Math.exp(-d)), -d - Math.log1p(Math.exp(-d))]);
    expectEverywhere(out, want, dtype === "F32" ? 3e-7 : 4e-16, () => engine.run("log_softmax", { x, out }));
  });

  test("a NaN makes its row NaN and no other", () => {
    const x = tensor(dtype, [2, 3], [1, NaN, 2, 1, 1, 1]), out = tensor(dtype, [2, 3]);
    engine.run("log_softmax", { x, out });
    expect(numbers(out).slice(0, 3)).toEqual([NaN, NaN, NaN]);
    expectClose(numbers(out).slice(3), [-Math.log(3), -Math.log(3), -Math.log(3)], 4 * roundoff[dtype]);
  });

  test("argmax() takes the first of equals, passes over NaN, and is -1 without columns", () => {
    const out = tensor("I32", [4]);
    const x = [1, 3, 3, -Infinity, -Infinity, -Infinity, NaN, -5, -7, 0, -1, 0];
    engine.run("argmax", { x: tensor(dtype, [4, 3], x), out });
    expect(numbers(out)).toEqual([1, 0, 1, 0]);
    engine.run("argmax", { x: tensor(dtype, [4, 0]), out });
    expect(numbers(out)).toEqual([-1, -1, -1, -1]);
    engine.run("argmax", { x: tensor(dtype, [0, 4]), out: tensor("I32", [0]) });
    for (const shape of [[0, 4], [4, 0]]) {
      engine.run("log_softmax", { x: tensor(dtype, shape), out: tensor(dtype, shape) });
    }
  });
});
