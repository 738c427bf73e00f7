/** Sizes near 2^31, 2^53 and 2^63 where they enter native code: an error, never a crash or a short array. */
import { describe, expect, test } from "bun:test";
import { Engine, hostArray } from "../../ffi/engine.ts";
import { callOut, NativeArray, NativeError, openNative } from "../../ffi/native.ts";
import { GraphGenerator } from "../../ffi/native_generate.ts";

await openNative();

const MOST = Number.MAX_SAFE_INTEGER;
const MOST_I64 = 2n ** 63n - 1n;

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return error instanceof NativeError ? error.code : (error as Error).name;
  }
  return "done";
}

describe("allocation", () => {
  test.each([MOST_I64, MOST_I64 - 63n, MOST_I64 - 2n ** 21n, 2n ** 62n, 2n ** 53n])("of %d bytes", (size) => {
    expect(codeOf(() => callOut(1, "gust_alloc", size as never, 0))).toBe("memory");
  });
  test.each([-1n, -(2n ** 63n)])("of %d bytes", (size) => {
    expect(codeOf(() => callOut(1, "gust_alloc", size as never, 0))).toBe("invalid");
  });
  test.each([2n ** 63n, 2n ** 64n, -(2n ** 63n) - 1n])("of %d bytes, which no int64 holds", (size) => {
    expect(codeOf(() => callOut(1, "gust_alloc", size as never, 0))).toBe("TypeError");
  });
  test.each([MOST, MOST + 1, 2 ** 63, -1, 0.5, NaN, Infinity])("of an array of %d", (length) => {
    expect(["TypeError", "RangeError", "memory"]).toContain(
      codeOf(() => NativeArray.allocate("F64", length)),
    );
  });
});

describe("a tensor", () => {
  const engine = new Engine();
  // 2^63 - 1 and 2^60 - 8 as products: bytes that overflow when an alignment or what an arena holds is added to them.
  const [a, b] = [337 * 92737 * 649657, 7 * 7 * 73 * 127], [c, d] = [8 * 7 * 32377 * 1212847, 524287];
  test("these products are what they are said to be", () => {
    expect(BigInt(a) * BigInt(b)).toBe(MOST_I64);
    expect(BigInt(c) * BigInt(d)).toBe(2n ** 60n - 8n);
  });
  test.each<[string, "U8" | "F64" | "F32", number[]]>([
    ["2^63 - 1 bytes", "U8", [a, b]],
    ["2^63 - 64 bytes", "F64", [c, d]],
    ["2^53 - 1 squared elements", "F32", [MOST, MOST]],
    ["2^63 elements", "U8", [2 ** 32, 2 ** 31]],
    ["2^62 elements of four bytes", "F32", [2 ** 31, 2 ** 31]],
    ["2^62 bytes and more", "F64", [2 ** 31, 2 ** 29]],
  ])("of %s is refused by arenas that are empty and that are not", (_, dtype, shape) => {
    for (const arena of [engine.arena(), engine.persistent]) {
      const first = arena.tensor("F32", [3], true);
      expect(["invalid", "memory"]).toContain(codeOf(() => arena.tensor(dtype, shape)));
      // What there was and what comes next are apart.
      const next = arena.tensor("F32", [3], true);
      engine.run("fill", { out: next, value: 1 });
      expect([hostArray(first).toNumbers(), hostArray(next).toNumbers()]).toEqual([[0, 0, 0], [1, 1, 1]]);
    }
  });
  test("whose product no number holds is refused", () => {
    const arena = engine.arena();
    for (const shape of [[MOST, 3, 2], [2 ** 53, 2], [-1, 2], [1.5], [NaN, 1], []]) {
      expect(["RangeError", "TypeError", "invalid"]).toContain(codeOf(() => arena.tensor("F32", shape)));
    }
    const array = NativeArray.allocate("F32", 4), t = arena.tensor("F32", [2, 2]);
    for (const shape of [[MOST, 2], [2 ** 31, 2 ** 33], [5], [-2, -2]]) {
      expect(codeOf(() => arena.bind(array, shape))).toBe("RangeError");
      expect(codeOf(() => arena.reshape(t, shape))).toBe("RangeError");
    }
    for (const [start, count] of [[MOST, 1], [1, MOST], [-1, 1], [0, -1], [2, 1]] as const) {
      expect(codeOf(() => arena.rows(t, start, count))).toBe("RangeError");
      expect(codeOf(() => array.slice(start * 4, count))).toBe("RangeError");
      expect(codeOf(() => array.window(start * 4, count))).toBe("RangeError");
      expect(codeOf(() => array.read(start * 4, count))).toBe("RangeError");
    }
  });
});

describe("a generated graph", () => {
  const usual = { seed: 1, directed: false, classes: 2 };
  test.each<[string, () => GraphGenerator]>(
    [2 ** 31 + 1, 2 ** 40 + 1, MOST, -1].flatMap((size): [string, () => GraphGenerator][] => [
      [`of ${size} nodes`, () => GraphGenerator.erdosRenyi({ ...usual, nodes: size, edges: 3 })],
      [
        `of ${size} x ${size} nodes`,
        () =>
          GraphGenerator.grid({ seed: 1, classes: 2, rows: size, cols: size, diagonal: false, torus: false }),
      ],
      [
        `of a torus of ${size} x ${size} nodes`,
        () =>
          GraphGenerator.smallWorld({ ...usual, rows: size, cols: size, edges: 3, reach: 1, rewired: 0.1 }),
      ],
    ]),
  )("%s is refused", (_, make) => expect(codeOf(make)).toBe("invalid"));
  test.each([2 ** 40, MOST, -1])("of %d edges is refused", (edges) => {
    expect(codeOf(() => GraphGenerator.erdosRenyi({ ...usual, nodes: 10, edges }))).toBe("invalid");
  });
});
