import { describe, expect, test } from "bun:test";
import type { DType } from "../../ffi/dtype.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import * as reference from "../../core/reference/elementwise.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  rounded,
  roundoff,
  tensor,
} from "./_ops.ts";

// Past the grain of one task (32768 elements), with a width that fills no vector.
const n = 9001, f = 7, size = n * f;

describe.each([...realTypes])("%s", (dtype) => {
  // A product and an addition, each rounded once.
  const tolerance = 2 * roundoff[dtype];

  test("axpby() computes alpha * x + beta * y by hand", () => {
    const x = tensor(dtype, [2, 2], [1, 2, 3, 4]), y = tensor(dtype, [2, 2], [10, 20, 30, 40]);
    const out = tensor(dtype, [2, 2]);
    engine.run("axpby", { x, y, out, alpha: 2, beta: -1 });
    expect(numbers(out)).toEqual([-8, -16, -24, -32]);
    engine.run("axpby", { x, out, alpha: 3, beta: 5 });
    expect(numbers(out)).toEqual([3, 6, 9, 12]);
    engine.run("axpby", { x, y, out: y, alpha: 1, beta: 1 });
    expect(numbers(y)).toEqual([11, 22, 33, 44]);
  });

  test("axpby() and mul() match the reference on every thread count and instruction set", () => {
    const a = randoms(size, "x"), b = randoms(size, "y"), out = tensor(dtype, [n, f]);
    const x = tensor(dtype, [n, f], a), y = tensor(dtype, [n, f], b);
    const alpha = 0.375, beta = -1.25; // exact in float32
    expectEverywhere(
      out,
      reference.axpby(alpha, a, beta, b),
      2 * tolerance,
      () => engine.run("axpby", { x, y, out, alpha, beta }),
    );
    expectEverywhere(out, reference.mul(a, b), tolerance, () => engine.run("mul", { x, y, out }));
  });

  test("unary() keeps its special values", () => {
    const cases: [keyof typeof unaryKinds, number, number[], number[]][] = [
      ["exp", 0, [0, -Infinity, Infinity], [1, 0, Infinity]],
      ["log", 0, [1, 0, Infinity], [0, -Infinity, Infinity]],
      ["tanh", 0, [0, Infinity, -Infinity], [0, 1, -1]],
      ["sigmoid", 0, [0, 1000, -1000], [0.5, 1, 0]],
      ["sqrt", 0, [0, 4, 2.25], [0, 2, 1.5]],
      ["reciprocal", 0, [0, 4, -2], [0, 0.25, -0.5]],
      ["power", -0.5, [0, 4, 16], [0, 0.5, 0.25]],
      ["power", 2, [0, -3, 1.5], [0, 9, 2.25]],
      ["power", 0, [0, -3, 1.5], [1, 1, 1]],
      ["abs", 0, [0, -3, 1.5], [0, 3, 1.5]],
      ["sign", 0, [0, -3, 1.5], [0, -1, 1]],
      ["max_scalar", 1, [0, -3, 1.5], [1, 1, 1.5]],
      ["expm1", 0, [0, -Infinity, Infinity], [0, -1, Infinity]],
      ["softplus", 0, [-Infinity, 1000, Infinity], [0, 1000, Infinity]],
      ["normal_cdf", 0, [0, -Infinity, Infinity], [0.5, 0, 1]],
      ["elu", 0, [0, -Infinity, 2], [0, -1, 2]],
      ["gelu", 0, [0, -40, 40], [0, -0, 40]],
      ["silu", 0, [0, -1000, 1000], [0, -0, 1000]],
    ];
    for (const [kind, alpha, from, want] of cases) {
      const x = tensor(dtype, [3], from), out = tensor(dtype, [3]);
      engine.run("unary", { x, out, kind: unaryKinds[kind], alpha });
      expect([kind, ...numbers(out)]).toEqual([kind, ...want]);
    }
    expect(Object.keys(unaryKinds).filter((kind) => !cases.some(([known]) => known === kind))).toEqual([]);
  });

  test("unary() matches the reference for every function", () => {
    const a = randoms(size, "unary"), positive = rounded(dtype, a.map((v) => Math.abs(v) + 0.125));
    const out = tensor(dtype, [n, f]);
    for (const kind of Object.keys(unaryKinds) as (keyof typeof unaryKinds)[]) {
      const from = ["log", "sqrt", "power", "reciprocal"].includes(kind) ? positive : a;
      const x = tensor(dtype, [n, f], from), alpha = kind === "power" ? -0.5 : 0.25;
      // The functions of the C library are good to 1 ulp (tanh 2); sigmoid adds an addition and a division.
      expectEverywhere(
        out,
        reference.unary(kind, from, alpha),
        4 * tolerance,
        () => engine.run("unary", { x, out, kind: unaryKinds[kind], alpha }),
      );
    }
  });

  test("unary() refuses an unknown function", () => {
    const x = tensor(dtype, [1], [1]);
    expect(() => engine.run("unary", { x, out: x, kind: 99, alpha: 0 })).toThrow(
      "unary: unknown function 99",
    );
  });

  test("relu() and relu_backward() pick by the sign of x", () => {
    const x = tensor(dtype, [6], [-2, -0, 0, 3, -Infinity, NaN]), g = tensor(dtype, [6], [1, 2, 3, 4, 5, 6]);
    const out = tensor(dtype, [6, 1]),
      column = { x: tensor(dtype, [6, 1], [-2, -0, 0, 3, -Infinity, NaN]), out };
    engine.run("relu", { ...column, slope: 0 });
    expect(numbers(out).map((v) => v + 0)).toEqual([0, 0, 0, 3, 0, NaN]);
    engine.run("relu", { ...column, slope: 0.5 });
    expect(numbers(out).map((v) => v + 0)).toEqual([-1, 0, 0, 3, -Infinity, NaN]);
    engine.run("relu_backward", { g, x, out, slope: 0 });
    expect(numbers(out)).toEqual([0, 0, 0, 4, 0, 0]);
    engine.run("relu_backward", { g, x, out, slope: 0.5 });
    expect(numbers(out)).toEqual([0.5, 1, 1.5, 4, 2.5, 3]);
  });

  test("relu() and relu_backward() match the reference", () => {
    const a = randoms(size, "x"), b = randoms(size, "g"), out = tensor(dtype, [n, f]);
    const x = tensor(dtype, [n, f], a), g = tensor(dtype, [n, f], b);
    for (const slope of [0, 0.25]) {
      expectEverywhere(out, reference.relu(a, slope), 0, () => engine.run("relu", { x, out, slope }));
      expectEverywhere(
        out,
        reference.reluBackward(b, a, slope),
        0,
        () => engine.run("relu_backward", { g, x, out, slope }),
      );
    }
  });

  test("add_bias(), row_scale() and the broadcasts do a small case by hand", () => {
    const x = tensor(dtype, [2, 3], [1, 2, 3, 4, 5, 6]), out = tensor(dtype, [2, 3]);
    engine.run("add_bias", { x, bias: tensor(dtype, [3], [10, 20, 30]), out });
    expect(numbers(out)).toEqual([11, 22, 33, 14, 25, 36]);
    engine.run("row_scale", { x, scale: tensor(dtype, [2], [10, -1]), out });
    expect(numbers(out)).toEqual([10, 20, 30, -4, -5, -6]);
    engine.run("broadcast_rows", { x: tensor(dtype, [3], [7, 8, 9]), out });
    expect(numbers(out)).toEqual([7, 8, 9, 7, 8, 9]);
    engine.run("broadcast_columns", { x: tensor(dtype, [2], [7, 8]), out });
    expect(numbers(out)).toEqual([7, 7, 7, 8, 8, 8]);
    engine.run("broadcast_scalar", { x: tensor(dtype, [1], [5]), out });
    expect(numbers(out)).toEqual([5, 5, 5, 5, 5, 5]);
    engine.run("add_bias", { x, bias: tensor(dtype, [3], [1, 1, 1]), out: x });
    expect(numbers(x)).toEqual([2, 3, 4, 5, 6, 7]);
    engine.run("row_scale", { x, scale: tensor(dtype, [2], [2, 3]), out: x });
    expect(numbers(x)).toEqual([4, 6, 8, 15, 18, 21]);
  });

  test.each([[9001, 7], [70001, 1], [130, 257], [3, 20011]])(
    "row ops match the reference at %d x %d",
    (rows, cols) => {
      const a = randoms(rows * cols, "x"), row = randoms(cols, "row"), column = randoms(rows, "column");
      const x = tensor(dtype, [rows, cols], a), out = tensor(dtype, [rows, cols]);
      const bias = tensor(dtype, [cols], row), scale = tensor(dtype, [rows], column);
      expectEverywhere(
        out,
        reference.addBias(a, row),
        tolerance,
        () => engine.run("add_bias", { x, bias, out }),
      );
      expectEverywhere(
        out,
        reference.rowScale(a, column, cols),
        tolerance,
        () => engine.run("row_scale", { x, scale, out }),
      );
      expectEverywhere(
        out,
        reference.broadcastRows(row, rows),
        0,
        () => engine.run("broadcast_rows", { x: bias, out }),
      );
      expectEverywhere(
        out,
        reference.broadcastColumns(column, cols),
        0,
        () => engine.run("broadcast_columns", { x: scale, out }),
      );
      const one = tensor(dtype, [1], [0.5]);
      expectEverywhere(
        out,
        new Array(rows * cols).fill(0.5),
        0,
        () => engine.run("broadcast_scalar", { x: one, out }),
      );
    },
  );

  test("column_affine(), put_columns() and take_columns() do a small case by hand", () => {
    const x = tensor(dtype, [2, 3], [1, 2, 3, 4, 5, 6]), out = tensor(dtype, [2, 3]);
    const scale = tensor(dtype, [3], [10, -1, 0]), shift = tensor(dtype, [3], [1, 2, 3]);
    engine.run("column_affine", { x, scale, shift, out });
    expect(numbers(out)).toEqual([11, 0, 3, 41, -3, 3]);
    engine.run("column_affine", { x, scale, out });
    expect(numbers(out).map((v) => v + 0)).toEqual([10, -2, 0, 40, -5, 0]);
    engine.run("column_affine", { x, shift, out });
    expect(numbers(out)).toEqual([2, 4, 6, 5, 7, 9]);
    engine.run("column_affine", { x, out });
    expect(numbers(out)).toEqual([1, 2, 3, 4, 5, 6]);
    const two = tensor(dtype, [2, 2], [7, 8, 9, 10]);
    engine.run("put_columns", { x: two, out, at: 1 });
    expect(numbers(out)).toEqual([1, 7, 8, 4, 9, 10]);
    engine.run("take_columns", { x: out, out: two, at: 0 });
    expect(numbers(two)).toEqual([1, 7, 4, 9]);
    expect(() => engine.run("take_columns", { x: out, out: two, at: 2 })).toThrow("columns 2 + 2");
    expect(() => engine.run("put_columns", { x: two, out, at: -1 })).toThrow("columns -1 + 2");
  });

  test("column_affine(), put_columns() and take_columns() match the reference", () => {
    const a = randoms(size, "x"), scales = randoms(f, "scale"), shifts = randoms(f, "shift");
    const x = tensor(dtype, [n, f], a), out = tensor(dtype, [n, f]);
    const scale = tensor(dtype, [f], scales), shift = tensor(dtype, [f], shifts);
    const run = () => engine.run("column_affine", { x, scale, shift, out });
    expectEverywhere(out, reference.columnAffine(a, scales, shifts, f), 2 * tolerance, run);
    const part = tensor(dtype, [n, 3]), want = reference.takeColumns(a, f, 2, 3);
    expectEverywhere(part, want, 0, () => engine.run("take_columns", { x, out: part, at: 2 }));
    engine.run("fill", { out, value: 0.5 });
    const placed = a.map((v, k) => k % f >= 2 && k % f < 5 ? v : 0.5);
    expectEverywhere(out, placed, 0, () => engine.run("put_columns", { x: part, out, at: 2 }));
  });

  test.each([[0, 3], [3, 0], [0, 0]])("nothing happens at %d x %d", (rows, cols) => {
    const x = tensor(dtype, [rows, cols]), row = tensor(dtype, [cols], randoms(cols, "r"));
    const column = tensor(dtype, [rows], randoms(rows, "c"));
    engine.run("fill", { out: x, value: 1 });
    engine.run("cast", { x, out: x });
    engine.run("axpby", { x, y: x, out: x, alpha: 1, beta: 1 });
    engine.run("mul", { x, y: x, out: x });
    engine.run("unary", { x, out: x, kind: 0, alpha: 0 });
    engine.run("relu", { x, out: x, slope: 0 });
    engine.run("relu_backward", { g: x, x, out: x, slope: 0 });
    engine.run("add_bias", { x, bias: row, out: x });
    engine.run("row_scale", { x, scale: column, out: x });
    engine.run("column_affine", { x, scale: row, shift: row, out: x });
    engine.run("put_columns", { x, out: x, at: 0 });
    engine.run("take_columns", { x, out: x, at: 0 });
    engine.run("broadcast_rows", { x: row, out: x });
    engine.run("broadcast_columns", { x: column, out: x });
    engine.run("broadcast_scalar", { x: tensor(dtype, [1], [1]), out: x });
    expect(numbers(row)).toEqual(randoms(cols, "r"));
    expect(numbers(column)).toEqual(randoms(rows, "c"));
  });
});

test("fill() writes every dtype", () => {
  const want: [DType, number][] = [
    ["F64", 3],
    ["F32", 3],
    ["F16", 0x4200],
    ["BF16", 0x4040],
    ["I64", 3],
    ["I32", 3],
    ["I16", 3],
    ["I8", 3],
    ["U32", 3],
    ["U16", 3],
    ["U8", 3],
    ["BOOL", 3],
  ];
  for (const [dtype, bits] of want) {
    const out = tensor(dtype, [40_001], new Array(40_001).fill(0));
    engine.run("fill", { out, value: 3 });
    expect([dtype, ...new Set(numbers(out))]).toEqual([dtype, bits]);
  }
});

describe("cast()", () => {
  function cast(from: DType, to: DType, values: number[]): number[] {
    const x = tensor(from, [values.length], values), out = tensor(to, [values.length]);
    engine.run("cast", { x, out });
    return numbers(out);
  }

  test("rounds to half precision, ties to even", () => {
    const values = [1, -2, 65504, 65520, 2049, 2051, 2 ** -24, 2 ** -26, Infinity, 0.1];
    const bits = [0x3c00, 0xc000, 0x7bff, 0x7c00, 0x6800, 0x6802, 0x0001, 0x0000, 0x7c00, 0x2e66];
    onEveryIsa(() => expect(cast("F32", "F16", values)).toEqual(bits));
    expect(cast("F64", "F16", values)).toEqual(bits);
    expect(Number.isNaN(cast("F16", "F32", cast("F32", "F16", [NaN]))[0]!)).toBe(true);
  });

  test("rounds to bfloat16, ties to even", () => {
    const values = [
      1,
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
      1 + 2 ** -8 + 2 ** -20,
      -3,
      Infinity,
      3.4028234663852886e38,
    ];
    const bits = [0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xc040, 0x7f80, 0x7f80];
    onEveryIsa(() => expect(cast("F32", "BF16", values)).toEqual(bits));
    expect(Number.isNaN(cast("BF16", "F32", cast("F32", "BF16", [NaN]))[0]!)).toBe(true);
  });

  test("gives every half back unchanged through F32 and F64", () => {
    const finite = Array.from({ length: 65536 }, (_, i) => i).filter((bits) => (bits & 0x7c00) !== 0x7c00);
    for (const wide of realTypes) {
      onEveryIsa(() => expect(cast(wide, "F16", cast("F16", wide, finite))).toEqual(finite));
    }
  });

  test("reads integers", () => {
    const values = integers(1000, -100, 100, "cast"), positive = values.map(Math.abs);
    for (const from of ["I64", "I32", "I16", "I8"] as const) {
      expect(cast(from, "F32", values)).toEqual(values);
    }
    for (const from of ["U32", "U16", "U8"] as const) expect(cast(from, "F64", positive)).toEqual(positive);
  });

  test("converts between F32 and F64, and in tasks", () => {
    const values = randoms(100_003, "cast");
    expect(cast("F32", "F64", values)).toEqual(values);
    expectClose(cast("F64", "F32", values.map((v) => v / 3)), values.map((v) => Math.fround(v / 3)), 0);
  });

  test("refuses an integer result", () => {
    expect(() => cast("F32", "I32", [1])).toThrow("expected F64, F32, F16 or BF16");
  });
});
