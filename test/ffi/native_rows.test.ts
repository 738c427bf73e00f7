import { describe, expect, test } from "bun:test";
import { csrFromRows } from "../../core/graph/csr.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import {
  columnMoments,
  csrColumns,
  DistinctRows,
  gatherCsrRows,
  gatherRows,
  placeColumns,
  sliceColumns,
  sliceCsrRows,
} from "../../ffi/native_rows.ts";

await openNative();

const floats = (...values: number[]) => NativeArray.from<"F32">(Float32Array.from(values));
const ints = (...values: number[]) => NativeArray.from<"I32">(Int32Array.from(values));
const longs = (...values: number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

describe("gatherRows()", () => {
  test("copies rows in the order of either kind of index", () => {
    const x = floats(0, 1, 10, 11, 20, 21);
    expect(gatherRows(x, 2, ints(2, 0, 2)).toNumbers()).toEqual([20, 21, 0, 1, 20, 21]);
    expect(gatherRows(x, 2, longs(1)).toNumbers()).toEqual([10, 11]);
    expect(gatherRows(x, 2, ints()).toNumbers()).toEqual([]);
    expect(gatherRows(floats(), 0, ints(0, 5)).toNumbers()).toEqual([]);
  });

  test("refuses rows outside the matrix and outputs of another size", () => {
    const x = floats(0, 1, 10, 11);
    expect(() => gatherRows(x, 2, ints(0, 2))).toThrow("row 2, expected numbers below 2");
    expect(() => gatherRows(x, 2, longs(-1))).toThrow("row -1, expected numbers below 2");
    expect(() => gatherRows(x, 2, ints(0), floats(0))).toThrow(RangeError);
  });
});

describe("gatherCsrRows() and sliceCsrRows()", () => {
  const csr = csrFromRows([[0, 2], [], [1, 2, 4], [3]], 5, [1, 2, 3, 4, 5, 6]);

  test("copy rows, empty and repeated ones too", () => {
    const got = gatherCsrRows(csr, ints(2, 1, 0, 2));
    expect(got.indptr.toNumbers()).toEqual([0, 3, 3, 5, 8]);
    expect(got.indices.toNumbers()).toEqual([1, 2, 4, 0, 2, 1, 2, 4]);
    expect(got.values!.toNumbers()).toEqual([3, 4, 5, 1, 2, 3, 4, 5]);
    expect([got.numRows, got.numCols]).toEqual([4, 5]);
  });

  test("show a range of rows with a row pointer from 0 and the entries in place", () => {
    const got = sliceCsrRows(csr, 1, 2);
    expect(got.indptr.toNumbers()).toEqual([0, 0, 3]);
    expect(got.indices.toNumbers()).toEqual([1, 2, 4]);
    expect(got.values!.toNumbers()).toEqual([3, 4, 5]);
    expect(got.indices.address).toBe(csr.indices.address + 8);
    expect(sliceCsrRows(csr, 4, 0).indices.length).toBe(0);
  });

  test("refuse row pointers that fall or lead outside", () => {
    const broken = { ...csr, indptr: longs(0, 2, 1, 9, 6) };
    expect(() => gatherCsrRows(broken, ints(1))).toThrow("row pointer of row 1 is 2 .. 1");
    expect(() => gatherCsrRows(broken, ints(2))).toThrow("row pointer of row 2 is 1 .. 9");
    expect(() => sliceCsrRows(broken, 0, 4)).toThrow("row pointer 2 is 1");
  });
});

describe("columns", () => {
  test("csrColumns() makes some columns dense; duplicates add up, absent values are ones", () => {
    const csr = csrFromRows([[0, 2, 2], [], [1, 3]], 4, [1, 2, 3, 4, 5]);
    const out = NativeArray.allocate("F32", 6, false);
    csrColumns(csr, 1, 2, out);
    expect(out.toNumbers()).toEqual([0, 5, 0, 0, 4, 0]);
    csrColumns({ ...csr, values: null }, 2, 2, out);
    expect(out.toNumbers()).toEqual([2, 0, 0, 0, 0, 1]);
    expect(() => csrColumns(csr, 3, 2, out)).toThrow("columns 3 + 2 of 4");
  });

  test("sliceColumns() and placeColumns() are each other's inverse", () => {
    const x = floats(...Array.from({ length: 3000 }, (_, i) => i));
    const back = NativeArray.allocate("F32", 3000);
    for (const [first, count] of [[0, 2], [2, 1]] as const) {
      const part = NativeArray.allocate("F32", 1000 * count, false);
      sliceColumns(x, 3, first, count, part);
      expect(part.at(count)).toBe(3 + first);
      placeColumns(part, count, back, 3, first);
    }
    expect(back.toNumbers()).toEqual(x.toNumbers());
  });

  test("columnMoments() gives mean and inverse deviation of the chosen rows, 0 for constant columns", () => {
    // Columns: 1, 3 of the chosen rows; a constant that float64 cannot average exactly; zeros.
    const rows = Array.from({ length: 3000 }, (_, i) => [i % 2 === 0 ? 1 : 3, Math.fround(0.1), 0, i]).flat();
    const { mean, inverseStd } = columnMoments(
      floats(...rows),
      4,
      longs(...Array.from({ length: 3000 }, (_, i) => i)),
    );
    expect(mean.toNumbers()).toEqual([2, Math.fround(0.1), 0, 1499.5]);
    expect(inverseStd.toNumbers().slice(0, 3)).toEqual([1, 0, 0]);
    // The numbers 0 .. n-1 have variance (n^2 - 1) / 12.
    expect(inverseStd.at(3)).toBe(Math.fround(1 / Math.sqrt((3000 ** 2 - 1) / 12)));
    expect(columnMoments(floats(...rows), 4, longs(0, 2)).inverseStd.toNumbers()).toEqual([0, 0, 0, 1]);
    expect(() => columnMoments(floats(1, 2), 1, longs(2))).toThrow("row 2, expected numbers below 2");
    expect(() => columnMoments(floats(1, 2), 1, longs())).toThrow("moments of 0 rows");
    expect(columnMoments(floats(), 0, longs(0, 5)).mean.length).toBe(0);
  });
});

test("DistinctRows counts repeats over all that was added", () => {
  const seen = new DistinctRows(10);
  seen.add(ints(1, 2, 1));
  seen.add(longs(2, 9));
  expect([seen.total, seen.distinct]).toEqual([5, 3]);
  expect(() => seen.add(ints(10))).toThrow("row 10, expected numbers below 10");
});

test("copy() gives the same elements in memory of their own, empty arrays too", () => {
  const array = NativeArray.from<"I32">(Int32Array.of(3, -1, 7)), copy = array.slice(1, 2).copy();
  array.window().fill(0);
  expect(copy.toNumbers()).toEqual([-1, 7]);
  expect(array.slice(1, 0).copy().length).toBe(0);
});
