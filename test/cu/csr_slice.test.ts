import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/csr.ts";
import { testDevice } from "../_device.ts";
import { patternTensors, randomCsr, type Shape } from "./_csr.ts";
import { engine, expectSameOnThreads, integers, numbers, onEveryIsa, tensor } from "./_ops.ts";

type Index = "I32" | "I64";
const slice = (
  csr: reference.PlainCsr,
  rows: readonly number[],
  index: Index,
  outIndex: Index,
  kept: number,
) => {
  const outs = [tensor("I64", [csr.numCols + 1]), tensor(outIndex, [kept]), tensor("I64", [kept])] as const;
  const [out_indptr, out_indices, order] = outs;
  const args = {
    ...patternTensors(csr, index),
    rows: tensor("I64", [rows.length], rows),
    out_indptr,
    out_indices,
  };
  return { outs, args, run: () => engine.run("csr_slice_transposed", { ...args, order }) };
};
const keptOf = ({ indptr }: reference.PlainCsr, rows: readonly number[]) =>
  rows.reduce((sum, i) => sum + indptr[i + 1]! - indptr[i]!, 0);

const small = { numRows: 4, numCols: 4, indptr: [0, 2, 2, 5, 7], indices: [3, 0, 0, 2, 2, 3, 0] };

const shapes: Shape[] = [
  { n: 7, m: 5, degree: 3 },
  { n: 20_000, m: 9, degree: 12 }, // many runs, few groups
  { n: 400, m: 30_000, degree: 300 }, // more than one block of groups
  { n: 300, m: 40, degree: 9, hub: 60_000 }, // a row that is in several runs
];

describe("csr_slice_transposed()", () => {
  test("keeps duplicates, the order of the rows and their numbers, by hand", () => {
    const { outs, args, run } = slice(small, [1, 2, 3], "I32", "I32", 5);
    run();
    expect(outs.map(numbers)).toEqual([[0, 2, 2, 4, 5], [2, 3, 2, 2, 3], [2, 6, 3, 4, 5]]);
    engine.run("csr_slice_transposed", args);
    expect(numbers(outs[1])).toEqual([2, 3, 2, 2, 3]);
  });

  test("lists the entries of a row as often as the row", () => {
    const { outs, run } = slice(small, [0, 0, 3], "I32", "I64", 6);
    run();
    expect(outs.map(numbers)).toEqual([[0, 3, 3, 3, 6], [0, 0, 3, 0, 0, 3], [1, 1, 6, 0, 0, 5]]);
  });

  test.each(shapes)("is the reference's on every thread count and instruction set at %j", (shape) => {
    const csr = randomCsr(shape), draw = integers(shape.n, 0, 3, "listed");
    const rows = Array.from({ length: shape.n }, (_, i) => i).filter((i) => i === 1 || draw[i] === 0);
    const want = reference.sliceTransposed(csr, rows), kept = keptOf(csr, rows);
    for (const [index, outIndex] of [["I32", "I64"], ["I64", "I32"]] as const) {
      const { outs, run } = slice(csr, rows, index, outIndex, kept);
      onEveryIsa(() => {
        expectSameOnThreads(outs, run);
        expect(outs.map(numbers)).toEqual([want.indptr, want.indices, want.order]);
      });
    }
  });

  test("of all rows is the transpose", () => {
    const csr = randomCsr({ n: 900, m: 70, degree: 30 }), rows = Array.from({ length: 900 }, (_, i) => i);
    const { outs, run } = slice(csr, rows, "I32", "I32", csr.indices.length), want = reference.transpose(csr);
    run();
    expect(outs.map(numbers)).toEqual([want.indptr, want.indices, want.order]);
  });

  test("of I times G is dense(A)[I, :]^T G[I, :], whole numbers exactly", () => {
    const n = 8, f = 3, rows = [1, 2, 5, 7];
    const indices = integers(20, 0, n, "columns"), values = integers(20, -4, 5, "weights");
    const csr = { numRows: n, numCols: n, indptr: [0, 3, 5, 9, 9, 12, 15, 15, 20], indices, values };
    const g = integers(n * f, -9, 10, "gradient"), dense = reference.toDense(csr);
    const want = Array.from({ length: n * f }, (_, p) => {
      const j = Math.floor(p / f), c = p % f;
      return rows.reduce((sum, i) => sum + dense[i * n + j]! * g[i * f + c]!, 0);
    });
    const { outs, run } = slice(csr, rows, "I32", "I32", keptOf(csr, rows));
    run();
    const [indptr, sliced, order] = outs, kept = tensor("F64", [sliced.rows]), out = tensor("F64", [n, f]);
    engine.run("gather", { x: tensor("F64", [20], values), index: order, out: kept });
    engine.run("spmm", {
      indptr,
      indices: sliced,
      values: kept,
      x: tensor("F64", [n, f], g),
      out,
      reduce: 0,
    });
    expect(numbers(out)).toEqual(want);
  });

  test("no listed rows, no rows, no columns and no entries are fine", () => {
    const run = (csr: reference.PlainCsr, rows: number[]) => {
      const made = slice(csr, rows, "I32", "I64", keptOf(csr, rows));
      made.run();
      return made.outs.map(numbers);
    };
    expect(run(small, [])).toEqual([[0, 0, 0, 0, 0], [], []]);
    expect(run(small, [1])).toEqual([[0, 0, 0, 0, 0], [], []]);
    expect(run({ numRows: 0, numCols: 2, indptr: [0], indices: [] }, [])).toEqual([[0, 0, 0], [], []]);
    expect(run({ numRows: 2, numCols: 0, indptr: [0, 0, 0], indices: [] }, [0, 1])).toEqual([[0], [], []]);
  });

  test("refuses rows that there are not, rows out of order and room for another number of entries", () => {
    // A GPU cannot tell the host: rows that there are not have no entries.
    if (testDevice !== "cpu") {
      const { outs, run } = slice(small, [0, 4, -1], "I32", "I32", 2);
      run();
      return expect(outs.map(numbers)).toEqual([[0, 1, 1, 1, 2], [0, 0], [1, 0]]);
    }
    expect(() => slice(small, [1, 4], "I32", "I32", 0).run()).toThrow(
      "row 4 at place 1 of the listed rows, expected",
    );
    expect(() => slice(small, [-1], "I32", "I32", 0).run()).toThrow("row -1 at place 0");
    expect(() => slice(small, [2, 0], "I32", "I32", 5).run()).toThrow("row 0 at place 1");
    expect(() => slice(small, [0, 2], "I32", "I32", 4).run()).toThrow("room for 4 entries, expected the 5");
  });
});
