import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dtypes } from "../../ffi/dtype.ts";
import { STEP } from "../../ffi/engine.ts";
import { nativeCodes } from "../../ffi/native.ts";
import { type ArgKind, type ResultKind, type SymbolRow, symbols } from "../../ffi/symbols.ts";

const root = join(import.meta.dirname, "../..");
const headerText = (name: string) =>
  readFileSync(join(root, "cu/include", name), "utf8").replace(/\/\*[\s\S]*?\*\//g, " ");
const header = headerText("gust.h"), codeHeader = headerText("gust_codes.h");

interface Declaration {
  readonly name: string;
  readonly result: string;
  readonly args: readonly string[];
}

const declarations: Declaration[] = [
  ...header.matchAll(/GUST_API\s+([\w\s]+?)\s*\b(gust_\w+)\s*\(([^)]*)\)\s*;/g),
]
  .map(([, result, name, args]) => ({
    name: name!,
    result: result!,
    args: args!.trim() === "void" ? [] : args!.split(",").map((arg) => arg.trim()),
  }));

/** Kinds of the symbol table that fit a C parameter. */
function kindsOf(parameter: string): ArgKind[] {
  if (parameter.includes("*")) return ["buf"];
  const type = parameter.replace(/^const\s+/, "").split(/\s+/)[0];
  switch (type) {
    case "int32_t":
      return ["i32"];
    case "int64_t":
      return ["i64", "addr"];
    case "double":
      return ["f64"];
  }
  throw new Error(`parameter "${parameter}" has no kind in the symbol table`);
}

const resultsOf: Record<string, ResultKind[]> = { int32_t: ["status", "i32"], int64_t: ["i64"] };

test("gust.h declares nothing in a form that this test cannot read", () => {
  expect(declarations.length).toBe(header.split("GUST_API").length - 2); // less its #define
  expect(declarations.length).toBeGreaterThan(15);
});

test("gust.h and ffi/symbols.ts name the same functions", () => {
  expect(Object.keys(symbols).sort()).toEqual(declarations.map(({ name }) => name).sort());
});

/** A function whose file does not include gust.h is compiled under a C++ name; Bun finds that out when it is called. */
test.skipIf(!Bun.which("nm"))("the library exports every one of them by its name (needs nm)", () => {
  const library = process.env["GUST_LIBRARY"] ?? join(root, "build/libgust_cpu.so");
  const { stdout } = Bun.spawnSync(["nm", "-D", "--defined-only", library]);
  const exported = new Set(stdout.toString().split("\n").map((line) => line.split(" ").at(-1)!));
  expect(Object.keys(symbols).filter((name) => !exported.has(name))).toEqual([]);
});

describe.each(declarations)("$name()", ({ name, result, args }) => {
  const row: SymbolRow | undefined = (symbols as Record<string, SymbolRow>)[name];

  test("has the argument kinds and the result of its declaration", () => {
    expect(row).toBeDefined();
    expect(row!.args.length).toBe(args.length);
    args.forEach((arg, i) => expect([arg, kindsOf(arg).includes(row!.args[i]!)]).toEqual([arg, true]));
    expect(resultsOf[result]).toContain(row!.result);
  });
});

/** Constants of the header's enums. */
function constants(prefix: string, text = header): Record<string, number> {
  const found = text.matchAll(new RegExp(`\\b${prefix}(\\w+)\\s*=\\s*(-?\\d+)`, "g"));
  return Object.fromEntries([...found].map(([, name, value]) => [name!, Number(value)]));
}

test("ffi/dtype.ts has the dtype codes of gust_codes.h", () => {
  const codes = Object.fromEntries(Object.entries(dtypes).map(([name, { code }]) => [name, code]));
  const all = constants("GUST_", codeHeader);
  expect(Object.fromEntries(Object.keys(dtypes).map((name) => [name, all[name]!]))).toEqual(codes);
});

test("ffi/native.ts has a name for every status code of gust_codes.h", () => {
  const values = Object.values(constants("GUST_E", codeHeader));
  expect(values.sort((a, b) => a - b)).toEqual(Object.keys(nativeCodes).map(Number).sort((a, b) => a - b));
});

test("the step block's first words are those that cu/common/context.h reads", () => {
  const source = readFileSync(join(root, "cu/common/context.h"), "utf8");
  const words = source.match(/Random\(step_\[(\d)\],[^;]*?step_\[(\d)\][^;]*?step_\[(\d)\]/);
  expect(words?.slice(1).map(Number)).toEqual([STEP.seed, STEP.epoch, STEP.step]);
});
