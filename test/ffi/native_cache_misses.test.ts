import { describe, expect, test } from "bun:test";
import { csrFromRows } from "../../core/graph/csr.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { PinnedLayout, rowwiseMisses } from "../../ffi/native_pinned.ts";
import { drawnRows } from "../core/partition/_partitions.ts";

await openNative();

/** Lines in the order of their use: those of rows of the arrays, which lie one behind the other. */
class Lines {
  readonly used: { line: number; dense: boolean }[] = [];
  #next = 0;
  add(bytes: number) {
    const at = this.#next;
    this.#next += Math.ceil(bytes / 64) * 64;
    return (from: number, bytes: number, dense = false) => {
      if (bytes === 0) return;
      for (let line = Math.floor((at + from) / 64); line <= (at + from + bytes - 1) / 64; line++) {
        this.used.push({ line, dense });
      }
    };
  }
  /** Misses by lists, the most recent line first. */
  misses(bytes: number, ways: number) {
    const sets = new Map<number, number[]>(), count = Math.floor(bytes / 64 / ways);
    const missed = { dense: 0, rest: 0 };
    for (const { line, dense } of this.used) {
      const set = sets.get(line % count) ?? [];
      if (!set.includes(line)) missed[dense ? "dense" : "rest"]++;
      sets.set(line % count, [line, ...set.filter((other) => other !== line)].slice(0, ways));
    }
    return missed;
  }
}

describe("misses equal a recount by lists", () => {
  const rows = drawnRows(200, 700), n = rows.length, a = csrFromRows(rows), entries = rows.flat().length;
  const starts = a.indptr.toNumbers();

  test.each([[64 * 4, 1], [64 * 16, 4], [2 ** 14, 16], [2 ** 22, 16]])(
    "in a cache of %d bytes, %d lines per set",
    (bytes, ways) => {
      for (const rowBytes of [4, 100, 256]) {
        const plain = new Lines(), x = plain.add(n * rowBytes), out = plain.add(n * rowBytes);
        const pointers = plain.add(8 * n + 8), indices = plain.add(4 * entries);
        rows.forEach((row, i) => {
          pointers(8 * i, 16);
          indices(4 * starts[i]!, 4 * row.length);
          row.forEach((j) => x(j * rowBytes, rowBytes, true));
          out(i * rowBytes, rowBytes);
        });
        expect(rowwiseMisses(a, rowBytes, { bytes, ways })).toEqual(plain.misses(bytes, ways));
      }
    },
  );

  test("with pinned rows, which are copied first", () => {
    const rowBytes = 100, bytes = 2 ** 13, ways = 8, clusters = [0, 90, n], room = 12;
    const layout = new PinnedLayout(a, NativeArray.from<"I64">(BigInt64Array.from(clusters, BigInt)), {
      rows: room,
      rule: "members",
    });
    const uses = rows.flat().reduce((all, j) => (all[j]!++, all), new Array<number>(n).fill(0));
    const pins = [0, 1].map((c) =>
      Array.from({ length: n }, (_, v) => v).slice(clusters[c], clusters[c + 1])
        .sort((u, v) => uses[v]! - uses[u]! || u - v).slice(0, room).sort((u, v) => u - v)
    );
    const lines = new Lines(), x = lines.add(n * rowBytes), out = lines.add(n * rowBytes);
    const pointers = lines.add(8 * n + 8), slots = lines.add(4 * entries);
    const ids = lines.add(4 * 2 * room), buffer = lines.add(room * rowBytes);
    pins.forEach((pinned, c) => {
      ids(4 * room * c, 4 * room);
      pinned.forEach((v, s) => {
        x(v * rowBytes, rowBytes, true);
        buffer(s * rowBytes, rowBytes, true);
      });
      for (let i = clusters[c]!; i < clusters[c + 1]!; i++) {
        pointers(8 * i, 16);
        slots(4 * starts[i]!, 4 * rows[i]!.length);
        for (const j of rows[i]!) {
          if (pinned.includes(j)) buffer(pinned.indexOf(j) * rowBytes, rowBytes, true);
          else x(j * rowBytes, rowBytes, true);
        }
        out(i * rowBytes, rowBytes);
      }
    });
    expect(layout.misses(rowBytes, { bytes, ways })).toEqual(lines.misses(bytes, ways));
  });

  test("a cache without room for a line per way is refused", () => {
    expect(() => rowwiseMisses(a, 64, { bytes: 100, ways: 2 })).toThrow("a cache of 100 in 2 ways");
  });
});
