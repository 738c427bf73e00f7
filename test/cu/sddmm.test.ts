import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/spmm.ts";
import { patternTensors, randomCsr, type Shape, vector } from "./_csr.ts";
import { engine, expectEverywhere, numbers, randoms, realTypes, roundoff, tensor } from "./_ops.ts";

describe.each([...realTypes])("sddmm() %s", (dtype) => {
  test("does a small case with a duplicate by hand", () => {
    const pattern = { numRows: 2, numCols: 3, indptr: [0, 3, 4], indices: [0, 2, 2, 1] };
    const args = {
      ...patternTensors(pattern, "I64"),
      x: tensor(dtype, [2, 2], [1, 2, 3, 4]),
      y: tensor(dtype, [3, 2], [1, 0, 0, 1, 5, 6]),
      out: tensor(dtype, [4]),
    };
    engine.run("sddmm", args);
    expect(numbers(args.out)).toEqual([1, 17, 17, 4]);
    engine.run("sddmm", { ...args, left: vector(dtype, [2, 10]) });
    expect(numbers(args.out)).toEqual([2, 34, 34, 40]);
    engine.run("sddmm", { ...args, left: vector(dtype, [2, 10]), right: vector(dtype, [1, 0.5, 3]) });
    expect(numbers(args.out)).toEqual([2, 102, 102, 20]);
  });

  const shapes: [Shape, number][] = [
    [{ n: 3000, m: 100, degree: 10 }, 1],
    [{ n: 300, m: 100, degree: 10, hub: 9000 }, 7],
    [{ n: 50, m: 20, degree: 10 }, 16],
    [{ n: 50, m: 20, degree: 10 }, 45],
    [{ n: 500, m: 200, degree: 10 }, 64],
    [{ n: 50, m: 20, degree: 30 }, 333],
  ];
  test.each(shapes)("matches the reference at %j, width %d", (shape, f) => {
    const csr = randomCsr(shape), { n, m } = shape;
    const x = randoms(n * f, "x"),
      y = randoms(m * f, "y"),
      left = randoms(n, "left"),
      right = randoms(m, "right");
    const args = {
      ...patternTensors(csr, "I32"),
      x: tensor(dtype, [n, f], x),
      y: tensor(dtype, [m, f], y),
      out: tensor(dtype, [csr.indices.length]),
    };
    // f products below 1 are added: partial sums stay near sqrt(f) / 3, roundings have either sign.
    const tolerance = roundoff[dtype] * (f + 8);
    expectEverywhere(args.out, reference.sddmm(csr, x, y, f), tolerance, () => engine.run("sddmm", args));
    const scaled = { ...args, left: vector(dtype, left), right: vector(dtype, right) };
    const want = reference.sddmm(csr, x, y, f, left, right);
    expectEverywhere(args.out, want, tolerance, () => engine.run("sddmm", scaled));
  });

  test("no rows, no entries and no width are fine", () => {
    const none = patternTensors({ numRows: 0, numCols: 0, indptr: [0], indices: [] }, "I32");
    engine.run("sddmm", {
      ...none,
      x: tensor(dtype, [0, 2]),
      y: tensor(dtype, [0, 2]),
      out: tensor(dtype, [0]),
    });
    const one = patternTensors({ numRows: 1, numCols: 1, indptr: [0, 1], indices: [0] }, "I32");
    const out = tensor(dtype, [1]);
    engine.run("sddmm", { ...one, x: tensor(dtype, [1, 0]), y: tensor(dtype, [1, 0]), out });
    expect(numbers(out)).toEqual([0]);
  });
});
