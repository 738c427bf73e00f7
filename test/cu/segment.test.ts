import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/segment.ts";
import { reductions } from "../../ffi/ops.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  expectSameOnThreads,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

/** Starts of s segments of up to 2 * length rows; every fourth is empty, segment 1 may be long. */
function segments(s: number, length: number, long = 0): number[] {
  const sizes = integers(s, 0, 2 * length + 1, "sizes").map((d, i) =>
    i % 4 === 0 ? 0 : i === 1 && long ? long : d
  );
  const indptr = [0];
  for (const d of sizes) indptr.push(indptr.at(-1)! + d);
  return indptr;
}

const cases: [string, number[], number][] = [
  ["many short segments", segments(9000, 3), 1],
  ["heads of attention", segments(700, 20), 8],
  ["narrow odd rows", segments(300, 9), 5],
  ["a segment of several chunks", segments(20, 30, 9001), 3],
  ["a long segment of wide rows", segments(6, 4, 4100), 40],
  ["wide rows", segments(40, 6), 333],
  ["one segment", [0, 5000], 17],
];

describe.each([...realTypes])("%s", (dtype) => {
  test("segment ops do a small case by hand", () => {
    const indptr = tensor("I64", [4], [0, 2, 2, 5]),
      x = tensor(dtype, [5, 2], [1, 10, 2, 20, 3, 30, 5, 50, 4, 40]);
    const out = tensor(dtype, [3, 2]), arg = tensor("I64", [3, 2]), rows = tensor(dtype, [5, 2]);
    const reduce = (kind: keyof typeof reductions) => {
      engine.run("segment_reduce", { indptr, x, out, arg, reduce: reductions[kind] });
      return numbers(out);
    };
    expect(reduce("sum")).toEqual([3, 30, 0, 0, 12, 120]);
    expect(reduce("mean")).toEqual([1.5, 15, 0, 0, 4, 40]);
    expect(reduce("min")).toEqual([1, 10, 0, 0, 3, 30]);
    expect(numbers(arg)).toEqual([0, 0, -1, -1, 2, 2]);
    expect(reduce("max")).toEqual([2, 20, 0, 0, 5, 50]);
    expect(numbers(arg)).toEqual([1, 1, -1, -1, 3, 3]);
    engine.run("segment_broadcast", { indptr, x: out, out: rows, mean: 0 });
    expect(numbers(rows)).toEqual([2, 20, 2, 20, 5, 50, 5, 50, 5, 50]);
    engine.run("segment_broadcast", { indptr, x: out, out: rows, mean: 1 });
    expectClose(numbers(rows), [1, 10, 1, 10, 5 / 3, 50 / 3, 5 / 3, 50 / 3, 5 / 3, 50 / 3], roundoff[dtype]);
    const scores = tensor(dtype, [5, 1], [0, 0, 2000, 1000, 2000]);
    const soft = tensor(dtype, [5, 1]);
    engine.run("segment_softmax", { indptr, x: scores, out: soft });
    expect(numbers(soft)).toEqual([0.5, 0.5, 0.5, 0, 0.5]);
  });

  test("segment_reduce() takes the first of equal extrema, and a NaN before any number", () => {
    for (const length of [5, 700]) {
      const values = new Array<number>(3 * length).fill(1);
      values[length + 3] = values[length + 4] = NaN;
      values[2 * length + 2] = values[2 * length + 4] = -0;
      values[2 * length + 3] = 0;
      const indptr = tensor("I64", [4], [0, length, 2 * length, 3 * length]);
      const x = tensor(dtype, [3 * length, 1], values);
      const out = tensor(dtype, [3, 1]), arg = tensor("I64", [3, 1]);
      onEveryIsa(() => {
        engine.run("segment_reduce", { indptr, x, out, arg, reduce: reductions.max });
        expect(numbers(out)).toEqual([1, NaN, 1]);
        expect(numbers(arg)).toEqual([0, length + 3, 2 * length]);
        engine.run("segment_reduce", { indptr, x, out, arg, reduce: reductions.min });
        expect(numbers(out)).toEqual([1, NaN, -0]);
        expect(numbers(arg)).toEqual([0, length + 3, 2 * length + 2]);
      });
    }
  });

  test.each(cases)("segment_reduce() matches the reference with %s", (_, starts, f) => {
    const n = starts.at(-1)!, s = starts.length - 1, values = randoms(n * f, "x");
    const indptr = tensor("I64", [s + 1], starts), x = tensor(dtype, [n, f], values);
    const out = tensor(dtype, [s, f]), arg = tensor("I64", [s, f]);
    const longest = starts.reduce((most, at, i) => Math.max(most, at - (starts[i - 1] ?? 0)), 0);
    for (const reduce of ["sum", "mean"] as const) {
      const want = reference.segmentReduce(starts, values, f, reduce);
      // Partial sums of d terms below 1 stay near sqrt(d), roundings have either sign.
      expectEverywhere(
        out,
        want.out,
        roundoff[dtype] * (longest + 4),
        () => engine.run("segment_reduce", { indptr, x, out, reduce: reductions[reduce] }),
      );
    }
    for (const reduce of ["max", "min"] as const) {
      const want = reference.segmentReduce(starts, values, f, reduce);
      onEveryIsa(() => {
        const run = () => engine.run("segment_reduce", { indptr, x, out, arg, reduce: reductions[reduce] });
        expectSameOnThreads([out, arg], run);
        expectClose(numbers(out), want.out, 0);
        expectClose(numbers(arg), want.arg, 0);
      });
    }
  });

  test.each(cases)(
    "segment_broadcast() and segment_softmax() match the reference with %s",
    (_, starts, f) => {
      const n = starts.at(-1)!,
        s = starts.length - 1,
        perSegment = randoms(s * f, "s"),
        out = tensor(dtype, [n, f]);
      const indptr = tensor("I64", [s + 1], starts), x = tensor(dtype, [s, f], perSegment);
      for (const mean of [0, 1]) {
        const want = reference.segmentBroadcast(starts, perSegment, f, mean === 1);
        expectEverywhere(
          out,
          want,
          roundoff[dtype],
          () => engine.run("segment_broadcast", { indptr, x, out, mean }),
        );
      }
      const values = randoms(n * f, "x").map((v) => v * 8),
        scores = tensor(dtype, [n, f], values);
      // exp is good to 2e-7 in float32, its argument (up to 16) is rounded once, sums are taken in float64.
      const tolerance = dtype === "F32" ? 4e-7 + 18 * roundoff.F32 : (20 + n) * roundoff.F64;
      const want = reference.segmentSoftmax(starts, values, f);
      expectEverywhere(out, want, tolerance, () => engine.run("segment_softmax", { indptr, x: scores, out }));
    },
  );

  test("no segments, empty segments and no width are fine", () => {
    const none = tensor("I64", [1], [0]), two = tensor("I64", [3], [0, 0, 0]);
    const nothing = tensor(dtype, [0, 3]), out = tensor(dtype, [2, 3]);
    engine.run("segment_reduce", { indptr: none, x: nothing, out: nothing, reduce: 0 });
    engine.run("segment_reduce", { indptr: two, x: nothing, out, reduce: reductions.mean });
    expect(numbers(out)).toEqual([0, 0, 0, 0, 0, 0]);
    for (const mean of [0, 1]) engine.run("segment_broadcast", { indptr: two, x: out, out: nothing, mean });
    engine.run("segment_softmax", { indptr: two, x: nothing, out: nothing });
    const thin = tensor(dtype, [4, 0]), one = tensor("I64", [2], [0, 4]);
    engine.run("segment_softmax", { indptr: one, x: thin, out: thin });
    engine.run("segment_reduce", { indptr: one, x: thin, out: tensor(dtype, [1, 0]), reduce: 0 });
    engine.run("segment_broadcast", { indptr: one, x: tensor(dtype, [1, 0]), out: thin, mean: 1 });
  });

  test("rows outside every segment become 0", () => {
    const indptr = tensor("I64", [2], [1, 3]),
      x = tensor(dtype, [4, 1], [9, 1, 1, 9]),
      out = tensor(dtype, [4, 1]);
    engine.run("segment_softmax", { indptr, x, out });
    expect(numbers(out)).toEqual([0, 0.5, 0.5, 0]);
    engine.run("segment_broadcast", { indptr, x: tensor(dtype, [1, 1], [7]), out, mean: 0 });
    expect(numbers(out)).toEqual([0, 7, 7, 0]);
  });
});

test("segment_reduce() refuses an unknown reduction", () => {
  const indptr = tensor("I64", [2], [0, 1]), x = tensor("F32", [1, 1], [1]);
  expect(() => engine.run("segment_reduce", { indptr, x, out: x, reduce: -1 })).toThrow("reduction -1");
});
