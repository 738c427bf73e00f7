import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/reduce.ts";
import { engine, expectEverywhere, numbers, randoms, realTypes, roundoff, tensor } from "./_ops.ts";

const shapes: [number, number][] = [
  [9001, 7], // narrow, many chunks of rows
  [70_001, 1],
  [1000, 64],
  [130, 257],
  [3, 40_007], // one row is more than one task
  [5, 15],
  [5, 16],
  [1, 1],
];

describe.each([...realTypes])("%s", (dtype) => {
  test("column_sum(), row_sum(), row_dot() and total_sum() do a small case by hand", () => {
    const x = tensor(dtype, [2, 3], [1, 2, 3, 4, 5, 6]), y = tensor(dtype, [2, 3], [1, 0, -1, 2, 2, 2]);
    const columns = tensor(dtype, [3]), rows = tensor(dtype, [2]), one = tensor(dtype, [1]);
    engine.run("column_sum", { x, out: columns });
    expect(numbers(columns)).toEqual([5, 7, 9]);
    engine.run("row_sum", { x, out: rows });
    expect(numbers(rows)).toEqual([6, 15]);
    engine.run("row_dot", { x, y, out: rows });
    expect(numbers(rows)).toEqual([-2, 30]);
    engine.run("total_sum", { x, out: one });
    expect(numbers(one)).toEqual([21]);
  });

  test.each(shapes)("sums match the reference at %d x %d", (n, f) => {
    const a = randoms(n * f, "x"), b = randoms(n * f, "y");
    const x = tensor(dtype, [n, f], a), y = tensor(dtype, [n, f], b);
    const columns = tensor(dtype, [f]), rows = tensor(dtype, [n]), one = tensor(dtype, [1]);
    // Terms below 1 in magnitude, added in at least 16 lanes: k terms lose at most k / 16 + 4 roundings of a partial
    // sum that stays below sqrt(k) in practice; sums over chunks are taken in float64.
    const tolerance = (terms: number) => roundoff[dtype] * (Math.min(terms, 40_007) / 16 + 8) * 4;
    expectEverywhere(
      columns,
      reference.columnSum(a, f),
      tolerance(n),
      () => engine.run("column_sum", { x, out: columns }),
    );
    expectEverywhere(
      rows,
      reference.rowDot(n, f, a),
      tolerance(f),
      () => engine.run("row_sum", { x, out: rows }),
    );
    expectEverywhere(
      rows,
      reference.rowDot(n, f, a, b),
      tolerance(f),
      () => engine.run("row_dot", { x, y, out: rows }),
    );
    // Accumulated in float64: one rounding at the end for F32.
    const total = dtype === "F32" ? 2 * roundoff.F32 : n * f * roundoff.F64;
    expectEverywhere(one, [reference.totalSum(a)], total, () => engine.run("total_sum", { x, out: one }));
  });

  test("total_sum() of float32 does not lose small terms", () => {
    const n = 100_000, x = tensor(dtype, [n + 1, 1], [2 ** 24, ...new Array<number>(n).fill(1)]);
    const one = tensor(dtype, [1]);
    engine.run("total_sum", { x, out: one });
    expect(numbers(one)).toEqual([2 ** 24 + n]);
  });

  test("sums over nothing are 0", () => {
    const tall = tensor(dtype, [3, 0]), wide = tensor(dtype, [0, 3]);
    const columns = tensor(dtype, [3]), rows = tensor(dtype, [3]), one = tensor(dtype, [1]);
    engine.run("column_sum", { x: wide, out: columns });
    engine.run("column_sum", { x: tall, out: tensor(dtype, [0]) });
    engine.run("row_sum", { x: tall, out: rows });
    expect([...numbers(columns), ...numbers(rows)]).toEqual([0, 0, 0, 0, 0, 0]);
    engine.run("row_dot", { x: tall, y: tall, out: rows });
    engine.run("total_sum", { x: wide, out: one });
    expect([...numbers(rows), ...numbers(one)]).toEqual([0, 0, 0, 0]);
  });
});
