/** The loops that measure what a machine can do do what they say; on a GPU everything they read is in their sums. */
import { describe, expect, test } from "bun:test";
import { deviceArray, onDevice, rowGatherLimit } from "../../../core/bench/limits.ts";
import { benchLimits } from "../../../core/bench/roofline.ts";
import { dtypes } from "../../../ffi/dtype.ts";
import { call, NativeArray } from "../../../ffi/native.ts";
import {
  gatherRows,
  multiplyAdd,
  packRows,
  passOver,
  readPasses,
  triad,
} from "../../../ffi/native_roofline.ts";
import { openTestDevice, testDevice } from "../../_device.ts";

await openTestDevice();

/** Bytes in no order. */
const bytesOf = (count: number) =>
  Uint8Array.from({ length: count }, (_, i) => (i * 37 + (i >> 7) * 11) % 251);
const onDeviceFrom = (values: Uint8Array) => onDevice(NativeArray.from<"U8">(values));

/** Sum of the words of `size` bytes, modulo 2^64 and with a sign, as native code tells it. */
function sumOf(bytes: Uint8Array, size: number): bigint {
  let sum = 0n;
  for (let at = 0; at < bytes.length; at += size) {
    for (let b = size - 1, word = 0n; b >= 0; b--) {
      word = word << 8n | BigInt(bytes[at + b]!);
      if (b === 0) sum += word;
    }
  }
  return BigInt.asIntN(64, sum);
}

/** What a function writes as its only result. */
function told(run: (out: BigInt64Array) => void): bigint {
  const out = new BigInt64Array(1);
  run(out);
  return out[0]!;
}

describe("triad()", () => {
  test.each([0, 1, 3, 4, 70_003])("computes b + 3 c in every one of %d elements", (n) => {
    const b = onDevice(NativeArray.from<"F32">(Float32Array.from({ length: n }, (_, i) => i)));
    const c = onDevice(NativeArray.from<"F32">(Float32Array.from({ length: n }, (_, i) => 2 * (i % 5))));
    const a = deviceArray("F32", n);
    triad(a, b, c);
    expect(a.read()).toEqual(Float32Array.from({ length: n }, (_, i) => i + 6 * (i % 5)));
  });

  test("wants arrays of one size, and a result that begins at a line", () => {
    const a = deviceArray("F32", 17), b = deviceArray("F32", 16);
    expect(() => triad(a, b, b)).toThrow(RangeError);
    expect(() => triad(a.slice(1, 16), b, b)).toThrow("not aligned");
  });

  test("takes factors that begin anywhere", () => {
    const b = onDevice(NativeArray.from<"F32">(Float32Array.from({ length: 100 }, (_, i) => i)));
    const a = deviceArray("F32", 99);
    triad(a, b.slice(1, 99), b.slice(0, 99));
    expect(a.read()).toEqual(Float32Array.from({ length: 99 }, (_, i) => 4 * i + 1));
  });
});

describe("readPasses()", () => {
  test("reads every byte of every worker in each pass", () => {
    const workers = call("gust_num_threads"), values = bytesOf(workers * 1536), data = onDeviceFrom(values);
    const sum = told((out) => call("gust_roofline_read", data.address, 1536, 3, out));
    expect(sum).toBe(BigInt.asIntN(64, 3n * sumOf(values, 8)));
  });

  test("checks its sizes", () => {
    expect(() => readPasses(deviceArray("U8", 512), 1024 ** 2, 1)).toThrow(RangeError);
    expect(() => readPasses(deviceArray("U8", 2 ** 20), 100, 1)).toThrow("multiple of 512");
  });
});

describe("passOver()", () => {
  test("writes what it was told to and nothing behind it", () => {
    for (const [read, write] of [[0, 64], [128, 0], [640, 192], [64, 300_032], [1_000_000, 4096]] as const) {
      for (const past of [false, true]) {
        const values = bytesOf(read), from = onDeviceFrom(values);
        const to = onDeviceFrom(new Uint8Array(write + 64).fill(7));
        passOver(from, read, to, write, { ahead: 2048, past, passes: 2 });
        const written = to.read();
        expect([...new Set(written.subarray(0, write))]).toEqual(write ? [1] : []);
        expect([...new Set(written.subarray(write))]).toEqual([7]);
        if (testDevice === "cpu") continue;
        const sum = told((out) =>
          call("gust_roofline_pass", from.address, read, to.address, write, 0, 0, 2, out)
        );
        expect(sum).toBe(BigInt.asIntN(64, 2n * sumOf(values, 8)));
      }
    }
  });

  test("checks its sizes", () => {
    const data = deviceArray("U8", 64), options = { ahead: 0, past: false, passes: 1 };
    expect(() => passOver(data, 128, data, 0, options)).toThrow(RangeError);
    expect(() => passOver(data, 3, data, 0, options)).toThrow("multiples of 64");
    expect(() => passOver(data, 0, data, 0, { ...options, passes: 0 })).toThrow("passes: 0");
  });
});

describe("gatherRows()", () => {
  const rows = 7, order = Array.from({ length: 301 }, (_, i) => (i * i + i) % rows);
  const lists = [
    NativeArray.from<"I32">(Int32Array.from(order)),
    NativeArray.from<"I64">(BigInt64Array.from(order, BigInt)),
  ];

  test("reads rows of every length without leaving the table", () => {
    for (const rowBytes of [1, 2, 3, 6, 8, 14, 28, 31, 33, 64, 100, 256, 1000, 2000]) {
      const values = bytesOf(rows * rowBytes), table = onDeviceFrom(values);
      for (const list of lists) {
        const indices = onDevice(list) as (typeof list & NativeArray<"I32">);
        // A GPU launches a kernel per piece.
        for (
          const piece of testDevice === "cpu" ? [1, 7, 512, rowBytes] : [Math.ceil(rowBytes / 3), rowBytes]
        ) {
          for (const ahead of [0, 3]) gatherRows(indices, table, rowBytes, piece, ahead, 1 + (ahead & 1), 2);
          if (testDevice === "cpu") continue;
          const word = [8, 4, 2, 1].find((size) => (rowBytes | Math.min(piece, rowBytes)) % size === 0)!;
          const sums = Array.from(
            { length: rows },
            (_, v) => sumOf(values.subarray(v * rowBytes, (v + 1) * rowBytes), word),
          );
          const { address, length, dtype } = indices, { code } = dtypes[dtype];
          const sum = told((out) =>
            call("gust_roofline_gather", address, code, length, table.address, rowBytes, piece, 0, 1, 2, out)
          );
          expect(sum).toBe(BigInt.asIntN(64, 2n * order.reduce((all, v) => all + sums[v]!, 0n)));
        }
      }
    }
  });

  test("checks what it is given", () => {
    const indices = onDevice(lists[0] as NativeArray<"I32">), table = deviceArray("U8", 8);
    expect(() => gatherRows(indices, table, 0, 1, 0, 1, 1)).toThrow("bytes of a row: 0");
    expect(() => gatherRows(indices, table, 1, 0, 0, 1, 1)).toThrow("bytes of a piece: 0");
    expect(() => gatherRows(indices, table, 1, 1, -1, 1, 1)).toThrow("-1 rows ahead");
    expect(() => gatherRows(indices, table, 1, 1, 0, 1, 0)).toThrow("passes: 0");
    expect(() => gatherRows(indices, table, 1, 1, 0, 3, 1)).toThrow("cache level 3, expected 1 or 2");
  });

  test("a limit counts the bytes of whole rows", () => {
    const indices = lists[0] as NativeArray<"I32">;
    expect(rowGatherLimit({ indices, numCols: rows }, 14).bytes).toBe(301 * 14);
  });
});

describe("packRows()", () => {
  test.each([[64, 32, 16], [64, 64, 0], [30, 7, 3], [24, 8, 8], [1, 1, 0]])(
    "copies of every %d bytes %d from %d on",
    (rowBytes, piece, at) => {
      const values = bytesOf(50 * rowBytes), packed = onDeviceFrom(new Uint8Array(50 * piece + 1).fill(255));
      packRows(onDeviceFrom(values), rowBytes, piece, at, packed);
      const expected = Array.from({ length: 50 * piece }, (_, i) => {
        const row = Math.floor(i / piece);
        return values[row * rowBytes + at + i % piece]!;
      });
      expect([...packed.read()]).toEqual([...expected, 255]);
    },
  );

  test("checks what it is given", () => {
    const table = deviceArray("U8", 8);
    expect(() => packRows(table, 8, 4, 8, table)).toThrow("bytes 8 to 12 of a row, expected at most 8");
    expect(() => packRows(table, 8, 8, 0, deviceArray("U8", 4))).toThrow("into 4 bytes");
  });
});

test("multiplyAdd() tells how much it did", () => {
  expect(multiplyAdd(10)).toBeGreaterThan(0);
  expect(multiplyAdd(20)).toBe(2 * multiplyAdd(10));
  expect(() => multiplyAdd(0)).toThrow("rounds: 0");
});

test("the limits of the machine are finite rates", () => {
  const results = benchLimits(3);
  expect(results.map((r) => r.name)).toEqual(["stream_triad", "cache_read", "multiply_add"]);
  for (const { gflops, gb_s } of results) {
    const rate = gflops ?? gb_s!;
    expect(Number.isFinite(rate) && rate > 0).toBe(true);
  }
});
