import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/csr.ts";
import { maxDegree, patternTensors, randomCsr, type Shape, vector } from "./_csr.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  expectSameOnThreads,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

const small = { numRows: 3, numCols: 4, indptr: [0, 2, 2, 5], indices: [3, 0, 0, 2, 2] };

const shapes: Shape[] = [
  { n: 7, m: 5, degree: 3 },
  { n: 20_000, m: 9, degree: 4 }, // many runs, few groups
  { n: 200, m: 30_000, degree: 300 }, // more than one block of groups
  { n: 300, m: 40, degree: 9, hub: 30_000 },
];

describe("csr_transpose()", () => {
  const transpose = (csr: reference.PlainCsr, index: "I32" | "I64", outIndex: "I32" | "I64" = index) => {
    const out_indptr = tensor("I64", [csr.numCols + 1]);
    const out_indices = tensor(outIndex, [csr.indices.length]), order = tensor("I64", [csr.indices.length]);
    const outs = [out_indptr, out_indices, order];
    const args = { ...patternTensors(csr, index), out_indptr, out_indices, order };
    return { outs, run: () => engine.run("csr_transpose", args) };
  };

  test("keeps duplicates and the order of the old rows, by hand", () => {
    const { outs, run } = transpose(small, "I32");
    run();
    expect(outs.map(numbers)).toEqual([[0, 2, 2, 4, 5], [0, 2, 2, 2, 0], [1, 2, 3, 4, 0]]);
  });

  test.each(shapes)("is the reference's on every thread count at %j", (shape) => {
    const csr = randomCsr(shape), want = reference.transpose(csr);
    for (const [index, outIndex] of [["I32", "I64"], ["I64", "I32"]] as const) {
      const { outs, run } = transpose(csr, index, outIndex);
      expectSameOnThreads(outs, run);
      [want.indptr, want.indices, want.order].forEach((w, k) => expectClose(numbers(outs[k]!), w, 0));
    }
  });

  test("no rows, no columns and no entries are fine", () => {
    const none = transpose({ numRows: 0, numCols: 2, indptr: [0], indices: [] }, "I32");
    none.run();
    expect(numbers(none.outs[0]!)).toEqual([0, 0, 0]);
    const empty = transpose({ numRows: 2, numCols: 0, indptr: [0, 0, 0], indices: [] }, "I64");
    empty.run();
    expect(numbers(empty.outs[0]!)).toEqual([0]);
  });
});

describe.each([...realTypes])("%s", (dtype) => {
  test("csr_row_sum(), csr_scale() and csr_to_dense() do a small case by hand", () => {
    const { indptr, indices } = patternTensors(small, "I32"), values = vector(dtype, [1, -2, 3, -4, 0]);
    const rows = tensor(dtype, [3]), edges = tensor(dtype, [5]), dense = tensor(dtype, [3, 4]);
    for (
      const [power, want] of [[0, [2, 0, 3]], [1, [3, 0, 7]], [2, [5, 0, 25]], [0.5, [
        1 + Math.SQRT2,
        0,
        Math.sqrt(3) + 2,
      ]]] as const
    ) {
      engine.run("csr_row_sum", { indptr, values, out: rows, power });
      expectClose(numbers(rows), want, 2 * roundoff[dtype]);
    }
    engine.run("csr_row_sum", { indptr, out: rows, power: 2 });
    expect(numbers(rows)).toEqual([2, 0, 3]);
    const left = vector(dtype, [1, 5, 2]), right = vector(dtype, [10, 1, 0.5, 3]);
    engine.run("csr_scale", { indptr, indices, values, left, right, out: edges });
    expect(numbers(edges)).toEqual([3, -20, 60, -4, 0]);
    engine.run("csr_scale", { indptr, indices, out: edges });
    expect(numbers(edges)).toEqual([1, 1, 1, 1, 1]);
    engine.run("csr_scale", { indptr, indices, left, out: edges });
    expect(numbers(edges)).toEqual([1, 1, 2, 2, 2]);
    engine.run("csr_scale", { indptr, indices, right, out: edges });
    expect(numbers(edges)).toEqual([3, 10, 10, 0.5, 0.5]);
    engine.run("csr_to_dense", { indptr, indices, values, out: dense });
    expect(numbers(dense)).toEqual([-2, 0, 0, 1, 0, 0, 0, 0, 3, 0, -4, 0]);
    engine.run("csr_to_dense", { indptr, indices, out: dense });
    expect(numbers(dense)).toEqual([1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2, 0]);
  });

  test.each(shapes)("csr_row_sum() and csr_scale() match the reference at %j", (shape) => {
    const csr = randomCsr(shape), left = randoms(shape.n, "left"), right = randoms(shape.m, "right");
    const { indptr, indices } = patternTensors(csr, "I64"), values = vector(dtype, csr.values);
    const rows = tensor(dtype, [shape.n]), edges = tensor(dtype, [csr.indices.length]);
    // Sums are taken in float64: one rounding is left for F32.
    const tolerance = dtype === "F32" ? 2 * roundoff.F32 : roundoff.F64 * (maxDegree(csr) + 4);
    for (const power of [0, 1, 2, 1.5]) {
      const want = reference.rowSum(csr, power);
      expectEverywhere(
        rows,
        want,
        tolerance,
        () => engine.run("csr_row_sum", { indptr, values, out: rows, power }),
      );
    }
    const args = {
      indptr,
      indices,
      values,
      left: vector(dtype, left),
      right: vector(dtype, right),
      out: edges,
    };
    const want = reference.scale(csr, left, right);
    expectEverywhere(edges, want, 3 * roundoff[dtype], () => engine.run("csr_scale", args));
  });

  test("csr_to_dense() matches the reference and adds duplicates up", () => {
    const csr = randomCsr({ n: 900, m: 70, degree: 30, hub: 5000 }), out = tensor(dtype, [900, 70]);
    const args = { ...patternTensors(csr, "I32"), values: vector(dtype, csr.values), out };
    // Up to about 120 values below 1 meet in one place.
    expectEverywhere(
      out,
      reference.toDense(csr),
      120 * roundoff[dtype],
      () => engine.run("csr_to_dense", args),
    );
  });

  test("no rows and no columns are fine", () => {
    const none = patternTensors({ numRows: 0, numCols: 0, indptr: [0], indices: [] }, "I32");
    const nothing = tensor(dtype, [0]), rows = tensor(dtype, [2]), indptr = tensor("I64", [3], [0, 0, 0]);
    engine.run("csr_row_sum", { indptr: none.indptr, out: nothing, power: 1 });
    engine.run("csr_scale", { ...none, out: nothing });
    engine.run("csr_to_dense", { ...none, out: tensor(dtype, [0, 4]) });
    engine.run("csr_to_dense", { indptr, indices: none.indices, out: tensor(dtype, [2, 0]) });
    engine.run("csr_row_sum", { indptr, values: nothing, out: rows, power: 1 });
    expect(numbers(rows)).toEqual([0, 0]);
  });
});

test("csr_transpose() gives the same bytes on every instruction set", () => {
  const csr = randomCsr({ n: 500, m: 80, degree: 6 });
  const outs = [
    tensor("I64", [81]),
    tensor("I32", [csr.indices.length]),
    tensor("I64", [csr.indices.length]),
  ];
  const [out_indptr, out_indices, order] = outs as [
    typeof outs[0] & object,
    typeof outs[0] & object,
    typeof outs[0] & object,
  ];
  const args = { ...patternTensors(csr, "I32"), out_indptr, out_indices, order };
  const want = reference.transpose(csr);
  onEveryIsa(() => {
    engine.run("csr_transpose", args);
    expect(outs.map(numbers)).toEqual([want.indptr, want.indices, want.order]);
  });
});
