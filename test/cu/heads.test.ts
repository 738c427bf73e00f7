import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/heads.ts";
import { Random } from "../../core/tensor/rng.ts";
import { streamId } from "../../ffi/engine.ts";
import { maxDegree, patternTensors, randomCsr } from "./_csr.ts";
import { engine, expectEverywhere, numbers, randoms, realTypes, rounded, roundoff, tensor } from "./_ops.ts";

const shapes: [string, Parameters<typeof randomCsr>[0], number, number][] = [
  ["eight heads of eight", { n: 700, m: 900, degree: 6 }, 64, 8],
  ["one head of seven columns", { n: 300, m: 300, degree: 5 }, 7, 1],
  ["heads of one column, and a hub", { n: 50, m: 60, degree: 4, hub: 5000 }, 4, 4],
  ["three heads of five", { n: 200, m: 100, degree: 8 }, 15, 3],
];

describe.each([...realTypes])("%s", (dtype) => {
  test("a small case by hand", () => {
    const indptr = tensor("I64", [3], [0, 2, 2]), indices = tensor("I32", [2], [1, 2]);
    const x = tensor(dtype, [2, 2], [1, 2, 9, 9]), y = tensor(dtype, [3, 2], [9, 9, 3, 5, 4, 6]);
    const values = tensor(dtype, [2, 2], [1, 10, 2, 20]), out = tensor(dtype, [2, 2]);
    engine.run("spmm_heads", { indptr, indices, values, x: y, out });
    expect(numbers(out)).toEqual([3 + 8, 50 + 120, 0, 0]);
    engine.run("sddmm_heads", { indptr, indices, x, y, out });
    expect(numbers(out)).toEqual([3, 10, 4, 12]);
    const sums = tensor(dtype, [2, 1]);
    engine.run("sddmm_heads", { indptr, indices, x, y, out: sums });
    expect(numbers(sums)).toEqual([13, 16]);
    engine.run("edge_sum", { indptr, indices, x, y, out });
    expect(numbers(out)).toEqual([4, 7, 5, 8]);
  });

  test.each(shapes)("match the reference: %s", (_, shape, f, heads) => {
    for (const index of ["I32", "I64"] as const) {
      const csr = randomCsr(shape), { numRows: n, numCols: m } = csr, nnz = csr.indices.length;
      const { indptr, indices } = patternTensors(csr, index);
      const weights = rounded(dtype, randoms(nnz * heads, "weights"));
      const a = rounded(dtype, randoms(n * f, "x")), b = rounded(dtype, randoms(m * f, "y"));
      const values = tensor(dtype, [nnz, heads], weights);
      const x = tensor(dtype, [n, f], a), y = tensor(dtype, [m, f], b);
      const out = tensor(dtype, [n, f]),
        perEdge = tensor(dtype, [nnz, heads]),
        sums = tensor(dtype, [nnz, f]);
      // Partial sums of d terms below 1, whose roundings have either sign.
      const tolerance = roundoff[dtype] * (2 * Math.sqrt(maxDegree(csr)) + 8) * 4;
      expectEverywhere(
        out,
        reference.spmmHeads(csr, weights, b, f, heads),
        tolerance,
        () => engine.run("spmm_heads", { indptr, indices, values, x: y, out }),
      );
      expectEverywhere(
        perEdge,
        reference.sddmmHeads(csr, a, b, f, heads),
        (f + 2) * roundoff[dtype],
        () => engine.run("sddmm_heads", { indptr, indices, x, y, out: perEdge }),
      );
      expectEverywhere(
        sums,
        reference.edgeSum(csr, a, b, f),
        roundoff[dtype],
        () => engine.run("edge_sum", { indptr, indices, x, y, out: sums }),
      );
    }
  });

  test("dropout_edges() keeps what the hash of the edge's nodes says", () => {
    const csr = randomCsr({ n: 400, m: 500, degree: 5 }), nnz = csr.indices.length, heads = 3;
    const { indptr, indices } = patternTensors(csr, "I32");
    const values = rounded(dtype, randoms(nnz * heads, "x")), x = tensor(dtype, [nnz, heads], values);
    const out = tensor(dtype, [nnz, heads]);
    engine.setStep(5, 2, 7);
    const random = new Random({ seed: 5, stream: "dropout", epoch: 2, step: 7, layer: 4 });
    const call = { indptr, indices, x, out, stream: streamId("dropout"), layer: 4 };
    const numbersOfNodes = Array.from({ length: 500 }, (_, i) => 3 * i + 1);
    const ids = tensor("I64", [500], numbersOfNodes);
    for (const p of [0.25, 0.6]) {
      const want = reference.dropoutEdges(csr, values, heads, p, random);
      expectEverywhere(out, want, 2 * roundoff[dtype], () => engine.run("dropout_edges", { ...call, p }));
      const kept = numbers(out).filter((v) => v !== 0).length / (nnz * heads);
      // Six standard deviations of the mean of 6,000 draws.
      expect(Math.abs(kept - (1 - p))).toBeLessThan(6 * Math.sqrt(0.25 / (nnz * heads)));
      const other = reference.dropoutEdges(csr, values, heads, p, random, numbersOfNodes);
      expectEverywhere(
        out,
        other,
        2 * roundoff[dtype],
        () => engine.run("dropout_edges", { ...call, ids, p }),
      );
      expect(other).not.toEqual(want);
    }
    engine.run("dropout_edges", { ...call, p: 0 });
    expect(numbers(out)).toEqual(values);
    expect(() => engine.run("dropout_edges", { ...call, p: 1.5 })).toThrow("dropout probability 1.5");
  });

  test("no rows, no entries and no columns are fine; heads must divide the columns", () => {
    const indices = tensor("I32", [0]);
    for (const [n, f] of [[0, 4], [3, 4], [3, 0]] as const) {
      const indptr = tensor("I64", [n + 1], new Array(n + 1).fill(0)), x = tensor(dtype, [n, f]);
      const none = tensor(dtype, [0, 2]), out = tensor(dtype, [n, f], new Array(n * f).fill(7));
      engine.run("spmm_heads", { indptr, indices, values: none, x, out });
      expect(numbers(out)).toEqual(new Array(n * f).fill(0));
      engine.run("sddmm_heads", { indptr, indices, x, y: x, out: none });
      engine.run("edge_sum", { indptr, indices, x, y: x, out: tensor(dtype, [0, f]) });
      engine.run("dropout_edges", { indptr, indices, x: none, out: none, p: 0.5, stream: 1, layer: 0 });
    }
    const indptr = tensor("I64", [2], [0, 0]), x = tensor(dtype, [1, 4]), three = tensor(dtype, [0, 3]);
    expect(() => engine.run("spmm_heads", { indptr, indices, values: three, x, out: x })).toThrow(
      "4 columns, expected a multiple of 3 heads",
    );
    expect(() => engine.run("sddmm_heads", { indptr, indices, x, y: x, out: three })).toThrow(
      "multiple of 3",
    );
  });
});
