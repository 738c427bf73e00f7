import { describe, expect, test } from "bun:test";
import { FeatureStore, hotRows, linesOf, type StoreKind } from "../../../core/graph/feature_store.ts";
import type { DType } from "../../../ffi/dtype.ts";
import { Engine, hostArray } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { testDevice } from "../../_device.ts";
import { integers } from "../../cu/_ops.ts";

const engine = new Engine();
const stores = ["gpu", "host-zerocopy", "host-staged", "tiered"] as const;

/** A matrix of any dtype that begins `shift` bytes behind a multiple of 128. */
function matrix(dtype: DType, rows: number, cols: number, shift = 0): NativeArray {
  const size = { U8: 1, I8: 1, F16: 2, BF16: 2, F32: 4, F64: 8 }[dtype as "U8"];
  const room = NativeArray.allocate("U8", rows * cols * size + 256, false);
  room.window().forEach((_, i, all) => all[i] = (i * 37 + 11) % 61); // small numbers: every dtype holds them
  const start = (128 - room.address % 128) % 128 + shift;
  return NativeArray.at(dtype, rows * cols, room.address + start, room);
}

const ROWS = 200;
/** Node v has v % 7 arcs. */
const hot = (bytes: number) => ({ bytes, arcs: () => Uint32Array.from({ length: ROWS }, (_, v) => v % 7) });
const nodes = NativeArray.from<"I32">(Int32Array.from(integers(300, 0, ROWS, "store")));

function rowsOf(
  kind: StoreKind,
  array: NativeArray,
  cols: number,
): { bytes: Uint8Array; store: FeatureStore } {
  const arena = engine.arena();
  const features = { kind: "dense", numFeatures: cols, array, scale: null } as const;
  const store = new FeatureStore(engine, arena, features, kind, ROWS, hot(20 * cols * 4));
  const rows = hostArray(store.rows(arena, nodes), "F32").read();
  return { bytes: new Uint8Array(rows.buffer as ArrayBuffer).slice(0, rows.byteLength), store };
}

describe.each([...stores])("%s", (kind) => {
  test.each([1, 3, 31, 32, 33, 100, 602])(
    "gives the rows themselves, %d features of 1, 2 and 4 bytes",
    (cols) => {
      for (const dtype of ["I8", "U8", "F16", "BF16", "F32"] as const) {
        for (const shift of dtype === "F32" ? [0, 4, 100] : [0, 6]) {
          const array = matrix(dtype, ROWS, cols, shift);
          const arena = engine.arena(), out = arena.tensor("F32", [nodes.length, cols]);
          engine.run("gather", { x: arena.bind(array, [ROWS, cols]), index: arena.bind(nodes), out });
          const plain = hostArray(out, "F32").read();
          const { bytes } = rowsOf(kind, array, cols);
          expect(Buffer.compare(bytes, new Uint8Array(plain.buffer as ArrayBuffer, 0, plain.byteLength)))
            .toBe(0);
          arena.destroy();
        }
      }
    },
  );

  test("counts rows and bytes, and the lines of what is read from the host's memory", () => {
    const array = matrix("F32", ROWS, 100), { store } = rowsOf(kind, array, 100);
    const { rows, bytes, lines, unaligned_lines, hot_rows } = store.counts;
    expect([rows, bytes]).toEqual([300, 300 * 400]);
    expect(hot_rows).toBe(kind === "tiered" ? 20 : 0);
    if (kind === "gpu" || kind === "host-staged") expect([lines, unaligned_lines]).toEqual([0, 0]);
    else expect(lines).toBeLessThan(unaligned_lines);
    // A GPU reads a copy whose rows begin elsewhere in their lines: at most one line more each.
    const all = linesOf(array, 400, nodes), away = testDevice === "cpu" ? 0 : rows;
    if (kind === "host-zerocopy") {
      expect(Math.abs(lines - all.aligned)).toBeLessThanOrEqual(away);
      expect(Math.abs(unaligned_lines - all.naive)).toBeLessThanOrEqual(4 * away);
    }
    if (kind === "tiered") expect(lines).toBeLessThan(all.aligned);
  });
});

describe("linesOf()", () => {
  /** Lines that a warp of 32 lanes touches, lane by lane. */
  function byHand(base: number, rowBytes: number, rows: readonly number[]) {
    const line = (at: number) => Math.floor(at / 128);
    let aligned = 0, naive = 0;
    for (const r of rows) {
      const start = base + r * rowBytes;
      const touched = new Set<number>();
      for (let at = start; at < start + rowBytes; at++) touched.add(line(at));
      aligned += touched.size;
      for (let piece = start; piece < start + rowBytes; piece += 128) {
        const lines = new Set<number>();
        for (let at = piece; at < Math.min(piece + 128, start + rowBytes); at++) lines.add(line(at));
        naive += lines.size;
      }
    }
    return { aligned, naive };
  }

  test("counts every line once per row, or once per piece of 128 bytes that begins at the row", () => {
    const rows = [0, 1, 5, 5, 2, 199];
    for (const cols of [1, 3, 31, 32, 33, 100, 602]) {
      for (const [dtype, size] of [["U8", 1], ["F16", 2], ["F32", 4]] as const) {
        const array = matrix(dtype, ROWS, cols, 6);
        const index = NativeArray.from<"I64">(BigInt64Array.from(rows, BigInt));
        expect(linesOf(array, cols * size, index)).toEqual(byHand(array.address, cols * size, rows));
      }
    }
  });

  test("leaves negative rows out, and rows of no bytes touch nothing", () => {
    const array = matrix("F32", ROWS, 32);
    const index = NativeArray.from<"I64">(BigInt64Array.from([-1n, 3n, -1n]));
    expect(linesOf(array, 128, index)).toEqual({ aligned: 1, naive: 1 });
    expect(linesOf(array, 0, index)).toEqual({ aligned: 0, naive: 0 });
  });

  test.each([[100, 4, 6.63], [602, 19.75, 36.6], [128, 4, 4], [256, 8, 8], [768, 24, 24]])(
    "%d floats take %d lines per row on average, and %d where reads begin at the row",
    (cols, aligned, naive) => {
      const rows = 3200, array = matrix("F32", rows, cols);
      const all = NativeArray.from<"I64">(BigInt64Array.from({ length: rows }, (_, i) => BigInt(i)));
      const lines = linesOf(array, 4 * cols, all);
      expect(lines.aligned / rows).toBeCloseTo(aligned, 1);
      expect(lines.naive / rows).toBeCloseTo(naive, 1);
    },
  );
});

describe("hotRows()", () => {
  const chosen = (degrees: readonly number[], bytes: number) => {
    const { place, rows } = hotRows({ bytes, arcs: () => Uint32Array.from(degrees) }, 4);
    return { place: place.toNumbers(), rows: rows.toNumbers() };
  };

  test("takes the rows of most arcs that fit, of equals the first", () => {
    expect(chosen([1, 5, 3, 5, 0], 8)).toEqual({ place: [-1, 0, -1, 1, -1], rows: [1, 3] });
    expect(chosen([2, 2, 2], 8)).toEqual({ place: [0, 1, -1], rows: [0, 1] });
    expect(chosen([2, 1], 3)).toEqual({ place: [-1, -1], rows: [] });
    expect(chosen([2, 1], 1e9)).toEqual({ place: [0, 1], rows: [0, 1] });
    expect(chosen([], 8)).toEqual({ place: [], rows: [] });
  });
});

test("no features, no rows and no nodes are stores too", () => {
  for (const kind of stores) {
    const arena = engine.arena();
    const none = NativeArray.from<"I32">(new Int32Array(0));
    const features = { kind: "dense", numFeatures: 3, array: matrix("F32", ROWS, 3), scale: null } as const;
    const store = new FeatureStore(engine, arena, features, kind, ROWS, hot(1));
    expect(store.rows(arena, none)).toMatchObject({ rows: 0, cols: 3 });
    const empty = { ...features, numFeatures: 0, array: NativeArray.allocate("F32", 0) };
    expect(new FeatureStore(engine, arena, empty, kind, ROWS, hot(1)).rows(arena, nodes)).toMatchObject({
      rows: 300,
      cols: 0,
    });
    arena.destroy();
  }
});
