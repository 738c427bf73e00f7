import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  DATA_ALIGNMENT,
  type HeaderTensor,
  layout,
  parseHeader,
  type Placeable,
  serialiseHeader,
} from "../../../core/format/safetensors.ts";
import { type DType, dtypes } from "../../../ffi/dtype.ts";

fc.configureGlobal({ seed: 1 });

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const problemsOf = (header: unknown) => parseHeader(JSON.stringify(header)).problems;

test("parseHeader() reads metadata and tensors in file order", () => {
  const { header, problems } = parseHeader(JSON.stringify({
    b: entry("I32", [2], 8, 16),
    __metadata__: { "gust.kind": "graph" },
    a: entry("F64", [], 0, 8),
    empty: entry("F32", [3, 0], 8, 8),
  }));
  expect(problems).toEqual([]);
  expect(header.metadata).toEqual({ "gust.kind": "graph" });
  expect(header.tensors.map(({ name }) => name)).toEqual(["a", "empty", "b"]);
  expect(header.dataBytes).toBe(16);
});

test("parseHeader() knows the types that gust itself does not compute with", () => {
  expect(
    problemsOf({ a: entry("F8_E4M3", [3], 0, 3), b: entry("F4", [4], 3, 5), c: entry("C64", [1], 5, 13) }),
  ).toEqual([]);
  expect(problemsOf({ b: entry("F4", [3], 0, 2) })[0]).toContain("does not fill whole bytes");
});

describe("parseHeader() refuses", () => {
  const illegal: [string, unknown, string][] = [
    [
      "a hole",
      { a: entry("U8", [4], 0, 4), b: entry("U8", [2], 6, 8) },
      'bytes 4 to 6 of the data, before tensor "b", belong to none',
    ],
    [
      "data that do not begin at 0",
      { a: entry("U8", [4], 1, 5) },
      'bytes 0 to 1 of the data, before tensor "a"',
    ],
    [
      "an overlap",
      { a: entry("U8", [4], 0, 4), b: entry("U8", [4], 2, 6) },
      'tensor "b" begins at byte 2, inside tensor "a" (it ends at 4)',
    ],
    [
      "two tensors in the same place",
      { a: entry("U8", [4], 0, 4), b: entry("U8", [4], 0, 4) },
      'tensor "b" begins at byte 0, inside tensor "a"',
    ],
    [
      "offsets that do not span the shape",
      { a: entry("I32", [2], 0, 4) },
      "span 4 bytes, expected 8 for I32 [2]",
    ],
    ["offsets that run backwards", { a: entry("U8", [2], 4, 2) }, "span -2 bytes, expected 2"],
    [
      "negative offsets",
      { a: entry("U8", [2], -2, 0) },
      "data_offsets [-2,0], expected two non-negative integers",
    ],
    [
      "offsets past 2^53",
      { a: entry("U8", [2], 2 ** 53, 2 ** 53 + 2) },
      "expected two non-negative integers",
    ],
    ["a product that overflows", { a: entry("U8", [2 ** 32, 2 ** 32], 0, 0) }, "more than 2^53 bytes"],
    [
      "a product that overflows by the element size",
      { a: entry("F64", [2 ** 51], 0, 0) },
      "more than 2^53 bytes",
    ],
    [
      "a negative extent",
      { a: entry("U8", [-1], 0, 0) },
      "shape [-1], expected a list of non-negative integers",
    ],
    ["a fractional extent", { a: entry("U8", [1.5], 0, 1) }, "shape [1.5], expected"],
    ["an unknown dtype", { a: entry("F99", [1], 0, 1) }, 'dtype "F99", expected a safetensors dtype'],
    ["a dtype that names an object's property", { a: entry("toString", [1], 0, 1) }, 'dtype "toString"'],
    ["a missing dtype", { a: { shape: [1], data_offsets: [0, 1] } }, "dtype nothing"],
    [
      "three offsets",
      { a: { dtype: "U8", shape: [1], data_offsets: [0, 1, 2] } },
      "expected two non-negative",
    ],
    ["an unknown key", { a: { ...entry("U8", [1], 0, 1), stride: 1 } }, 'unknown key "stride"'],
    ["a tensor that is no object", { a: 3 }, 'tensor "a": 3, expected an object'],
    ["metadata that are no strings", { __metadata__: { a: 1 } }, 'metadata "a" is 1, expected a string'],
    ["metadata that are no object", { __metadata__: [] }, "__metadata__ is [], expected an object"],
    ["a header that is no object", [], "the header is no JSON object"],
  ];
  for (const [what, header, text] of illegal) {
    test(what, () => expect(problemsOf(header).join("\n")).toContain(text));
  }

  test("duplicate names", () => {
    const text = JSON.stringify({ a: entry("U8", [1], 0, 1) });
    const { problems } = parseHeader(`{${text.slice(1, -1)},${text.slice(1, -1)}}`);
    expect(problems).toEqual([expect.stringContaining('duplicate key "a"')]);
  });

  test("text that is no JSON", () => {
    expect(parseHeader('{"a": ').problems[0]).toContain("ends where a value should be");
    expect(parseHeader('{"a": 1} x').problems[0]).toContain("something after the value");
  });
});

test("parseHeader() reports all problems of a header at once", () => {
  expect(problemsOf({
    __metadata__: { a: 1, b: null },
    x: entry("F99", [-1], 0, 0),
    y: entry("I32", [2], 0, 4),
  })).toHaveLength(5);
});

const names = Object.keys(dtypes) as DType[];
const placeable: fc.Arbitrary<Placeable[]> = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 8 }).filter((name) =>
      name !== "__metadata__" && !name.startsWith("gust.pad")
    ),
    dtype: fc.constantFrom(...names),
    shape: fc.array(fc.nat(7), { maxLength: 3 }),
    align: fc.option(fc.constantFrom(8, 64, 4096), { nil: undefined }),
  }),
  { selector: (t) => t.name, maxLength: 12 },
);

test("layout() packs tensors without holes, each aligned to what it asks", () => {
  fc.assert(fc.property(placeable, (tensors) => {
    const placed = layout(tensors);
    let at = 0;
    for (const { tensor, placed: p } of placed) {
      expect(p.begin).toBe(at);
      at = p.end;
      if (tensor) expect(p.begin % (tensor.align ?? dtypes[tensor.dtype].size)).toBe(0);
      else expect(p.name).toMatch(/^gust\.pad\.\d+$/);
    }
    expect(placed.filter(({ tensor }) => tensor).map(({ tensor }) => tensor!.name).sort()).toEqual(
      tensors.map(({ name }) => name).sort(),
    );
    // Without special wishes the order alone aligns everything.
    if (tensors.every(({ align }) => align === undefined)) expect(placed).toHaveLength(tensors.length);
  }));
});

test("serialiseHeader() and parseHeader() are inverse, and data begin at a page", () => {
  const metadata = fc.dictionary(fc.string(), fc.string());
  fc.assert(fc.property(placeable, metadata, (tensors, meta) => {
    const placed = layout(tensors).map(({ placed }) => placed);
    const bytes = serialiseHeader(meta, placed);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length).toBe(bytes.length - 8);
    expect(bytes.length % (placed.some(({ begin, end }) => end > begin) ? DATA_ALIGNMENT : 8)).toBe(0);
    const { header, problems } = parseHeader(new TextDecoder().decode(bytes.subarray(8)));
    expect(problems).toEqual([]);
    expect(header.tensors as HeaderTensor[]).toEqual(placed);
    expect({ ...header.metadata }).toEqual(meta);
  }));
});

test("parseHeader() never throws and accepts a damaged header only if it still covers its data", () => {
  const bytes = serialiseHeader({ "gust.kind": "graph" }, [
    { name: "a", dtype: "I64", shape: [3], begin: 0, end: 24 },
    { name: "b", dtype: "F32", shape: [2, 2], begin: 24, end: 40 },
  ]);
  const text = new TextDecoder().decode(bytes.subarray(8)).trimEnd();
  const damage = fc.record({
    at: fc.nat(text.length - 1),
    drop: fc.nat(3),
    put: fc.constantFrom("", "0", "9", "-", '"', ",", "}", "]", "1e9", "null"),
  });
  fc.assert(
    fc.property(damage, ({ at, drop, put }) => {
      const { header, problems } = parseHeader(text.slice(0, at) + put + text.slice(at + drop));
      if (problems.length) return;
      let covered = 0;
      for (const { begin, end } of header.tensors) {
        expect(begin).toBe(covered);
        covered = end;
      }
      expect(header.dataBytes).toBe(covered);
    }),
    { numRuns: 2000 },
  );
});

test("serialiseHeader() refuses a header past the format's limit", () => {
  expect(() => serialiseHeader({ a: "x".repeat(100_000_000) }, [])).toThrow("expected at most 100000000");
});
