import { describe, expect, test } from "bun:test";
import { type Csr, csrFromRows } from "../../core/graph/csr.ts";
import { setThreads } from "../../ffi/engine.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { pinnedHits, pinRules, recentHits, tileCounts } from "../../ffi/native_traffic.ts";
import { directedRows, drawnRows } from "../core/partition/_partitions.ts";

await openNative();

type Rows = readonly (readonly number[])[];
const longs = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

/** Rows in an order, and clusters of it, the second of them empty. */
const rows = drawnRows(200, 700), n = rows.length;
const order = Array.from({ length: n }, (_, i) => i * 77 % n);
const ptr = [0, 40, 40, 111, n];
const graphs: Record<string, Rows> = { "random graph": rows, "directed graph": directedRows(n, 5, true) };

/** The cache as a list, the most recent row first. */
function recent(rows: Rows, order: readonly number[], room: number): number {
  let cache: number[] = [], hits = 0;
  for (const j of order.flatMap((v) => rows[v]!)) {
    if (cache.includes(j)) hits++;
    cache = [j, ...cache.filter((v) => v !== j)].slice(0, room);
  }
  return hits;
}

function pinned(rows: Rows, order: readonly number[], ptr: readonly number[], room: number, rule: string) {
  const times = (columns: readonly number[], v: number) => columns.filter((j) => j === v).length;
  let pinned = 0, hits = 0;
  for (let c = 0; c + 1 < ptr.length; c++) {
    const members = order.slice(ptr[c], ptr[c + 1]), stream = members.flatMap((v) => rows[v]!);
    const of = rule === "members" ? rows.flat() : stream;
    const candidates = (rule === "members" ? members : [...new Set(stream)].filter((v) => times(of, v) >= 2))
      .map((v) => ({ v, uses: times(of, v) })).sort((a, b) => b.uses - a.uses || a.v - b.v);
    const kept = new Set(candidates.slice(0, room).map(({ v }) => v));
    pinned += kept.size;
    hits += stream.filter((j) => kept.has(j)).length;
  }
  return { pinned, hits };
}

function tiles(rows: Rows, order: readonly number[], side: number, entryBytes: number, burst: number) {
  const position = new Map(order.map((v, i) => [v, i])), counts = new Map<string, number>();
  rows.forEach((row, v) =>
    row.forEach((j) => {
      const key = [v, j].map((node) => Math.floor(position.get(node)! / side)).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    })
  );
  const all = [...counts.values()];
  const bytes = all.reduce((sum, c) => sum + Math.ceil(c * entryBytes / burst) * burst, 0);
  return { tiles: all.length, sparse: all.filter((c) => c <= 2).length, bytes };
}

const natural = Array.from({ length: n }, (_, v) => v);

describe.each(Object.entries(graphs))("counts of a %s equal a recount", (_, rows) => {
  const a = csrFromRows(rows);

  test.each([0, 1, 7, 50, n, 3 * n])("of the %d rows used last", (room) => {
    expect(recentHits(a, null, room)).toBe(recent(rows, natural, room));
    expect(recentHits(a, longs(order), room)).toBe(recent(rows, order, room));
  });

  test.each(pinRules)("of pinned rows by %s", (rule) => {
    for (const room of [0, 1, 13, 60, n]) {
      const clusters = { order: longs(order), ptr: longs(ptr) };
      expect(pinnedHits(a, clusters, room, rule)).toEqual(pinned(rows, order, ptr, room, rule));
    }
    const whole = { order: null, ptr: longs([0, n]) };
    expect(pinnedHits(a, whole, 20, rule)).toEqual(pinned(rows, natural, [0, n], 20, rule));
  });

  test("of tiles and their bursts", () => {
    for (const side of [1, 9, 64, 1000]) {
      expect(tileCounts(a, null, { side, entryBytes: 12, burst: 64 })).toEqual(
        tiles(rows, natural, side, 12, 64),
      );
      expect(tileCounts(a, longs(order), { side, entryBytes: 6, burst: 1 })).toEqual(
        tiles(rows, order, side, 6, 1),
      );
    }
  });

  test("with indices of 64 bits", () => {
    const wide: Csr = { ...a, indices: longs(rows.flat()) };
    expect(recentHits(wide, null, 20)).toBe(recent(rows, natural, 20));
  });
});

test("any number of threads counts the same tiles", () => {
  // More row blocks than one task takes.
  const a = csrFromRows(drawnRows(3000, 9000)), options = { side: 2, entryBytes: 12, burst: 64 };
  setThreads(1);
  const alone = tileCounts(a, null, options);
  setThreads(4);
  expect(tileCounts(a, null, options)).toEqual(alone);
  setThreads(0);
});

describe("degenerate inputs", () => {
  test("a matrix without rows, and one without entries", () => {
    for (const n of [0, 3]) {
      const a = csrFromRows(Array.from({ length: n }, () => []));
      expect(recentHits(a, null, 2)).toBe(0);
      expect(pinnedHits(a, { order: null, ptr: longs([0, n]) }, 2, "members")).toEqual({
        pinned: Math.min(n, 2),
        hits: 0,
      });
      expect(pinnedHits(a, { order: null, ptr: longs([0, n]) }, 2, "columns")).toEqual({
        pinned: 0,
        hits: 0,
      });
      expect(tileCounts(a, null, { side: 64, entryBytes: 12, burst: 64 })).toEqual({
        tiles: 0,
        sparse: 0,
        bytes: 0,
      });
    }
  });

  test("an order that is no permutation, and clusters that do not cover it, are refused by name", () => {
    const a = csrFromRows([[1], [0], []]);
    expect(() => recentHits(a, longs([0, 1, 3]), 1)).toThrow('"order" holds node 3 at position 2');
    expect(() => recentHits(a, longs([0, 1, 1]), 1)).toThrow('"order" holds node 1 twice');
    expect(() => recentHits(a, longs([0, 1]), 1)).toThrow("order of 2 of 3 nodes");
    for (const ptr of [[0, 2], [0, 2, 1, 3], [1, 3]]) {
      expect(() => pinnedHits(a, { order: null, ptr: longs(ptr) }, 1, "members")).toThrow(
        '"part_ptr" does not rise',
      );
    }
    expect(() => recentHits(csrFromRows([[0]], 2), null, 1)).toThrow("1 x 2 matrix");
  });
});
