import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/reduce.ts";
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

const shapes: [number, number][] = [[9001, 7], [70_001, 1], [1000, 128], [130, 1025], [3, 40_007], [5, 16]];

describe.each([...realTypes])("%s", (dtype) => {
  test("row_norm() does a small case by hand, with scales and without", () => {
    const x = tensor(dtype, [3, 2], [3, -4, 0, 0, -5, 12]), out = tensor(dtype, [3]);
    engine.run("row_norm", { x, out });
    expect(numbers(out)).toEqual([5, 0, 13]);
    engine.run("row_norm", { x, scale: tensor(dtype, [3], [2, 7, 0.5]), out });
    expect(numbers(out)).toEqual([10, 0, 6.5]);
  });

  test.each(shapes)("row_norm() matches the reference at %d x %d", (n, f) => {
    const a = randoms(n * f, "x"), b = randoms(n, "scale"), out = tensor(dtype, [n]);
    const x = tensor(dtype, [n, f], a), scale = tensor(dtype, [n], b);
    // Sums are taken in float64, in at least 16 lanes from 16 terms on, and the root halves their error: for F32 one
    // rounding is left. Norms stay below sqrt(f).
    const tolerance = dtype === "F32" ? 2 * roundoff.F32 : roundoff.F64 * (f / 16 + 16);
    expectEverywhere(out, reference.rowNorm(n, f, a), tolerance, () => engine.run("row_norm", { x, out }));
    const scaled = reference.rowNorm(n, f, a, b);
    expectEverywhere(out, scaled, tolerance, () => engine.run("row_norm", { x, scale, out }));
  });

  test("row_norm() keeps what is not a number, and gives 0 for rows of no columns", () => {
    const out = tensor(dtype, [2]);
    engine.run("row_norm", { x: tensor(dtype, [2, 2], [NaN, 1, -Infinity, 2]), out });
    expect(numbers(out)).toEqual([NaN, Infinity]);
    engine.run("row_norm", { x: tensor(dtype, [2, 0]), out });
    expect(numbers(out)).toEqual([0, 0]);
    engine.run("row_norm", { x: tensor(dtype, [0, 2]), out: tensor(dtype, [0]) });
  });
});

test("row_norm() of float32 numbers whose squares float32 cannot hold", () => {
  const out = tensor("F32", [2]);
  engine.run("row_norm", { x: tensor("F32", [2, 2], [3e30, -4e30, 3e-30, 4e-30]), out });
  expectClose(numbers(out).map((v, i) => v / [5e30, 5e-30][i]!), [1, 1], 4 * roundoff.F32);
});

describe.each(["F16", "BF16"] as const)("%s", (stored) => {
  test.each([[300, 7], [77, 16], [40, 130], [3, 1500]])(
    "row_norm() of %d x %d is that of the same numbers",
    (n, f) => {
      const wide = tensor("F32", [n, f], randoms(n * f, "x")),
        x = tensor(stored, [n, f]),
        out = tensor("F32", [n]);
      engine.run("cast", { x: wide, out: x });
      engine.run("cast", { x, out: wide });
      const scale = randoms(n, "scale"), want = reference.rowNorm(n, f, numbers(wide), scale);
      const args = { x, scale: tensor("F32", [n], scale), out };
      expectEverywhere(out, want, 2 * roundoff.F32, () => engine.run("row_norm", args));
    },
  );

  test("row_norm() refuses a result in float64", () => {
    expect(() => engine.run("row_norm", { x: tensor(stored, [1, 1]), out: tensor("F64", [1]) }))
      .toThrow("expected F64 for F64, else F32");
  });
});
