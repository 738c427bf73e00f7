import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import { InputSet } from "../../core/readers/input.ts";
import { setThreads } from "../../ffi/engine.ts";
import { openNative } from "../../ffi/native.ts";
import { type MatrixFormat, parseMatrix } from "../../ffi/native_matrix.ts";
import { fileOf, messageOf } from "../core/readers/_import.ts";

await openNative();
afterEach(() => setThreads(0));

const parse = <D extends "I32" | "I64" | "F32" | "F64">(
  text: string,
  dtype: D,
  format: Partial<MatrixFormat> = {},
) =>
  parseMatrix(
    InputSet.open([fileOf(text)]).single!.source,
    { begin: 0, delimiter: ",", columns: 2, title: "number", ...format },
    dtype,
  );

test("parseMatrix() reads what a plain reading of the text does", () => {
  // -0 prints as 0.
  const value = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
  const table = fc.array(fc.tuple(value, value, value), { maxLength: 20 });
  const end = fc.constantFrom("\n", "\r\n"), cut = fc.constantFrom(",", ", ", " , ");
  fc.assert(fc.property(table, end, cut, fc.boolean(), (rows, end, cut, isCut) => {
    const text = rows.map((row) => row.join(cut)).join(end) + (isCut ? "" : end);
    const { array, rows: count } = parse(text, "F64", { columns: 3 });
    expect(count).toBe(rows.length);
    expect(array.toNumbers()).toEqual(rows.flat());
    const blanks = parse(rows.map((row) => " " + row.join("\t ") + " \n").join(""), "F64", {
      columns: 3,
      delimiter: "",
    });
    expect(blanks.array.toNumbers()).toEqual(rows.flat());
  }));
});

test("parseMatrix() reads integers of 32 and 64 bits and their bounds", () => {
  expect(parse("1,-2\n+3,2147483647\n", "I32").array.toNumbers()).toEqual([1, -2, 3, 2147483647]);
  expect(parse("9007199254740991,0", "I64").array.toNumbers()).toEqual([9007199254740991, 0]);
  expect(messageOf(() => parse("1,2147483648", "I32"))).toBe(
    '1:3: number "2147483648" is out of range, expected -2147483648 to 2147483647',
  );
  expect(messageOf(() => parse("1,99999999999999999999", "I64"))).toContain("is out of range");
  expect(messageOf(() => parse("0,1\n2,3", "I32", { low: 0, high: 2 }))).toContain(
    '2:3: number "3" is out of range, expected 0 to 2',
  );
});

test("parseMatrix() takes missing values where they are allowed", () => {
  const { array } = parse("nan,1\nNaN,\n,2\n", "F32", { mayMiss: true });
  expect(array.toNumbers()).toEqual([NaN, 1, NaN, NaN, NaN, 2]);
  expect(parse("nan,1\n", "I32", { mayMiss: true }).array.toNumbers()).toEqual([-1, 1]);
  expect(messageOf(() => parse("nan,1\n", "I32"))).toBe('1:1: number "nan" is not an integer');
  expect(messageOf(() => parse(",1\n", "F32"))).toBe('1:1: number "" is not a number');
});

test("parseMatrix() names the first mistake", () => {
  const says: [string, string][] = [
    ["1,2\n1,2,3\n", "2:1: 3 columns, expected 2"],
    ["1,2\n1\n", "2:1: 1 column, expected 2"],
    ["1,2\n\n1,2\n", "2:1: a blank line, expected 2 columns"],
    ["1,2\n 1,inf\n", '2:4: number "inf" is not finite, expected a number'],
    ["1,2\n1,1e400\n", '2:3: number "1e400" is not finite, expected a number'],
    ["1e39,2\n", '1:1: number "1e39" is past float32, expected -3.4e38 to 3.4e38'],
    ["1,2x\n", '1:3: number "2x" is not a number'],
  ];
  for (const [text, message] of says) expect(messageOf(() => parse(text, "F32"))).toBe(message);
  expect(messageOf(() => parse("1 2\n1 2 3\n", "F32", { delimiter: "" }))).toBe("2:1: 3 columns, expected 2");
  expect(messageOf(() => parse("1 2\n1 \n", "F32", { delimiter: "" }))).toBe("2:1: 1 column, expected 2");
  expect(messageOf(() => parse("1,-1e400\n", "F64"))).toContain('"-1e400" is not finite');
  expect(parse("1e-60,1e-400\n", "F32").array.toNumbers()).toEqual([0, 0]);
  expect(parse("1e-60,1e-400\n", "F64").array.toNumbers()).toEqual([1e-60, 0]);
});

test("parseMatrix() gives the same rows and the same mistake on 1 and 3 threads", () => {
  const lines = Array.from({ length: 700_000 }, (_, i) => `${i},${(i * 7919) % 100_003}\n`);
  const bytes = (text: string, threads: number) => {
    setThreads(threads);
    return Buffer.from(parse(text, "I32").array.window().slice().buffer);
  };
  const text = lines.join("");
  expect(Buffer.compare(bytes(text, 1), bytes(text, 3))).toBe(0);
  lines[650_000] = "x,1\n";
  lines[300_000] = "1,y\n";
  for (const threads of [1, 3]) {
    expect(messageOf(() => bytes(lines.join(""), threads))).toBe('300001:3: number "y" is not an integer');
  }
});
