import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  findAsymmetric,
  findBothSet,
  findCommon,
  findDescent,
  findMisgrouped,
  findNotFinite,
  findNotPermuted,
  findOutside,
  findOutsideSegments,
  findRowDescent,
  type Found,
  graphStats,
} from "../../ffi/native_checks.ts";
import { call, NativeArray, openNative } from "../../ffi/native.ts";

fc.configureGlobal({ seed: 1 });

await openNative();

const i32 = (values: readonly number[]) => NativeArray.from<"I32">(Int32Array.from(values));
const i64 = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const f32 = (values: readonly number[]) => NativeArray.from<"F32">(Float32Array.from(values));
const NONE: Found = { count: 0, place: -1, value: 0 };

/** What a check should say, from a predicate on places. */
function search(
  n: number,
  broken: (i: number) => boolean,
  report: (i: number) => [place: number, value: number],
): Found {
  const places = Array.from({ length: n }, (_, i) => i).filter(broken);
  if (places.length === 0) return NONE;
  const [place, value] = report(places[0]!);
  return { count: places.length, place, value };
}

/** Rows of small numbers, as pointer and items. */
const ragged = (max: number) =>
  fc.array(fc.array(fc.integer({ min: 0, max }), { maxLength: 5 }), { minLength: 1, maxLength: 12 });
const pointerOf = (rows: readonly (readonly unknown[])[]) =>
  rows.reduce<number[]>((ptr, row) => [...ptr, ptr.at(-1)! + row.length], [0]);

describe("against a plain search:", () => {
  test("findOutside()", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -5, max: 5 })),
        fc.integer({ min: -3, max: 0 }),
        fc.integer({ min: 0, max: 3 }),
        (v, low, high) => {
          const wanted = search(v.length, (i) => v[i]! < low || v[i]! > high, (i) => [i, v[i]!]);
          expect(findOutside(i32(v), low, high)).toEqual(wanted);
          expect(findOutside(i64(v), low, high)).toEqual(wanted);
        },
      ),
    );
  });

  test("findNotFinite()", () => {
    const value = fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, 3.4e38, 1e-45));
    fc.assert(fc.property(fc.array(value), (v) => {
      const wanted = search(v.length, (i) => !Number.isFinite(v[i]), (i) => [i, 0]);
      expect(findNotFinite(f32(v))).toEqual(wanted);
      expect(findNotFinite(NativeArray.from<"F64">(Float64Array.from(v)))).toEqual(wanted);
    }));
    const halves = NativeArray.from<"F16">(Uint16Array.of(0x7bff, 0x7c00, 0xfc01, 0x0001), "F16");
    expect(findNotFinite(halves)).toEqual({ count: 2, place: 1, value: 0 });
    const brains = NativeArray.from<"BF16">(Uint16Array.of(0x7f7f, 0xff80, 0x7c00), "BF16");
    expect(findNotFinite(brains)).toEqual({ count: 1, place: 1, value: 0 });
  });

  test("findDescent()", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 3 })), fc.boolean(), (v, strict) => {
      const wanted = search(
        v.length,
        (i) => i > 0 && (strict ? v[i - 1]! >= v[i]! : v[i - 1]! > v[i]!),
        (i) => [i, 0],
      );
      for (const array of [i32(v), i64(v), f32(v)]) expect(findDescent(array, strict)).toEqual(wanted);
    }));
  });

  test("findRowDescent()", () => {
    fc.assert(fc.property(ragged(3), fc.boolean(), (rows, strict) => {
      const items = rows.flatMap((row, r) => row.map((value, i) => ({ r, value, next: row[i + 1] })));
      const wanted = search(
        items.length,
        (i) =>
          items[i]!.next !== undefined &&
          (strict ? items[i]!.value >= items[i]!.next! : items[i]!.value > items[i]!.next!),
        (i) => [items[i]!.r, i],
      );
      expect(findRowDescent(i64(pointerOf(rows)), i32(rows.flat()), strict)).toEqual(wanted);
    }));
  });

  test("findOutsideSegments()", () => {
    fc.assert(fc.property(ragged(6), fc.integer({ min: 0, max: 3 }), (rows, shift) => {
      const low = rows.map((_, r) => (r + shift) % 3);
      const high = rows.map((_, r) => low[r]! + (r * shift) % 4);
      const items = rows.flatMap((row, r) => row.map((value) => ({ r, value })));
      const wanted = search(
        items.length,
        (i) => items[i]!.value < low[items[i]!.r]! || items[i]!.value >= high[items[i]!.r]!,
        (i) => [i, items[i]!.value],
      );
      expect(findOutsideSegments(i64(pointerOf(rows)), i32(rows.flat()), i64(low), i64(high))).toEqual(
        wanted,
      );
    }));
  });

  test("findNotPermuted()", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -1, max: 6 }), { maxLength: 6 }), (v) => {
      const wanted = search(
        v.length,
        (i) => v[i]! < 0 || v[i]! >= v.length || v.indexOf(v[i]!) < i,
        (i) => [i, v[i]!],
      );
      expect(findNotPermuted(i64(v))).toEqual(wanted);
    }));
  });

  test("findMisgrouped()", () => {
    const grouped = ragged(4).chain((rows) => {
      const n = rows.flat().length;
      return fc.tuple(
        fc.constant(rows),
        fc.array(fc.integer({ min: -1, max: n }), { minLength: n, maxLength: n }),
        fc.array(fc.nat(rows.length - 1), { minLength: n, maxLength: n }),
      );
    });
    fc.assert(fc.property(grouped, ([rows, order, group]) => {
      const segment = rows.flatMap((row, r) => row.map(() => r));
      const wanted = search(order.length, (i) => group[order[i]!] !== segment[i], (i) => [i, order[i]!]);
      expect(findMisgrouped(i64(pointerOf(rows)), i64(order), i32(group))).toEqual(wanted);
    }));
  });

  test("findBothSet() and findCommon()", () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean())), (pairs) => {
      const mask = (side: 0 | 1) =>
        NativeArray.from<"BOOL">(Uint8Array.from(pairs, (p) => Number(p[side])), "BOOL");
      const list = (side: 0 | 1) => pairs.flatMap((p, i) => p[side] ? [i * 3] : []);
      expect(findBothSet(mask(0), mask(1))).toEqual(
        search(pairs.length, (i) => pairs[i]![0] && pairs[i]![1], (i) => [i, 0]),
      );
      const [a, b] = [list(0), list(1)];
      expect(findCommon(i64(a), i64(b))).toEqual(
        search(a.length, (i) => b.includes(a[i]!), (i) => [i, a[i]!]),
      );
    }));
  });

  test("findAsymmetric() and graphStats()", () => {
    const adjacency = fc.integer({ min: 1, max: 6 }).chain((n) =>
      fc.array(fc.array(fc.nat(n - 1), { maxLength: 5 }), { minLength: n, maxLength: n })
    );
    fc.assert(fc.property(adjacency, (unsorted) => {
      const rows = unsorted.map((row) => [...row].sort((a, b) => a - b));
      const arcs = rows.flatMap((row, v) => row.map((u) => ({ v, u })));
      const [indptr, indices] = [i64(pointerOf(rows)), i64(rows.flat())];
      const wanted = search(
        arcs.length,
        (i) => !rows[arcs[i]!.u]!.includes(arcs[i]!.v),
        (i) => [arcs[i]!.v, arcs[i]!.u],
      );
      expect(findAsymmetric(indptr, indices)).toEqual(wanted);
      expect(graphStats(indptr, indices)).toEqual({
        selfLoops: arcs.filter(({ u, v }) => u === v).length,
        duplicateEdges: rows.map((row) => row.length - new Set(row).size).reduce((a, b) => a + b, 0),
        emptyRows: rows.filter((row) => row.length === 0).length,
        minDegree: Math.min(...rows.map((row) => row.length)),
        maxDegree: Math.max(...rows.map((row) => row.length)),
      });
    }));
  });
});

test("checks of arrays that span many chunks give the same on 1 and on 4 threads", () => {
  const n = 300_001;
  const values = Int32Array.from({ length: n }, (_, i) => i % 70_000 === 69_999 ? -7 : i % 11);
  const array = NativeArray.from<"I32">(values);
  const results = [1, 4].map((threads) => {
    call("gust_set_num_threads", threads);
    return [findOutside(array, 0, 10), findDescent(array, false)];
  });
  call("gust_set_num_threads", 0);
  expect(results[0]).toEqual(results[1]!);
  expect(results[0]![0]).toEqual({ count: 4, place: 69_999, value: -7 });
});

test("a pointer that would lead out of its items is refused, not followed", () => {
  for (const ptr of [[0, 5], [1, 3], [0, 4, 3], [0, -1, 3], [0, 2]]) {
    expect(() => findRowDescent(i64(ptr), i32([1, 2, 3]), false)).toThrow(/pointer/);
  }
  expect(() => findOutsideSegments(i64([0, 3]), i32([1, 2, 3]), i64([]), i64([1]))).toThrow(
    "low has 0 elements, expected 1",
  );
  expect(() => findMisgrouped(i64([0, 3]), i64([0, 1, 2]), i32([0]))).toThrow(
    "group has 1 elements, expected 3",
  );
});

test("checks refuse types that they do not know", () => {
  expect(() => findNotFinite(i32([1]) as never)).toThrow("expected F64, F32, F16 or BF16");
  expect(() => findOutside(f32([1]) as never, 0, 1)).toThrow("expected I64, I32, U8 or BOOL");
  expect(() => findDescent(NativeArray.allocate("U8", 1) as never, true)).toThrow(
    "expected I64, I32, F64 or F32",
  );
});
