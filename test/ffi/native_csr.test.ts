import { describe, expect, test } from "bun:test";
import { type Csr, csrFromRows } from "../../core/graph/csr.ts";
import { setThreads } from "../../ffi/engine.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { twoHops, withSelfLoops } from "../../ffi/native_csr.ts";
import { Random } from "../../core/tensor/rng.ts";

await openNative();

const rowsOf = ({ indptr, indices }: Csr): number[][] => {
  const ptr = indptr.toNumbers(), all = indices.toNumbers();
  return ptr.slice(1).map((end, v) => all.slice(ptr[v], end));
};

/** Random rows of up to 12 columns, some empty, none with its own node. */
function randomRows(n: number): number[][] {
  return Array.from({ length: n }, (_, v) => {
    const random = new Random({ seed: 4, stream: "rows", epoch: v });
    const size = v % 5 === 0 ? 0 : random.below(0, 0, 12);
    const row = new Set(Array.from({ length: size }, (_, i) => random.below(i + 1, 0, n)));
    row.delete(v);
    return [...row].sort((a, b) => a - b);
  });
}
const wide = (a: Csr): Csr => ({
  ...a,
  indices: NativeArray.from<"I64">(BigInt64Array.from(a.indices.toNumbers(), BigInt)),
});

describe("withSelfLoops()", () => {
  test("puts every node into its own row", () => {
    const a = csrFromRows([[1, 2], [], [0, 1, 3], [0]]);
    for (const given of [a, wide(a)]) {
      expect(rowsOf(withSelfLoops(given))).toEqual([[0, 1, 2], [1], [0, 1, 2, 3], [0, 3]]);
    }
  });
  test("takes blocks whose rows are the first of their columns, and refuses others", () => {
    expect(rowsOf(withSelfLoops(csrFromRows([[4, 2], [0]], 5)))).toEqual([[0, 4, 2], [0, 1]]);
    expect(rowsOf(withSelfLoops(csrFromRows([])))).toEqual([]);
    expect(() => withSelfLoops(csrFromRows([[0], [0]], 1))).toThrow("self-loops of a 2 x 1 matrix");
  });
});

describe("twoHops()", () => {
  test("by hand: a path, a triangle, and an arc of one direction", () => {
    expect(rowsOf(twoHops(csrFromRows([[1], [0, 2], [1, 3], [2]])))).toEqual([[2], [3], [0], [1]]);
    expect(rowsOf(twoHops(csrFromRows([[1, 2], [0, 2], [0, 1]])))).toEqual([[], [], []]);
    expect(rowsOf(twoHops(csrFromRows([[1], [2], []])))).toEqual([[2], [], []]);
    expect(rowsOf(twoHops(csrFromRows([])))).toEqual([]);
  });

  test("equals sets, on 1 and 2 threads, whatever the order of the rows", () => {
    const rows = randomRows(700);
    const want = rows.map((row, v) => {
      const far = new Set(row.flatMap((u) => rows[u]!));
      for (const u of [v, ...row]) far.delete(u);
      return [...far].sort((a, b) => a - b);
    });
    try {
      for (const threads of [1, 2]) {
        setThreads(threads);
        expect(rowsOf(twoHops(csrFromRows(rows)))).toEqual(want);
        expect(rowsOf(twoHops(wide(csrFromRows(rows.map((row) => row.toReversed())))))).toEqual(want);
      }
    } finally {
      setThreads(0);
    }
    expect(() => twoHops(csrFromRows([[0]], 2))).toThrow("two hops of a 1 x 2 matrix");
  });
});
