import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/gemm.ts";
import { activationKinds } from "../../ffi/ops.ts";
import { testDevice } from "../_device.ts";
import {
  bytes,
  engine,
  expectClose,
  expectEverywhere,
  expectSameOnThreads,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  type Real,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

function operands(dtype: Real, { m, n, k, transA, transB }: reference.Shape) {
  const a = randoms(m * k, "a"), b = randoms(k * n, "b");
  return {
    a,
    b,
    args: {
      a: tensor(dtype, transA ? [k, m] : [m, k], a),
      b: tensor(dtype, transB ? [n, k] : [k, n], b),
      trans_a: Number(transA),
      trans_b: Number(transB),
    },
  };
}

/**
 * Products have standard deviation 1/3, so the partial sum of l of them is near sqrt(l) / 3 and each addition is off
 * by at most that times u: together u * sqrt(sum of l / 9) = u * k / 4.2, and entries lie within two of those.
 */
const tolerance = (dtype: Real, k: number) => roundoff[dtype] * (4 + k / 2);

describe.each([...realTypes])("gemm() %s", (dtype) => {
  test("multiplies 2 x 3 by 3 x 2 by hand, in all four orientations", () => {
    const rows = [1, 2, 3, 4, 5, 6], columns = [1, 4, 2, 5, 3, 6]; // (2, 3) and its transpose
    const right = [1, 0, 2, 1, 0, 3], rightT = [1, 2, 0, 0, 1, 3]; // (3, 2) and its transpose
    for (const trans_a of [0, 1]) {
      for (const trans_b of [0, 1]) {
        const a = trans_a ? tensor(dtype, [3, 2], columns) : tensor(dtype, [2, 3], rows);
        const b = trans_b ? tensor(dtype, [2, 3], rightT) : tensor(dtype, [3, 2], right);
        const out = tensor(dtype, [2, 2], [NaN, NaN, NaN, NaN]);
        engine.run("gemm", { a, b, out, trans_a, trans_b, alpha: 1, beta: 0 });
        expect(numbers(out)).toEqual([5, 11, 14, 23]);
        engine.run("gemm", { a, b, out, trans_a, trans_b, alpha: 2, beta: -1 });
        expect(numbers(out)).toEqual([5, 11, 14, 23]);
      }
    }
  });

  // One tile; blocks of rows; ragged columns; panels of columns; chunks of the inner dimension, the result made
  // transposed; both; one number; rows that share a set of the cache; half vectors, whole and ragged; tall tiles of
  // sums over many rows; so few steps that the right factor stays in registers; no small extent, which is the library's.
  const sizes: [number, number, number][] = [
    [5, 6, 7],
    [2708, 7, 16],
    [9001, 17, 17],
    [600, 1100, 9],
    [16, 7, 40_001],
    [300, 8, 4099],
    [1, 1, 9000],
    [100, 13, 1024],
    [901, 8, 17],
    [901, 3, 17],
    [5, 3, 9000],
    [16, 16, 3000],
    [23, 30, 3000],
    [901, 13, 8],
    [903, 8, 3],
    [257, 259, 261],
  ];
  test.each(sizes)("matches the reference at m = %d, n = %d, k = %d", (m, n, k) => {
    for (const [transA, transB] of [[false, false], [true, false], [false, true], [true, true]] as const) {
      const shape = { m, n, k, transA, transB }, { a, b, args } = operands(dtype, shape);
      const out = tensor(dtype, [m, n]);
      expectEverywhere(
        out,
        reference.gemm(shape, a, b),
        tolerance(dtype, k),
        () => engine.run("gemm", { ...args, out, alpha: 1, beta: 0 }),
      );
    }
  }, 20_000);

  test("writes results past the caches that no cache can hold", () => {
    // A little more than 32 MiB.
    const m = dtype === "F64" ? 2057 : 4111;
    const shape = { m, n: 2064, k: 2, transA: false, transB: false },
      { a, b, args } = operands(dtype, shape);
    const out = tensor(dtype, [shape.m, shape.n]);
    expectEverywhere(
      out,
      reference.gemm(shape, a, b),
      tolerance(dtype, shape.k),
      () => engine.run("gemm", { ...args, out, alpha: 1, beta: 0 }),
    );
  }, 20_000);

  test.each([[6, 5, 7], [2708, 7, 16], [16, 9, 70_001], [260, 270, 280]])(
    "adds beta * out at %d x %d x %d",
    (m, n, k) => {
      const shape = { m, n, k, transA: true, transB: false }, { a, b, args } = operands(dtype, shape);
      const start = randoms(m * n, "out"), out = tensor(dtype, [m, n]), from = tensor(dtype, [m, n], start);
      expectEverywhere(out, reference.gemm(shape, a, b, 0.5, -2, start), tolerance(dtype, k), () => {
        engine.run("axpby", { x: from, out, alpha: 1, beta: 0 });
        engine.run("gemm", { ...args, out, alpha: 0.5, beta: -2 });
      });
    },
  );

  test("adds, biases and rectifies a product by hand", () => {
    const a = tensor(dtype, [3, 1], [1, 2, 3]), b = tensor(dtype, [1, 2], [1, -1]);
    const addend = tensor(dtype, [2, 2], [10, 1, -10, 1]), bias = tensor(dtype, [2], [0.5, 2]);
    const out = tensor(dtype, [3, 2]), args = { a, b, out, trans_a: 0, trans_b: 0, alpha: 1, beta: 0 };
    engine.run("gemm", { ...args, addend, bias, kind: activationKinds.relu });
    expect(numbers(out)).toEqual([11.5, 2, 0, 1, 3.5, 0]);
    engine.run("gemm", { ...args, addend });
    expect(numbers(out)).toEqual([11, 0, -8, -1, 3, -3]);
    engine.run("gemm", { ...args, a2: tensor(dtype, [3, 2], [1, 0, 0, 1, 1, 1]), b2: addend, bias });
    expect(numbers(out)).toEqual([11.5, 2, -7.5, 1, 3.5, 1]);
    engine.run("gemm", { ...args, alpha: 0, bias });
    expect(numbers(out)).toEqual([0.5, 2, 0.5, 2, 0.5, 2]);
    expect(() => engine.run("gemm", { ...args, addend: tensor(dtype, [4, 2]) })).toThrow("at most 3");
    expect(() => engine.run("gemm", { ...args, a2: a })).toThrow("both of a2 and b2");
    expect(() => engine.run("gemm", { ...args, addend, a2: a, b2: b })).toThrow("one of addend");
    expect(() => engine.run("gemm", { ...args, a2: b, b2: b })).toThrow("inner dimensions");
    expect(() => engine.run("gemm", { ...args, a2: addend, b2: addend })).toThrow("expected [2, 2]");
    expect(() => engine.run("gemm", { ...args, p: 1 })).toThrow("expected 0 to below 1");
  });

  // Blocks of rows, ragged ones; chunks of the inner dimension; the result made transposed; the library's.
  test.each([[700, 48, 100], [301, 7, 16], [40, 47, 20_001], [16, 7, 40_001], [300, 270, 261]])(
    "what follows the product has the bits of the epilogue op at %d x %d x %d",
    (m, n, k) => {
      const product = tensor(dtype, [m, n]), apart = tensor(dtype, [m, n]), fused = tensor(dtype, [m, n]);
      const bias = tensor(dtype, [n], randoms(n, "bias"));
      const ids = tensor("I64", [m], integers(m, 0, 99, "ids"));
      for (const [transA, transB] of [[false, false], [true, false], [false, true]] as const) {
        const args = { ...operands(dtype, { m, n, k, transA, transB }).args, alpha: 0.5, beta: 0 };
        for (const [rows, kind, p] of [[m, 1, 0.3], [m >> 1, 2, 0], [m - 1, 0, 0]] as const) {
          const addend = tensor(dtype, [rows, n], randoms(rows * n, "addend"));
          const rest = { bias: kind ? bias : null, ids, kind, slope: 0.1, p, stream: 7, layer: 2 };
          onEveryIsa(() => {
            engine.run("gemm", { ...args, out: product });
            engine.run("epilogue", { ...rest, x: product, y: addend, out: apart });
            expectSameOnThreads([fused], () => engine.run("gemm", { ...args, ...rest, addend, out: fused }));
            expect(bytes(fused)).toEqual(bytes(apart));
          });
        }
      }
    },
    20_000,
  );

  // One pass over both inner dimensions, several over the first or the second, chunks, ragged columns, the library's.
  const pairs: [number, number, number, number][] = [
    [700, 64, 100, 90],
    [300, 256, 700, 512],
    [300, 48, 100, 1100],
    [40, 7, 3001, 60],
    [61, 7, 9, 16],
    [300, 270, 261, 20],
  ];
  test.each(pairs)("a second product is an addend at %d x %d x %d and %d", (m, n, k, k2) => {
    const product = tensor(dtype, [m, n]), apart = tensor(dtype, [m, n]), fused = tensor(dtype, [m, n]);
    const rest = { bias: tensor(dtype, [n], randoms(n, "bias")), kind: activationKinds.tanh };
    for (const [transA, transB] of [[false, false], [true, false], [false, true]] as const) {
      const shape = { m, n, transA, transB }, scaled = { alpha: 0.5, beta: 0 };
      const { args } = operands(dtype, { ...shape, k }),
        { args: second } = operands(dtype, { ...shape, k: k2 });
      onEveryIsa(() => {
        engine.run("gemm", { ...second, ...scaled, out: product });
        engine.run("gemm", { ...args, ...scaled, ...rest, addend: product, out: apart });
        expectSameOnThreads([fused], () => {
          engine.run("gemm", { ...args, ...scaled, ...rest, a2: second.a, b2: second.b, out: fused });
        });
        // A GPU's library may round the sum of both once.
        if (testDevice === "cuda") expectClose(numbers(fused), numbers(apart), tolerance(dtype, k + k2));
        else expect(bytes(fused)).toEqual(bytes(apart));
      });
    }
  }, 20_000);

  test("does not read out for beta = 0, in blocks and chunks", () => {
    for (const [m, n, k] of [[2, 2, 2], [40, 40, 40], [4000, 64, 16], [8, 8, 70_000]] as const) {
      const { args } = operands(dtype, { m, n, k, transA: false, transB: false });
      const out = tensor(dtype, [m, n], new Array(m * n).fill(NaN));
      engine.run("gemm", { ...args, out, alpha: 1, beta: 0 });
      expect(numbers(out).findIndex(Number.isNaN)).toBe(-1);
    }
  });

  test("an empty inner dimension and alpha = 0 leave beta * out", () => {
    const out = tensor(dtype, [2, 2], [1, 2, 3, 4]);
    const empty = { a: tensor(dtype, [2, 0]), b: tensor(dtype, [0, 2]), out, trans_a: 0, trans_b: 0 };
    engine.run("gemm", { ...empty, alpha: 1, beta: 2 });
    expect(numbers(out)).toEqual([2, 4, 6, 8]);
    const a = tensor(dtype, [2, 2], [1, 1, 1, 1]);
    engine.run("gemm", { a, b: a, out, trans_a: 0, trans_b: 0, alpha: 0, beta: 0.5 });
    expect(numbers(out)).toEqual([1, 2, 3, 4]);
    engine.run("gemm", { ...empty, alpha: 1, beta: 0 });
    expect(numbers(out)).toEqual([0, 0, 0, 0]);
    const product = { a, b: a, out, trans_a: 0, trans_b: 0, alpha: 1, beta: 0 };
    engine.run("gemm", { ...product, a2: empty.a, b2: empty.b });
    expect(numbers(out)).toEqual([2, 2, 2, 2]);
    engine.run("gemm", { ...product, a: empty.a, b: empty.b, a2: a, b2: a });
    expect(numbers(out)).toEqual([2, 2, 2, 2]);
    for (const [m, n] of [[0, 3], [3, 0]] as const) {
      const a = tensor(dtype, [m, 4]), b = tensor(dtype, [4, n]);
      engine.run("gemm", { a, b, out: tensor(dtype, [m, n]), trans_a: 0, trans_b: 0, alpha: 1, beta: 0 });
    }
  });

  test("refuses shapes that do not fit", () => {
    const a = tensor(dtype, [2, 3]), b = tensor(dtype, [2, 3]), out = tensor(dtype, [2, 3]);
    const run = (trans_a: number, trans_b: number) =>
      engine.run("gemm", { a, b, out, trans_a, trans_b, alpha: 1, beta: 0 });
    expect(() => run(0, 0)).toThrow();
    expect(() => run(0, 1)).toThrow();
    expect(() => run(1, 0)).toThrow();
  });
});
