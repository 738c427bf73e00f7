import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/gather.ts";
import {
  engine,
  expectEverywhere,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

const shapes: [number, number, number][] = [
  [9000, 2000, 1],
  [3000, 40, 7],
  [500, 100, 16],
  [300, 9, 33],
  [50, 700, 130],
  [20_000, 3, 5], // every output row has more items than one thread adds
  [40, 10, 1024],
];

describe.each([...realTypes])("%s", (dtype) => {
  test("gather() and scatter_add() leave negative indices out, by hand", () => {
    const x = tensor(dtype, [3, 2], [1, 2, 3, 4, 5, 6]), index = tensor("I64", [4], [2, -1, 0, 2]);
    const out = tensor(dtype, [4, 2]), back = tensor(dtype, [4, 2]);
    engine.run("gather", { x, index, out });
    expect(numbers(out)).toEqual([5, 6, 0, 0, 1, 2, 5, 6]);
    engine.run("scatter_add", { x: out, index, out: back });
    expect(numbers(back)).toEqual([1, 2, 0, 0, 10, 12, 0, 0]);
  });

  test.each(shapes)("gather() and scatter_add() match the reference at n = %d, m = %d, f = %d", (n, m, f) => {
    const index = integers(n, -1, m, "index"), values = randoms(n * f, "x");
    const from = tensor(
      dtype,
      [m, f],
      values.slice(0, m * f).concat(randoms(Math.max(0, (m - n) * f), "more")),
    );
    const items = tensor(dtype, [n, f], values), out = tensor(dtype, [n, f]), back = tensor(dtype, [m, f]);
    const wantRows = reference.gather(numbers(from), f, index);
    const wantSums = reference.scatterAdd(values, f, index, m);
    // d terms below 1: partial sums stay near sqrt(d), roundings have either sign.
    const tolerance = roundoff[dtype] * (8 + 2 * n / m);
    for (const type of ["I32", "I64"] as const) {
      const at = tensor(type, [n], index);
      expectEverywhere(out, wantRows, 0, () => engine.run("gather", { x: from, index: at, out }));
      expectEverywhere(
        back,
        wantSums,
        tolerance,
        () => engine.run("scatter_add", { x: items, index: at, out: back }),
      );
    }
  });

  test("gather() converts what is stored in other types", () => {
    for (const f of [1, 5, 16, 40]) {
      const whole = integers(30 * f, 0, 100, "whole"),
        index = tensor("I32", [50], integers(50, -1, 30, "index"));
      const exact = tensor("F32", [30, f], whole), out = tensor(dtype, [50, f]);
      const want = reference.gather(whole, f, numbers(index));
      for (const stored of ["F16", "BF16", "F32", "F64"] as const) {
        const x = tensor(stored, [30, f]);
        engine.run("cast", { x: exact, out: x });
        expectEverywhere(out, want, 0, () => engine.run("gather", { x, index, out }));
      }
      for (const stored of ["U8", "I8"] as const) {
        const x = tensor(stored, [30, f], whole);
        expectEverywhere(out, want, 0, () => engine.run("gather", { x, index, out }));
      }
    }
  });

  test("no items, no rows and no width are fine", () => {
    const none = tensor("I32", [0]), out = tensor(dtype, [2, 3]);
    engine.run("gather", { x: tensor(dtype, [4, 3]), index: none, out: tensor(dtype, [0, 3]) });
    engine.run("scatter_add", { x: tensor(dtype, [0, 3]), index: none, out });
    expect(numbers(out)).toEqual([0, 0, 0, 0, 0, 0]);
    engine.run("scatter_add", { x: tensor(dtype, [0, 3]), index: none, out: tensor(dtype, [0, 3]) });
    const nowhere = tensor("I32", [2], [-1, -1]);
    engine.run("gather", { x: tensor(dtype, [0, 3]), index: nowhere, out });
    expect(numbers(out)).toEqual([0, 0, 0, 0, 0, 0]);
    const one = tensor("I32", [1], [0]), thin = tensor(dtype, [1, 0]);
    engine.run("gather", { x: thin, index: one, out: thin });
    engine.run("scatter_add", { x: thin, index: one, out: thin });
  });
});

test.each(["I64", "I32", "I16", "U8", "BF16"] as const)("gather() moves %s as it is", (dtype) => {
  // Single elements, rows of a few, and rows of several cache lines that begin anywhere in one.
  for (const f of [1, 6, 333]) {
    const values = integers(20 * f, 0, 120, "x"), index = [3, -1, 19, 0, 3];
    const x = tensor(dtype, [20, f], values), out = tensor(dtype, [5, f]), at = tensor("I32", [5], index);
    onEveryIsa(() => {
      engine.run("gather", { x, index: at, out });
      expect(numbers(out)).toEqual(reference.gather(values, f, index));
    });
  }
});

test("gather() refuses a conversion it does not know", () => {
  const x = tensor("I64", [1, 1], [1]), index = tensor("I32", [1], [0]), out = tensor("F32", [1, 1]);
  expect(() => engine.run("gather", { x, index, out })).toThrow("are converted");
});
