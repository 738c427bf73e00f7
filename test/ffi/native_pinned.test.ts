import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Csr, csrFromRows } from "../../core/graph/csr.ts";
import { spmm as reference } from "../../core/reference/spmm.ts";
import { Random } from "../../core/tensor/rng.ts";
import { Engine, setIsa, setThreads } from "../../ffi/engine.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { PinnedLayout } from "../../ffi/native_pinned.ts";
import { pinnedHits, type PinRule, pinRules } from "../../ffi/native_traffic.ts";
import { reductions } from "../../ffi/ops.ts";
import { directedRows, drawnRows } from "../core/partition/_partitions.ts";
import { isas } from "../cu/_ops.ts";

await openNative();

type Rows = readonly (readonly number[])[];
const longs = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const floats = (values: ArrayLike<number>) => NativeArray.from<"F32">(Float32Array.from(values));
const numbers = (n: number, stream: string) => {
  const random = new Random({ seed: 3, stream });
  return Array.from({ length: n }, (_, i) => Math.fround(2 * random.f64(i, 0) - 1));
};
const size = (rows: Rows) => rows.reduce((sum, row) => sum + row.length, 0);

interface Factors {
  readonly values?: number[];
  readonly left?: number[];
  readonly right?: number[];
  readonly diagonal?: number[];
}

function multiplied(
  a: Csr,
  ptr: readonly number[],
  x: readonly number[],
  f: number,
  { rows = 10, rule = "columns" as PinRule, ...factors }: Factors & { rows?: number; rule?: PinRule } = {},
): number[] {
  const layout = new PinnedLayout(a, longs(ptr), { rows, rule }),
    out = floats(new Float32Array(a.numRows * f));
  const given = Object.fromEntries(
    Object.entries(factors).map(([name, list]) => [name, floats(list)]),
  );
  layout.multiply(floats(x), f, out, given);
  layout.close();
  return out.toNumbers();
}

const n = 300, graph = directedRows(n, 9, true), ptr = [0, 70, 70, 111, n], count = size(graph);
const factors: Record<string, Factors> = {
  "without factors": {},
  "with values": { values: numbers(count, "values") },
  "with the scales of a normalised adjacency": {
    left: numbers(n, "left"),
    right: numbers(n, "right"),
    diagonal: numbers(n, "diagonal"),
  },
  "with all factors": {
    values: numbers(count, "values"),
    left: numbers(n, "left"),
    right: numbers(n, "right"),
    diagonal: numbers(n, "diagonal"),
  },
};

describe("a product with pinned rows", () => {
  test("of a case by hand", () => {
    // Rows 0 and 1 pin node 2, which both name; row 2 pins nothing.
    const a = csrFromRows([[2, 1], [2, 2], [0]]), x = [1, 10, 2, 20, 4, 40];
    const layout = new PinnedLayout(a, longs([0, 2, 3]), { rows: 1, rule: "columns" });
    expect([layout.pinned, layout.most, layout.hits]).toEqual([1, 1, 3]);
    const out = floats(new Float32Array(6));
    layout.multiply(floats(x), 2, out, { left: floats([1, 1, 3]), diagonal: floats([0, 0, 2]) });
    expect(out.toNumbers()).toEqual([6, 60, 8, 80, 3 * 1 + 2 * 4, 3 * 10 + 2 * 40]);
  });

  test.each(Object.entries(factors))("equals float64 %s, for widths of every kind", (_, given) => {
    const a = csrFromRows(graph);
    const plain = { numRows: n, numCols: n, indptr: a.indptr.toNumbers(), indices: graph.flat() };
    for (const f of [1, 3, 16, 17, 64, 130, 200]) {
      const x = numbers(n * f, "x"), got = multiplied(a, ptr, x, f, given);
      const csr = { ...plain, values: given.values };
      const want = reference(csr, x, f, given).out;
      // Terms are at most 1 and three times rounded, and so are up to 13 sums of at most 13 of them.
      const bound = (13 * 3 + 13 * 13) * 2 ** -24;
      got.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThan(bound));
    }
  });

  test("has the bits of the spmm op where no factor is given", () => {
    const engine = new Engine(), arena = engine.arena(), a = csrFromRows(graph), f = 40;
    const x = numbers(n * f, "x"), out = floats(new Float32Array(n * f));
    engine.run("spmm", {
      indptr: arena.bind(a.indptr),
      indices: arena.bind(a.indices),
      x: arena.bind(floats(x), [n, f]),
      out: arena.bind(out, [n, f]),
      reduce: reductions.sum,
    });
    expect(multiplied(a, ptr, x, f)).toEqual(out.toNumbers());
    engine.destroy();
  });

  test("has the same bits on any number of threads and with any instructions", () => {
    const rows = drawnRows(3000, 40_000), a = csrFromRows(rows), f = 70, x = numbers(3000 * f, "x");
    const given = { values: numbers(size(rows), "values"), right: numbers(3000, "right") };
    const parts = Array.from({ length: 21 }, (_, c) => 150 * c);
    const run = () => multiplied(a, parts, x, f, { ...given, rows: 40 });
    setThreads(1);
    const alone = run();
    setThreads(4);
    expect(run()).toEqual(alone);
    setThreads(0);
    for (const isa of isas) {
      setIsa(isa);
      expect(run()).toEqual(alone);
    }
  });

  test("has the same bits for any order of the nodes, clusters and pinned rows, columns in their row's order", () => {
    const cases = fc.record({
      rows: fc.array(fc.array(fc.nat(), { maxLength: 12 }), { minLength: 1, maxLength: 40 }),
      keys: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
      cuts: fc.array(fc.nat(), { maxLength: 6 }),
      room: fc.nat(12),
      rule: fc.constantFrom(...pinRules),
    });
    fc.assert(fc.property(cases, ({ rows, keys, cuts, room, rule }) => {
      const n = rows.length, f = 5, x = numbers(n * f, "x");
      const natural = rows.map((row) => row.map((j) => j % n));
      const want = multiplied(csrFromRows(natural), [0, n], x, f, { rows: 0 });
      const order = Array.from({ length: n }, (_, v) => v).sort((u, v) => keys[u]! - keys[v]! || u - v);
      const place = new Map(order.map((v, i) => [v, i]));
      const moved = csrFromRows(order.map((v) => natural[v]!.map((j) => place.get(j)!)));
      const ptr = [0, ...cuts.map((cut) => cut % (n + 1)).sort((a, b) => a - b), n];
      const movedX = order.flatMap((v) => x.slice(v * f, (v + 1) * f));
      const got = multiplied(moved, ptr, movedX, f, { rows: room, rule });
      const back = Array.from({ length: n }, (_, v) => got.slice(place.get(v)! * f, (place.get(v)! + 1) * f));
      expect(back.flat()).toEqual(want);
    }));
  });

  test("a row longer than a task stays whole", () => {
    const hub = Array.from({ length: 20_000 }, (_, i) => i % 50);
    const rows = Array.from({ length: 50 }, (_, v) => v === 7 ? hub : [v]);
    const got = multiplied(csrFromRows(rows), [0, 20, 50], Array.from({ length: 50 }, () => 1), 1, {
      rows: 3,
    });
    expect(got).toEqual(rows.map((row) => row.length));
  });

  test.each(pinRules)("pins what traffic counts, by %s", (rule) => {
    const a = csrFromRows(graph), clusters = { order: null, ptr: longs(ptr) };
    for (const rows of [0, 1, 20, 5 * n]) {
      const { pinned, hits } = new PinnedLayout(a, clusters.ptr, { rows, rule });
      expect({ pinned, hits }).toEqual(pinnedHits(a, clusters, rows, rule));
    }
  });

  test("of nothing: no rows, no entries, no columns, indices of 64 bits", () => {
    expect(multiplied(csrFromRows([]), [0, 0], [], 3)).toEqual([]);
    expect(multiplied(csrFromRows([[], []]), [0, 1, 2], [1, 2], 1, { diagonal: [3, 4] })).toEqual([3, 8]);
    expect(multiplied(csrFromRows([[0]]), [0, 1], [], 0)).toEqual([]);
    const wide = { ...csrFromRows([[1, 1], [0]]), indices: longs([1, 1, 0]) };
    expect(multiplied(wide, [0, 2], [1, 10], 1)).toEqual([20, 1]);
  });

  test("clusters, shapes and lengths that do not fit are refused by name", () => {
    const a = csrFromRows([[1], [0], []]), options = { rows: 1, rule: "members" } as const;
    for (const bad of [[0, 2], [0, 2, 1, 3], [1, 3]]) {
      expect(() => new PinnedLayout(a, longs(bad), options)).toThrow('"part_ptr" does not rise from 0 to 3');
    }
    expect(() => new PinnedLayout(csrFromRows([[0]], 2), longs([0, 1]), options)).toThrow("1 x 2 matrix");
    expect(() => new PinnedLayout(a, longs([0, 3]), { ...options, rows: -1 })).toThrow("-1 pinned rows");
    const layout = new PinnedLayout(a, longs([0, 3]), options),
      x = floats([1, 2, 3]),
      out = floats([0, 0, 0]);
    expect(() => layout.multiply(x, 2, out)).toThrow("x of 3 numbers, expected 6");
    expect(() => layout.multiply(x, 1, out, { values: x })).toThrow("values of 3 numbers, expected 2");
    expect(() => layout.multiply(x, 1, out, { right: floats([1]) })).toThrow(
      "right of 1 numbers, expected 3",
    );
    layout.close();
    expect(() => layout.multiply(x, 1, out)).toThrow("pinned layout: closed");
  });
});
