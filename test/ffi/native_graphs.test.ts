import { describe, expect, test } from "bun:test";
import { csrFromRows } from "../../core/graph/csr.ts";
import { setThreads } from "../../ffi/engine.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { sliceGraphs } from "../../ffi/native_graphs.ts";

await openNative();

const longs = (...values: number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

describe("sliceGraphs()", () => {
  // A path of three nodes, an empty graph, one node without arcs, a pair with weights of its own.
  const csr = csrFromRows([[1], [0, 2], [1], [], [5], [4]], 6, [1, 2, 3, 4, 5, 6]);
  const ptr = longs(0, 3, 3, 4, 6);

  test("puts graphs one after another, in any order and repeated, columns counted inside", () => {
    const got = sliceGraphs(csr, ptr, longs(3, 1, 0, 2, 3));
    expect(got.ptr.toNumbers()).toEqual([0, 2, 2, 5, 6, 8]);
    expect(got.nodes.toNumbers()).toEqual([4, 5, 0, 1, 2, 3, 4, 5]);
    expect(got.csr.indptr.toNumbers()).toEqual([0, 1, 2, 3, 5, 6, 6, 7, 8]);
    expect(got.csr.indices.toNumbers()).toEqual([1, 0, 3, 2, 4, 3, 7, 6]);
    expect(got.csr.values!.toNumbers()).toEqual([5, 6, 1, 2, 3, 4, 5, 6]);
    expect([got.csr.numRows, got.csr.numCols]).toEqual([8, 8]);
  });

  test("keeps the dtype of columns and weights, and does without weights", () => {
    const wide = {
      ...csr,
      indices: longs(...csr.indices.toNumbers()),
      values: NativeArray.from<"F64">(Float64Array.of(1, 2, 3, 4, 5, 6)),
    };
    const got = sliceGraphs(wide, ptr, longs(3));
    expect([got.csr.indices.dtype, got.csr.values!.dtype]).toEqual(["I64", "F64"]);
    expect(got.csr.indices.toNumbers()).toEqual([1, 0]);
    expect(sliceGraphs({ ...csr, values: null }, ptr, longs(0)).csr.values).toBeNull();
  });

  test("gives nothing of no graphs, and of empty ones", () => {
    for (const chosen of [longs(), longs(1, 1)]) {
      const got = sliceGraphs(csr, ptr, chosen);
      expect(got.ptr.toNumbers()).toEqual(new Array(chosen.length + 1).fill(0));
      expect(got.csr.indptr.toNumbers()).toEqual([0]);
      expect(got.nodes.length + got.csr.indices.length).toBe(0);
    }
  });

  test("gives the same on 1 and 3 threads", () => {
    const many = 5000;
    const rings = Array.from({ length: 3 * many }, (_, v) => [v - v % 3 + (v + 1) % 3]);
    const big = csrFromRows(rings), starts = longs(...Array.from({ length: many + 1 }, (_, g) => 3 * g));
    const chosen = longs(...Array.from({ length: many }, (_, i) => (i * 7) % many));
    const take = () => {
      const { nodes, csr: part } = sliceGraphs(big, starts, chosen);
      return [nodes, part.indptr, part.indices].map((a) => a.toNumbers());
    };
    try {
      setThreads(1);
      const one = take();
      setThreads(3);
      expect(take()).toEqual(one);
    } finally {
      setThreads(0);
    }
  });

  test("refuses graphs, pointers and arcs that lead outside", () => {
    expect(() => sliceGraphs(csr, ptr, longs(0, 4))).toThrow("graph 4, expected numbers below 4");
    expect(() => sliceGraphs(csr, ptr, longs(-1))).toThrow("graph -1, expected numbers below 4");
    expect(() => sliceGraphs(csr, longs(0, 3, 2, 4, 6), longs(1))).toThrow("graph 1 has the rows 3 .. 2");
    expect(() => sliceGraphs(csr, longs(0, 3, 3, 4, 9), longs(3))).toThrow("graph 3 has the rows 4 .. 9");
    expect(() => sliceGraphs(csr, longs(0, 1, 3, 4, 6), longs(0))).toThrow(
      "an arc of graph 0 leads to node 1, expected a node of the graph (0 to 0)",
    );
    const broken = { ...csr, indptr: longs(0, 9, 3, 4, 4, 5, 6) };
    expect(() => sliceGraphs(broken, ptr, longs(0))).toThrow("row pointer of row 0 is 0 .. 9");
    const outside = { ...csr, indptr: longs(0, 1, 3, 4, 4, 5, 7) };
    expect(() => sliceGraphs(outside, ptr, longs(3))).toThrow("the rows of graph 3 have the entries 4 .. 7");
    expect(() => sliceGraphs({ ...csr, numCols: 9 }, ptr, longs(0))).toThrow(RangeError);
  });
});
