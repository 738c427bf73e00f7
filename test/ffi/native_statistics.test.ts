import { afterAll, describe, expect, test } from "bun:test";
import { call, NativeArray, openNative } from "../../ffi/native.ts";
import {
  Components,
  countClasses,
  countColumns,
  countZeros,
  histogram,
  labelledArcs,
  lengthDistribution,
  occurrenceDistribution,
  rangeOf,
} from "../../ffi/native_statistics.ts";

await openNative();
afterAll(() => void call("gust_set_num_threads", 0));

const i32 = (...values: number[]) => NativeArray.from<"I32">(Int32Array.from(values));
const i64 = (...values: number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

describe("distributions", () => {
  test("count zeros, then doubling bins", () => {
    expect(lengthDistribution(i64(0, 0, 1, 3, 6, 14), 14)).toEqual({
      least: 0,
      greatest: 8,
      bins: [1, 1, 2, 0, 1],
    });
    expect(lengthDistribution(i64(0), 0)).toEqual({ least: 0, greatest: 0, bins: [] });
    expect(occurrenceDistribution(4, i32(1, 1, 3, 1))).toEqual({ least: 0, greatest: 3, bins: [2, 1, 1] });
    expect(occurrenceDistribution(2, i64(1))).toEqual({ least: 0, greatest: 1, bins: [1, 1] });
  });

  test("refuse illegal pointers and indices", () => {
    expect(() => lengthDistribution(i64(0, 3, 1), 3)).toThrow("row 1 spans 3 to 1");
    expect(() => lengthDistribution(i64(0, 9), 3)).toThrow("row 0 spans 0 to 9");
    expect(() => occurrenceDistribution(2, i32(0, 2))).toThrow("index 1 is 2, expected 0 to 1");
    expect(() => occurrenceDistribution(2, i32(-1))).toThrow("index 0 is -1");
  });
});

describe("Components", () => {
  test("join rows and columns of different nodes", () => {
    const components = new Components(6);
    // Rows 4, 5 and columns 0, 1, 2: 4 takes from 0 and 2, 5 from nobody.
    components.join({ indptr: i64(0, 2, 2), indices: i32(0, 2) }, 4, 0, 3);
    expect(components.sizes()).toEqual({ count: 4, largest: 3, single: 3, bins: [0, 3, 1] });
  });

  test("refuse columns that are not there", () => {
    const components = new Components(3);
    expect(() => components.join({ indptr: i64(0, 1, 1, 1), indices: i32(3) })).toThrow("index 0 is 3");
    expect(() => components.join({ indptr: i64(0, 0), indices: i32() }, 3)).toThrow("outside of 3 nodes");
  });
});

test("countClasses(), countColumns() and countZeros() by hand", () => {
  const mask = NativeArray.from(Uint8Array.of(1, 0, 1, 1), "BOOL") as NativeArray<"BOOL">;
  expect(countClasses(i32(2, 0, -1, 2), 3)).toEqual({ counts: [1, 0, 2], negative: 1 });
  expect(countClasses(i32(2, 0, -1, 2), 3, mask)).toEqual({ counts: [0, 0, 2], negative: 1 });
  expect(() => countClasses(i32(3), 3)).toThrow("value 0 is 3, expected 0 to 2");
  expect(() => countClasses(i32(3), 3, mask)).toThrow("mask has 4 elements, expected 1");
  const cells = NativeArray.from<"U8">(Uint8Array.of(1, 0, 0, 5, 1, 1, 0, 0));
  expect(countColumns(cells, 2)).toEqual([2, 2]);
  expect(countColumns(cells, 2, mask)).toEqual([2, 1]);
  expect(countZeros(NativeArray.from<"F32">(Float32Array.of(0, -0, 1, NaN)))).toBe(2);
  expect(countZeros(NativeArray.from(Uint16Array.of(0, 0x8000, 1), "F16"))).toBe(2);
  expect(countZeros(NativeArray.from<"F32">(new Float32Array(0)))).toBe(0);
});

test("rangeOf() and histogram() leave out what is no number", () => {
  const values = NativeArray.from<"F64">(Float64Array.of(NaN, 3, -1, 1));
  expect(rangeOf(values)).toEqual({ least: -1, greatest: 3 });
  expect(histogram(values, -1, 3, 4)).toEqual([1, 0, 1, 1]);
  expect(histogram(i64(5, 5), 5, 5, 3)).toEqual([2, 0, 0]);
  expect(rangeOf(i64())).toBeNull();
  expect(rangeOf(NativeArray.from<"F64">(Float64Array.of(NaN)))).toBeNull();
  expect(() => histogram(values, 1, 0, 3)).toThrow("3 bins from 1 to 0");
});

test("large arrays give the same on 1 and on 4 threads", () => {
  const n = 150_000, degree = 3;
  const ptr = NativeArray.from<"I64">(BigInt64Array.from({ length: n + 1 }, (_, v) => BigInt(v * degree)));
  const indices = NativeArray.from<"I32">(
    // Blocks of 1000 nodes that have arcs inside alone.
    Int32Array.from({ length: n * degree }, (_, i) => {
      const v = Math.floor(i / degree), block = v - v % 1000;
      return block + (v * 7 + i * i) % 1000;
    }),
  );
  const label = NativeArray.from<"I32">(
    Int32Array.from({ length: n }, (_, v) => v % 11 === 0 ? -1 : v % 5),
  );
  const results = [1, 4].map((threads) => {
    call("gust_set_num_threads", threads);
    const components = new Components(n);
    components.join({ indptr: ptr, indices });
    return {
      components: components.sizes(),
      out: occurrenceDistribution(n, indices),
      arcs: labelledArcs(ptr, indices, label, 5),
      classes: countClasses(label, 5),
    };
  });
  expect(results[0]).toEqual(results[1]!);
  const { out, arcs, classes } = results[0]!;
  expect(out.bins.reduce((a, b) => a + b, 0)).toBe(n);
  expect(arcs.into.reduce((a, b) => a + b, 0)).toBe(arcs.from.reduce((a, b) => a + b, 0));
  expect(classes.negative).toBe(Math.ceil(n / 11));
});
