import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/spmm.ts";
import { NativeArray } from "../../ffi/native.ts";
import { getTuning, setTuning } from "../../ffi/native_tuning.ts";
import { activationKinds, reductions } from "../../ffi/ops.ts";
import { maxDegree, patternTensors, randomCsr, type Shape, vector } from "./_csr.ts";
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
import { testDevice } from "../_device.ts";

/**
 * Terms are below 1, so a partial sum of d of them stays near sqrt(d) and each of d additions is off by u times that
 * with either sign: u * d in total. The scales add four roundings.
 */
const tolerance = (dtype: Real, d: number) => roundoff[dtype] * (d + 8);

/** A(3 x 3) = [[2, 0, 5], [0, 0, 0], [1, 3 + 4, 0]] */
const small = {
  numRows: 3,
  numCols: 3,
  indptr: [0, 2, 2, 5],
  indices: [0, 2, 0, 1, 1],
  values: [2, 5, 1, 3, 4],
};
const smallX = [1, 10, 2, 20, 3, 30];

// One width per class of the kernels: below a vector, whole vectors, an overlapping last one, several panels.
const widths = [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 128, 129, 200, 300, 1024];

describe.each([...realTypes])("spmm() %s", (dtype) => {
  test.each(["I32", "I64"] as const)("does sum, mean, max and min by hand with %s indices", (index) => {
    const x = tensor(dtype, [3, 2], smallX), out = tensor(dtype, [3, 2]), arg = tensor("I64", [3, 2]);
    const csr = { ...patternTensors(small, index), values: vector(dtype, small.values) };
    const run = (reduce: keyof typeof reductions) => {
      engine.run("spmm", { ...csr, x, out, arg, reduce: reductions[reduce] });
      return numbers(out);
    };
    expect(run("sum")).toEqual([17, 170, 0, 0, 15, 150]);
    expect(run("mean")).toEqual([8.5, 85, 0, 0, 5, 50]);
    expect(run("max")).toEqual([15, 150, 0, 0, 8, 80]);
    expect(numbers(arg)).toEqual([1, 1, -1, -1, 4, 4]);
    expect(run("min")).toEqual([2, 20, 0, 0, 1, 10]);
    expect(numbers(arg)).toEqual([0, 0, -1, -1, 2, 2]);
  });

  test("applies left, right and diagonal by hand", () => {
    const x = tensor(dtype, [3, 2], smallX), out = tensor(dtype, [3, 2]);
    engine.run("spmm", {
      ...patternTensors(small, "I32"),
      left: vector(dtype, [1, 2, 3]),
      right: vector(dtype, [1, 0.5, 2]),
      diagonal: vector(dtype, [0, 1, -1]),
      x,
      out,
      reduce: reductions.sum,
    });
    expect(numbers(out)).toEqual([7, 70, 2, 20, 6, 60]);
  });

  test("takes values in another order and rows of their own for the diagonal, by hand", () => {
    const x = tensor(dtype, [3, 2], smallX), out = tensor(dtype, [3, 2]);
    const args = {
      ...patternTensors(small, "I32"),
      values: vector(dtype, [4, 3, 1, 5, 2]),
      order: tensor("I64", [5], [4, 3, 2, 1, 0]),
      x,
      out,
      reduce: reductions.sum,
    };
    onEveryIsa(() => {
      engine.run("spmm", args);
      expect(numbers(out)).toEqual([17, 170, 0, 0, 15, 150]);
      engine.run("spmm", { ...args, right: vector(dtype, [1, 0.5, 2]) });
      expect(numbers(out)).toEqual([32, 320, 0, 0, 8, 80]);
      engine.run("spmm", { ...args, reduce: reductions.max });
      expect(numbers(out)).toEqual([15, 150, 0, 0, 8, 80]);
      const diagonal = vector(dtype, [1, 10, 100]), own = tensor("I64", [3], [2, 2, 0]);
      engine.run("spmm", { ...args, diagonal, own });
      expect(numbers(out)).toEqual([20, 200, 30, 300, 115, 1150]);
    });
  });

  test("tiles of a matrix that gathers one row most of the time have the bits of the whole", () => {
    const before = getTuning(), n = 7000, m = 120, f = 140, degree = 10;
    // Two entries of three are in column 0: more than a sample of the entries needs to see it.
    const indices = Array.from({ length: n * degree }, (_, e) => e % 3 === 0 ? (e * 7) % m : 0);
    const csr = { indptr: Array.from({ length: n + 1 }, (_, i) => i * degree), indices };
    const x = tensor(dtype, [m, f], randoms(m * f, "x")), out = tensor(dtype, [n, f]);
    const args = { ...patternTensors({ ...csr, numRows: n, numCols: m, values: [] }, "I32"), x, out };
    try {
      const all = [0, 64, 64 * m, 256 * m].map((tileBytes) => {
        setTuning({ ...before, tileBytes });
        engine.run("spmm", { ...args, reduce: reductions.sum });
        return numbers(out);
      });
      for (const other of all) expect(other).toEqual(all[0]!);
    } finally {
      setTuning(before);
    }
  });

  // Tiles are the CPU's, and take any type the same way.
  if (testDevice === "cpu" && dtype === "F32") {
    test(
      "a matrix whose rows gather what their neighbours do has the bits of the whole, and one that looks alike",
      () => {
        // More entries than looking for neighbours is worth: rows of a block gather that block, or rows far apart do.
        const before = getTuning(), n = 52_500, degree = 40, block = 50, f = 32;
        const columns = (blockOf: (i: number) => number) =>
          Int32Array.from({ length: n * degree }, (_, e) => {
            const i = Math.floor(e / degree);
            return blockOf(i) * block + (e * 7 + i) % block;
          });
        const indptr = BigInt64Array.from({ length: n + 1 }, (_, i) => BigInt(i * degree));
        const arena = engine.arena();
        try {
          const x = tensor(dtype, [n, f], randoms(n * f, "x")), out = tensor(dtype, [n, f]);
          for (
            const blockOf of [(i: number) => Math.floor(i / block), (i: number) => (i * 7919) % (n / block)]
          ) {
            const args = {
              indptr: arena.bind(NativeArray.from<"I64">(indptr)),
              indices: arena.bind(NativeArray.from<"I32">(columns(blockOf))),
              x,
              out,
              reduce: reductions.sum,
            };
            const [whole, tiled] = [0, 64 * n].map((tileBytes) => {
              setTuning({ ...before, tileBytes });
              engine.run("spmm", args);
              return Bun.hash(bytes(out));
            });
            expect(tiled).toBe(whole!);
          }
        } finally {
          setTuning(before);
          arena.destroy();
        }
      },
    );
  }

  test("no setting of the machine changes a bit: prefetches, tiles of columns", () => {
    const before = getTuning();
    const csr = randomCsr({ n: 300, m: 120, degree: 20, hub: 5000 });
    // Settings of the CPU: one is enough elsewhere.
    const levels = testDevice === "cpu" ? [1, 2] : [1];
    const sizes = testDevice === "cpu" ? [[1, 0], [500, 120 * 64], [64, 120 * 256]] : [[1, 0]];
    try {
      for (const f of [1, 24, 100, 131]) {
        const shape = { out: [300, f], x: [120, f] } as const, a = randoms(120 * f, "x");
        const out = tensor(dtype, shape.out), arg = tensor("I64", shape.out);
        const args = {
          ...patternTensors(csr, "I32"),
          values: vector(dtype, csr.values),
          diagonal: vector(dtype, randoms(300, "diagonal")),
          own: tensor("I64", [300], Array.from({ length: 300 }, (_, i) => i % 120)),
          x: tensor(dtype, shape.x, a),
          out,
        };
        for (const [name, reduce] of Object.entries(reductions)) {
          const outs = name === "max" || name === "min" ? { out, arg } : { out };
          const all = levels.flatMap((prefetchLevel) =>
            sizes.map(([linesAhead, tileBytes]) => {
              setTuning({ prefetchLevel, linesAhead: linesAhead!, tileBytes: tileBytes! });
              return expectSameOnThreads(
                Object.values(outs),
                () => engine.run("spmm", { ...args, ...outs, reduce }),
              );
            })
          );
          for (const other of all) expect(other).toEqual(all[0]!);
        }
      }
    } finally {
      setTuning(before);
    }
  });

  test("what follows the product has the bits of the epilogue op, with tiles and hubs", () => {
    const before = getTuning(), n = 300, m = 120;
    const csr = randomCsr({ n, m, degree: 20, hub: 5000 });
    try {
      for (const [f, tileBytes] of [[1, 0], [24, 0], [131, 0], [131, m * 128]] as const) {
        setTuning({ ...before, tileBytes });
        const args = { ...patternTensors(csr, "I32"), x: tensor(dtype, [m, f], randoms(m * f, "x")) };
        const rows = f === 24 ? n - 7 : n, addend = tensor(dtype, [rows, f], randoms(rows * f, "addend"));
        const bias = vector(dtype, randoms(f, "bias")), ids = tensor("I64", [n], integers(n, 0, 99, "ids"));
        const product = tensor(dtype, [n, f]), apart = tensor(dtype, [n, f]), fused = tensor(dtype, [n, f]);
        for (const kind of Object.values(activationKinds)) {
          const rest = {
            bias,
            ids,
            kind,
            slope: 0.1,
            p: kind === activationKinds.none ? 0 : 0.3,
            stream: 7,
            layer: 2,
          };
          onEveryIsa(() => {
            engine.run("spmm", { ...args, out: product, reduce: reductions.mean });
            engine.run("epilogue", { ...rest, x: product, y: addend, out: apart });
            expectSameOnThreads(
              [fused],
              () => engine.run("spmm", { ...args, ...rest, addend, out: fused, reduce: reductions.mean }),
            );
            expect(bytes(fused)).toEqual(bytes(apart));
          });
        }
      }
    } finally {
      setTuning(before);
    }
  });

  test.each(widths)("sums match the reference at width %d, with every choice of factors", (f) => {
    const csr = randomCsr({ n: 61, m: 50, degree: 8 }), a = randoms(50 * f, "x");
    const x = tensor(dtype, [50, f], a), out = tensor(dtype, [61, f]);
    const left = randoms(61, "left"), right = randoms(50, "right");
    const tensors = {
      left: vector(dtype, left),
      right: vector(dtype, right),
      values: vector(dtype, csr.values),
    };
    for (const use of [[], ["values"], ["right"], ["values", "right", "left"]]) {
      const given = <T>(name: string, value: T) => use.includes(name) ? value : undefined;
      const want = reference.spmm({ ...csr, values: given("values", csr.values) }, a, f, {
        left: given("left", left),
        right: given("right", right),
      });
      const args = {
        ...patternTensors(csr, f % 2 ? "I32" : "I64"),
        values: given("values", tensors.values)!,
        left: given("left", tensors.left)!,
        right: given("right", tensors.right)!,
      };
      onEveryIsa(() => {
        engine.run("spmm", { ...args, x, out, reduce: reductions.sum });
        expectClose(numbers(out), want.out, tolerance(dtype, maxDegree(csr)));
      });
    }
  });

  const shapes: [string, Shape, number][] = [
    ["many rows", { n: 20_000, m: 3000, degree: 3 }, 7],
    ["a hub row", { n: 500, m: 900, degree: 12, hub: 13_000 }, 20],
    ["a hub row and a wide x", { n: 40, m: 300, degree: 20, hub: 4097 }, 150],
    ["a row of exactly one chunk", { n: 10, m: 100, degree: 20, hub: 4096 }, 16],
    ["few wide rows", { n: 60, m: 64, degree: 12 }, 1024],
  ];
  test.each(shapes)("every reduction matches the reference with %s, on every thread count", (_, shape, f) => {
    const csr = randomCsr(shape), a = randoms(shape.m * f, "x"), { n, m } = shape;
    const square = n <= m; // a diagonal needs x[i] for every row i
    const left = randoms(n, "left"),
      right = randoms(m, "right"),
      diagonal = square ? randoms(n, "diagonal") : undefined;
    const x = tensor(dtype, [m, f], a), out = tensor(dtype, [n, f]);
    const args = {
      ...patternTensors(csr, "I32"),
      values: vector(dtype, csr.values),
      left: vector(dtype, left),
      right: vector(dtype, right),
      ...(diagonal && { diagonal: vector(dtype, diagonal) }),
      x,
      out,
    };
    for (const [name, reduce] of Object.entries(reductions) as [keyof typeof reductions, number][]) {
      const want = reference.spmm(csr, a, f, { left, right, diagonal, reduce: name });
      expectEverywhere(
        out,
        want.out,
        tolerance(dtype, maxDegree(csr)),
        () => engine.run("spmm", { ...args, reduce }),
      );
    }
  });

  test.each(shapes)("max and min name the winning edge with %s", (_, shape, f) => {
    // Small integers: products are exact and ties common, so that the winner is the reference's.
    const csr = randomCsr(shape), a = randoms(shape.m * f, "x").map((v) => Math.round(v * 5));
    const values = csr.values.map((v) => Math.round(v * 3)), arg = tensor("I64", [shape.n, f]);
    const args = {
      ...patternTensors(csr, "I64"),
      values: vector(dtype, values),
      x: tensor(dtype, [shape.m, f], a),
      out: tensor(dtype, [shape.n, f]),
      arg,
    };
    for (const reduce of ["max", "min"] as const) {
      const want = reference.spmm({ ...csr, values }, a, f, { reduce });
      onEveryIsa(() => {
        expectSameOnThreads(
          [args.out, arg],
          () => engine.run("spmm", { ...args, reduce: reductions[reduce] }),
        );
        expectClose(numbers(args.out), want.out, 0);
        expectClose(numbers(arg), want.arg, 0);
      });
    }
  });

  test("rows of any length are reduced beside each other, whatever the skew", () => {
    // Lengths about those at which rows are cut, and a few rows with most of the entries: side by side, after empty
    // rows, the first and the last.
    const lengths = [3000, 127, 128, 129, 0, 0, 1, 256, 2500, 2000, 0, 300, 255, 257, 3, 512, 5000];
    const indptr = [0], n = lengths.length, m = 90;
    for (const d of lengths) indptr.push(indptr.at(-1)! + d);
    const nnz = indptr.at(-1)!, indices = integers(nnz, 0, m, "indices"), values = randoms(nnz, "values");
    const csr = { numRows: n, numCols: m, indptr, indices, values };
    const whole = values.map((v) => Math.round(v * 3));
    const left = randoms(n, "left"), diagonal = randoms(n, "diagonal"), bias = randoms(260, "bias");
    for (const f of [1, 20, 260]) {
      const a = randoms(m * f, "x"), x = tensor(dtype, [m, f], a);
      const out = tensor(dtype, [n, f]), arg = tensor("I64", [n, f]);
      const args = {
        ...patternTensors(csr, "I32"),
        values: vector(dtype, values),
        left: vector(dtype, left),
        diagonal: vector(dtype, diagonal),
        bias: vector(dtype, bias.slice(0, f)),
        x,
        out,
      };
      for (const reduce of ["sum", "mean"] as const) {
        const sums = reference.spmm(csr, a, f, { left, diagonal, reduce }).out;
        const want = sums.map((v, k) => v + bias[k % f]!);
        expectEverywhere(
          out,
          want,
          tolerance(dtype, maxDegree(csr)),
          () => engine.run("spmm", { ...args, reduce: reductions[reduce] }),
        );
      }
      // Small integers: ties are common.
      const b = a.map((v) => Math.round(v * 5));
      const plain = {
        ...patternTensors(csr, "I64"),
        values: vector(dtype, whole),
        x: tensor(dtype, [m, f], b),
      };
      for (const reduce of ["max", "min"] as const) {
        const want = reference.spmm({ ...csr, values: whole }, b, f, { reduce });
        onEveryIsa(() => {
          engine.run("spmm", { ...plain, out, arg, reduce: reductions[reduce] });
          expectClose(numbers(out), want.out, 0);
          expectClose(numbers(arg), want.arg, 0);
        });
      }
    }
  });

  test("entries behind the last row are room and nothing else", () => {
    // As after csr_dropout(): columns there may be anything.
    const pattern = {
      indptr: tensor("I64", [3], [0, 2, 3]),
      indices: tensor("I32", [300], [1, 0, 1, ...new Array<number>(297).fill(2 ** 30)]),
    };
    const values = vector(dtype, [2, 3, 4, ...new Array<number>(297).fill(NaN)]);
    const x = tensor(dtype, [2, 1], [10, 100]), out = tensor(dtype, [2, 1]);
    engine.run("spmm", { ...pattern, values, x, out, reduce: reductions.sum });
    expect(numbers(out)).toEqual([230, 400]);
    engine.run("spmm_transposed", { ...pattern, values, x, out });
    expect(numbers(out)).toEqual([30, 420]);
  });

  test("a NaN wins max and min, and stays", () => {
    const pattern = patternTensors({ numRows: 1, numCols: 3, indptr: [0, 3], indices: [0, 1, 2] }, "I32");
    const x = tensor(dtype, [3, 1], [1, NaN, 2]), out = tensor(dtype, [1, 1]), arg = tensor("I64", [1, 1]);
    for (const reduce of [reductions.max, reductions.min]) {
      engine.run("spmm", { ...pattern, x, out, arg, reduce });
      expect([numbers(out), numbers(arg)]).toEqual([[NaN], [1]]);
    }
  });

  test("the bits of a column do not depend on the columns beside it", () => {
    const csr = randomCsr({ n: 200, m: 100, degree: 30, hub: 5000 }), a = randoms(100 * 77, "x");
    const args = { ...patternTensors(csr, "I32"), values: vector(dtype, csr.values), reduce: reductions.sum };
    const wide = tensor(dtype, [200, 77]), narrow = tensor(dtype, [200, 1]);
    onEveryIsa(() => {
      engine.run("spmm", { ...args, x: tensor(dtype, [100, 77], a), out: wide });
      engine.run("spmm", {
        ...args,
        x: tensor(dtype, [100, 1], a.filter((_, k) => k % 77 === 70)),
        out: narrow,
      });
      expect(numbers(narrow)).toEqual(numbers(wide).filter((_, k) => k % 77 === 70));
    });
  });

  test("no rows, no columns, no entries and no width are fine", () => {
    const none = patternTensors({ numRows: 0, numCols: 3, indptr: [0], indices: [] }, "I32");
    engine.run("spmm", { ...none, x: tensor(dtype, [3, 2]), out: tensor(dtype, [0, 2]), reduce: 0 });
    const empty = patternTensors({ numRows: 2, numCols: 0, indptr: [0, 0, 0], indices: [] }, "I64");
    const out = tensor(dtype, [2, 3]), arg = tensor("I64", [2, 3]);
    for (const reduce of Object.values(reductions)) {
      engine.run("spmm", { ...empty, x: tensor(dtype, [0, 3]), out, arg, reduce });
      expect(numbers(out)).toEqual([0, 0, 0, 0, 0, 0]);
    }
    expect(numbers(arg)).toEqual([-1, -1, -1, -1, -1, -1]);
    const narrow = patternTensors(small, "I32");
    engine.run("spmm", { ...narrow, x: tensor(dtype, [3, 0]), out: tensor(dtype, [3, 0]), reduce: 0 });
  });

  test.each(["max", "min"] as const)("spmm_arg_backward() of %s matches the reference", (reduce) => {
    for (const f of [1, 8, 21, 130]) {
      const csr = randomCsr({ n: 700, m: 300, degree: 5 }), g = randoms(700 * f, "g");
      const { arg } = reference.spmm(csr, randoms(300 * f, "x"), f, { reduce });
      const args = {
        arg: tensor("I64", [700, f], arg),
        ...{ indices: tensor(f % 2 ? "I32" : "I64", [csr.indices.length], csr.indices) },
        g: tensor(dtype, [700, f], g),
        out: tensor(dtype, [300, f]),
      };
      const most = 40; // winners that meet in one node
      for (const values of [undefined, csr.values]) {
        const want = reference.spmmArgBackward({ ...csr, values }, arg, g, f);
        const given = values && { values: vector(dtype, values) };
        expectEverywhere(
          args.out,
          want,
          tolerance(dtype, most),
          () => engine.run("spmm_arg_backward", { ...args, ...given }),
        );
      }
    }
  });

  test("spmm_arg_backward() leaves out rows without a winner, by hand", () => {
    const out = tensor(dtype, [2, 1]), indices = tensor("I32", [3], [1, 0, 1]);
    const arg = tensor("I64", [3, 1], [2, -1, 0]), g = tensor(dtype, [3, 1], [1, 5, 10]);
    engine.run("spmm_arg_backward", { arg, indices, g, out });
    expect(numbers(out)).toEqual([0, 11]);
    engine.run("spmm_arg_backward", { arg, indices, values: vector(dtype, [3, 9, 2]), g, out });
    expect(numbers(out)).toEqual([0, 32]);
  });

  test("spmm_arg_gather() takes each element from its winner, by hand; edges without indices are rows", () => {
    const out = tensor(dtype, [3, 1]),
      indices = tensor("I32", [3], [1, 0, 1]),
      x = tensor(dtype, [2, 1], [5, 7]);
    const arg = tensor("I64", [3, 1], [2, -1, 1]);
    engine.run("spmm_arg_gather", { arg, indices, x, out });
    expect(numbers(out)).toEqual([7, 0, 5]);
    engine.run("spmm_arg_gather", { arg, indices, values: vector(dtype, [3, 9, 2]), x, out });
    expect(numbers(out)).toEqual([14, 0, 45]);
    const rows = tensor("I64", [3, 1], [1, -1, 0]);
    engine.run("spmm_arg_gather", { arg: rows, x, out });
    expect(numbers(out)).toEqual([7, 0, 5]);
    const back = tensor(dtype, [2, 1]);
    engine.run("spmm_arg_backward", { arg: rows, g: tensor(dtype, [3, 1], [1, 5, 10]), out: back });
    expect(numbers(back)).toEqual([10, 1]);
  });

  test("spmm_arg_gather() is the adjoint of spmm_arg_backward()", () => {
    const n = 300, m = 90, f = 13;
    const csr = randomCsr({ n, m, degree: 4 });
    const { arg } = reference.spmm(csr, randoms(m * f, "x"), f, { reduce: "max" });
    const g = randoms(n * f, "g"), x = randoms(m * f, "y");
    const args = {
      arg: tensor("I64", [n, f], arg),
      indices: tensor("I32", [csr.indices.length], csr.indices),
    };
    const gathered = tensor(dtype, [n, f]), scattered = tensor(dtype, [m, f]);
    engine.run("spmm_arg_gather", { ...args, x: tensor(dtype, [m, f], x), out: gathered });
    engine.run("spmm_arg_backward", { ...args, g: tensor(dtype, [n, f], g), out: scattered });
    const dot = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    // Both sides add n * f products of numbers below 1.
    const slack = n * f * roundoff[dtype];
    expect(Math.abs(dot(numbers(gathered), g) - dot(numbers(scattered), x))).toBeLessThan(slack);
  });
});

describe.each(["F16", "BF16"] as const)("spmm() of x stored as %s", (stored) => {
  test.each(widths)("adds up in float32 at width %d", (f) => {
    const csr = randomCsr({ n: 61, m: 50, degree: 8 });
    // Beside random numbers: subnormals of float16, its largest number and a negative zero.
    const special = [2 ** -24, -(2 ** -20), 65504, -0];
    const a = randoms(50 * f, "x").map((v, k) => k < 4 ? special[k]! : v);
    const exact = tensor("F32", [50, f], a), x = tensor(stored, [50, f]), out = tensor("F32", [61, f]);
    engine.run("cast", { x: exact, out: x });
    engine.run("cast", { x, out: exact });
    const want = reference.spmm(csr, numbers(exact), f, { diagonal: undefined });
    const args = {
      ...patternTensors(csr, "I32"),
      values: vector("F32", csr.values),
      x,
      out,
      reduce: reductions.sum,
    };
    // One entry is 65504, which scales the roundings of the columns it meets.
    const scale = f < 3 ? 1 : 65504;
    expectEverywhere(out, want.out, tolerance("F32", maxDegree(csr)) * scale, () => engine.run("spmm", args));
  });

  test("infinities and NaN arrive as such on every instruction set", () => {
    const indices = Array.from({ length: 40 }, (_, i) => i);
    const pattern = patternTensors({ numRows: 40, numCols: 40, indptr: [...indices, 40], indices }, "I32");
    const a = Array.from({ length: 40 * 20 }, (_, k) => [Infinity, -Infinity, NaN, 1][k % 4]!);
    const exact = tensor("F32", [40, 20], a), x = tensor(stored, [40, 20]), out = tensor("F32", [40, 20]);
    engine.run("cast", { x: exact, out: x });
    onEveryIsa(() => {
      engine.run("spmm", { ...pattern, x, out, reduce: reductions.sum });
      expect(numbers(out)).toEqual(a);
    });
  });

  test("a float64 result is refused", () => {
    const pattern = patternTensors(small, "I32"), x = tensor(stored, [3, 2]), out = tensor("F64", [3, 2]);
    expect(() => engine.run("spmm", { ...pattern, x, out, reduce: 0 })).toThrow("spmm: result of dtype");
  });
});

test("setTuning() refuses what is out of range", () => {
  const now = getTuning();
  expect(() => setTuning({ ...now, prefetchLevel: 3 })).toThrow("cache level 3, expected 1 or 2");
  expect(() => setTuning({ ...now, linesAhead: 0 })).toThrow("0 cache lines ahead");
  expect(() => setTuning({ ...now, tileBytes: -1 })).toThrow("tiles of -1 bytes");
  expect(getTuning()).toEqual(now);
});

test("spmm() refuses a diagonal without a row of x for every row", () => {
  const pattern = patternTensors({ numRows: 2, numCols: 1, indptr: [0, 1, 1], indices: [0] }, "I32");
  const args = { ...pattern, x: tensor("F32", [1, 1], [1]), out: tensor("F32", [2, 1]), reduce: 0 };
  expect(() => engine.run("spmm", { ...args, diagonal: vector("F32", [1, 1]) })).toThrow(
    "diagonal: x has 1 rows",
  );
  expect(() => engine.run("spmm", { ...args, reduce: 4 })).toThrow("reduction 4");
});
