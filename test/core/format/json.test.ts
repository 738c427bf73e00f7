import { expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalJson, parseJson } from "../../../core/format/json.ts";

fc.configureGlobal({ seed: 1 });

test("parseJson() reads what JSON.stringify writes", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const parsed = parseJson(JSON.stringify(value));
    expect(parsed.problems).toEqual([]);
    expect(JSON.parse(canonicalJson(parsed.value))).toEqual(JSON.parse(JSON.stringify(value)));
  }));
});

test("parseJson() accepts exactly the texts that JSON.parse accepts", () => {
  const piece = fc.constantFrom(
    ...'{}[]",:\\u0aé-+.eE159 \n\t',
    '"a"',
    "true",
    "false",
    "null",
    "tru",
    '{"a":1}',
    "[1,2]",
    "1e5",
    "-0",
    "01",
    '"\\ud83d"',
    '"\\x"',
    "\u0001",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")), (text) => {
      let accepted = true;
      try {
        JSON.parse(text);
      } catch {
        accepted = false;
      }
      expect(parseJson(text).value !== undefined).toBe(accepted);
    }),
    { numRuns: 3000 },
  );
});

test("parseJson() reports every duplicate key with its place", () => {
  const { value, problems } = parseJson('{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}');
  expect(problems).toEqual(['duplicate key "c" at character 23', 'duplicate key "a" at character 32']);
  expect(value as unknown).toEqual({ a: 3, b: { c: 2 } });
});

test("parseJson() treats __proto__ as a name like any other", () => {
  const { value } = parseJson('{"__proto__": 1}');
  expect(Object.keys(value as object)).toEqual(["__proto__"]);
});

test("parseJson() refuses deep nesting instead of overflowing the stack", () => {
  expect(parseJson("[".repeat(100_000)).problems[0]).toContain("nested deeper than 64");
});

test("canonicalJson() does not depend on the order of keys", () => {
  expect(canonicalJson({ b: 1, a: { d: [1, { y: 1, x: 2 }], c: undefined } })).toBe(
    '{"a":{"d":[1,{"x":2,"y":1}]},"b":1}',
  );
});

test("canonicalJson() refuses numbers that JSON cannot hold", () => {
  expect(() => canonicalJson({ a: [NaN] })).toThrow("NaN");
  expect(() => canonicalJson({ a: 1n })).toThrow("bigint");
});

test("parseJson() refuses numbers that no float64 holds, which canonicalJson() could not write", () => {
  const { value, problems } = parseJson('{"a": -1e999}');
  expect([value, problems]).toEqual([undefined, ["number -1e999 is too large at character 12"]]);
  expect(parseJson("[1e308, 1e-999]").value).toEqual([1e308, 0]);
});
