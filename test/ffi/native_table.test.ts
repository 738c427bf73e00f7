import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { Source } from "../../ffi/native_source.ts";
import {
  type Column,
  convertTexts,
  Names,
  placeOf,
  selectTexts,
  stringsOf,
  Table,
  type TableDialect,
  textsOf,
} from "../../ffi/native_table.ts";
import { freshDir } from "../helpers.ts";

await openNative();

const folder = freshDir();
let files = 0;
function sourceOf(content: string | Uint8Array): Source {
  const path = join(folder, String(files++));
  writeFileSync(path, content);
  return Source.open(path);
}

const csv: TableDialect = { begin: 0, delimiter: ",", quotes: true, comment: "" };
const blanks: TableDialect = { begin: 0, delimiter: "", quotes: false, comment: "#" };
const kinds = (...list: Column["kind"][]): Column[] => list.map((kind) => ({ kind }));
const parse = (text: string | Uint8Array, dialect: TableDialect, columns: Column[]) =>
  Table.parse(sourceOf(text), dialect, columns);
/** The mistake of a table of texts with the piece of the input that it names. */
function problemOf(text: string, dialect: TableDialect, columns: Column[]) {
  const { problem, rows } = parse(text, dialect, columns);
  return problem && [problem.kind, text.slice(problem.from, problem.to), problem.column, rows];
}

test("Table.parse() gives an array per column, and leaves out what is skipped", () => {
  const table = parse("1,x,2.5,y\n-2,,1e3,z\n", csv, kinds("integer", "text", "number", "skip"));
  expect(table.problem).toBeNull();
  expect(table.rows).toBe(2);
  expect(table.integers(0).toNumbers()).toEqual([1, -2]);
  expect(stringsOf(table.texts(1))).toEqual(["x", ""]);
  expect(table.texts(1).present.toNumbers()).toEqual([1, 0]);
  expect(table.numbers(2).toNumbers()).toEqual([2.5, 1000]);
  expect(table.rowOffsets().toNumbers()).toEqual([0, 10]);
});

test("Table.parse() reads quoted fields with delimiters, newlines and doubled quotes", () => {
  const table = parse('"a,b","c\nd"\r\n"say ""hi""",""\r\n', csv, kinds("text", "text"));
  expect(stringsOf(table.texts(0))).toEqual(["a,b", 'say "hi"']);
  expect(stringsOf(table.texts(1))).toEqual(["c\nd", ""]);
  expect(table.texts(1).present.toNumbers()).toEqual([1, 1]);
});

test("Table.parse() reads any texts back that were written as CSV", () => {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", " ", "é", "\t", "😀") });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      (rows, ends) => {
        const text = rows.map((row) => row.map(quoted).join(",")).join("\n") + (ends ? "\n" : "");
        const table = parse(text, csv, kinds("text", "text"));
        expect(table.problem).toBeNull();
        const columns = [stringsOf(table.texts(0)), stringsOf(table.texts(1))];
        expect(rows.map((_, i) => [columns[0]![i], columns[1]![i]])).toEqual(rows.map(([a, b]) => [a, b]));
      },
    ),
  );
});

test("Table.parse() refuses a return that ends a line by itself, but not inside of quotes", () => {
  const two = kinds("text", "text"),
    return1 = (rows: number, column: number) => ["return", "\r", column, rows];
  expect(problemOf("1,2\r3,4\r", csv, two)).toEqual(return1(1, 1));
  expect(problemOf("1,2\n3\r,4\n", csv, two)).toEqual(return1(2, 0));
  expect(problemOf('"1"\r,2\n', csv, two)).toEqual(return1(1, 0));
  expect(problemOf('1,2\n \r"3",4\n', csv, two)).toEqual(return1(2, 0));
  expect(problemOf("1 2\r3 4", blanks, two)).toEqual(return1(1, 1));
  expect(problemOf("\r1 2\n", blanks, two)).toEqual(return1(1, 0));
  expect(problemOf("1 2\n# a\r3 4\n", blanks, two)).toEqual(return1(1, 0));
  expect(problemOf("1 2\n \r \n", blanks, two)).toEqual(return1(1, 0));
  expect(problemOf("1 2\r3 4\r", { ...blanks, mostRows: 1 }, two)).toEqual(return1(1, 1));
  expect(problemOf('"a\rb",2\r\n3,"\r"\r', csv, two)).toBeNull();
  const { problem } = Table.parseLists(sourceOf("1 2 3\n4\r5\n"), 0, "");
  expect([problem?.kind, problem?.from]).toEqual(["return", 7]);
});

test("Table.parse() cuts at runs of blanks, and leaves out blank and comment lines", () => {
  const table = parse("# title\n  1\t 2 \r\n\n% more\n3 4", blanks, kinds("integer", "integer"));
  expect(table.problem).toBeNull();
  expect([table.rows, table.comments, table.blanks]).toEqual([2, 2, 1]);
  expect(table.integers(1).toNumbers()).toEqual([2, 4]);
});

test("Table.parse() stops after as many rows as asked for and says where", () => {
  const table = parse("1 2\n3 4\n5 6\n", { ...blanks, mostRows: 2 }, kinds("integer", "integer"));
  expect([table.rows, table.next]).toEqual([2, 8]);
  const rest = parse("1 2\n3 4\n5 6\n", { ...blanks, begin: table.next }, kinds("place", "integer"));
  expect([rest.integers(0).toNumbers(), rest.integers(1).toNumbers()]).toEqual([[8], [6]]);
});

test("Table.parse() numbers names over several tables, and knows unknown and repeated ones", () => {
  const names = new Names();
  const first = parse("ann,bob\nbob,cy\n", csv, [{ kind: "name", names }, { kind: "name", names }]);
  expect([first.ids(0).toNumbers(), first.ids(1).toNumbers()]).toEqual([[0, 1], [1, 2]]);
  expect(names.strings()).toEqual(["ann", "bob", "cy"]);
  expect(parse("cy\n", csv, [{ kind: "known", names }]).ids(0).toNumbers()).toEqual([2]);
  expect(problemOf("cy\ndan\n", csv, [{ kind: "known", names }])).toEqual(["unknown", "dan", 0, 2]);
  expect(problemOf("dan\nann\n", csv, [{ kind: "unique", names }])).toEqual(["twice", "ann", 0, 2]);
  expect(names.count).toBe(4);
  expect(names.numbers(textsOf(["dan", "eve", ""]), false).toNumbers()).toEqual([3, -1, -1]);
});

test("Table.parse() keeps more names than a block holds, and long ones", () => {
  const names = new Names();
  const list = Array.from({ length: 5000 }, (_, i) => `${"n".repeat(i % 97)}${i}`);
  list.splice(2500, 0, "x".repeat(200_000));
  const table = parse(list.join("\n"), csv, [{ kind: "name", names }]);
  expect(table.ids(0).toNumbers()).toEqual(list.map((_, i) => i));
  expect(names.strings()).toEqual(list);
});

test("Table.parse() names the first mistake: its kind, its text, its column", () => {
  const two = kinds("integer", "number");
  expect(problemOf("1,2\n3\n", csv, two)?.[0]).toBe("columns");
  expect(problemOf("1,2,3\n", csv, two)?.[0]).toBe("columns");
  expect(problemOf("1,2\nx,3\n", csv, two)).toEqual(["integer", "x", 0, 2]);
  expect(problemOf("1.5,2\n", csv, two)).toEqual(["integer", "1.5", 0, 1]);
  expect(problemOf("9223372036854775808,2\n", csv, two)).toEqual(["range", "9223372036854775808", 0, 1]);
  expect(problemOf("1,two\n", csv, two)).toEqual(["number", "two", 1, 1]);
  expect(problemOf("1,1e999\n", csv, two)).toEqual(["finite", "1e999", 1, 1]);
  expect(problemOf("1,inf\n", csv, two)).toEqual(["finite", "inf", 1, 1]);
  expect(problemOf("1,\n", csv, two)).toEqual(["number", "", 1, 1]);
  expect(problemOf(',"a\n', csv, kinds("text", "text"))).toEqual(["openQuote", "", 1, 1]);
  expect(problemOf('"a"b,c\n', csv, kinds("text", "text"))).toEqual(["afterQuote", "b", 0, 1]);
  expect(problemOf(",x\n", csv, [{ kind: "name", names: new Names() }, { kind: "skip" }])?.[0]).toBe("empty");
});

test("Table.parse() takes numbers with signs, blanks around them, and ones too small to tell from 0", () => {
  const table = parse(" +7 ,-1e-999\n-0, +.5\n", csv, kinds("integer", "number"));
  expect(table.problem).toBeNull();
  expect(table.integers(0).toNumbers()).toEqual([7, 0]);
  expect(table.numbers(1).toNumbers()).toEqual([-0, 0.5]);
});

test("Table.parse() refuses texts that are not UTF-8", () => {
  const good = ["é", "€", "😀", "\ud7ff", "\ue000", "a".repeat(30)];
  expect(parse(good.join("\n"), csv, kinds("text")).problem).toBeNull();
  // A lone tail, a cut sequence, an overlong form, a surrogate, beyond U+10FFFF, NUL.
  for (
    const bad of [[0x80], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [
      0,
    ]]
  ) {
    const table = parse(Uint8Array.of(97, ...bad, 10), csv, kinds("text"));
    expect({ bad, kind: table.problem?.kind }).toEqual({ bad, kind: "encoding" });
  }
});

test("Table.parse() of an empty text has no rows", () => {
  const table = parse("", csv, [{ kind: "text" }, { kind: "integer" }, { kind: "name", names: new Names() }]);
  expect([table.rows, table.problem]).toEqual([0, null]);
  expect(stringsOf(table.texts(0))).toEqual([]);
  expect(table.integers(1).toNumbers()).toEqual([]);
});

test("Table.parseLists() reads rows of any length", () => {
  const table = Table.parseLists(sourceOf("# ids\n3 1 2\n\n4\n 5 -6 "), 0, "#");
  expect(table.integers(0).toNumbers()).toEqual([3, 1, 2, 4, 5, -6]);
  expect(table.integers(1).toNumbers()).toEqual([0, 3, 4, 6]);
  expect([table.rows, table.blanks, table.comments]).toEqual([3, 1, 1]);
  expect(Table.parseLists(sourceOf("1 2\n3 x\n"), 0, "").problem).toMatchObject({
    kind: "integer",
    column: 1,
  });
});

test("placeOf() counts lines and bytes of a line from 1", () => {
  const source = sourceOf("é\nab\n");
  expect(placeOf(source, 0)).toEqual({ line: 1, column: 1 });
  expect(placeOf(source, 4)).toEqual({ line: 2, column: 2 });
  expect(placeOf(source, 6)).toEqual({ line: 3, column: 1 });
});

const columnOf = (...list: (string | null)[]) => ({
  ...textsOf(list.map((text) => text ?? "")),
  present: NativeArray.from<"BOOL">(Uint8Array.from(list, (text) => text === null ? 0 : 1), "BOOL"),
});

test("convertTexts() gives values, 0 where there are none, or the first text that is none", () => {
  const values = (column: ReturnType<typeof columnOf>, dtype: "I64" | "F64" | "BOOL", strict = false) => {
    const result = convertTexts(column, dtype, strict);
    return typeof result === "number" ? result : result.toNumbers();
  };
  expect(values(columnOf("7", null, "-2"), "I64")).toEqual([7, 0, -2]);
  expect(values(columnOf("7", "2.5"), "I64")).toBe(1);
  expect(values(columnOf("7", null, "2.5"), "F64")).toEqual([7, 0, 2.5]);
  expect(values(columnOf("1", "nan"), "F64")).toBe(1);
  expect(values(columnOf("True", null, "false"), "BOOL")).toEqual([1, 0, 0]);
  expect(values(columnOf("true", "yes"), "BOOL")).toBe(1);
  // Only as a program prints them.
  for (const text of ["007", "+7", " 7", "7 "]) {
    expect({ text, plain: values(columnOf(text), "I64") }).toEqual({ text, plain: [7] });
    expect({ text, strict: values(columnOf(text), "I64", true) }).toEqual({ text, strict: 0 });
  }
  expect(values(columnOf("0", "-10", "0.5"), "F64", true)).toEqual([0, -10, 0.5]);
});

test("selectTexts() gathers texts in any order, and more than once", () => {
  const rows = NativeArray.from<"I64">(BigInt64Array.of(2n, 0n, 2n));
  expect(stringsOf(selectTexts(textsOf(["a", "", "ccc"]), rows))).toEqual(["ccc", "a", "ccc"]);
  expect(stringsOf(selectTexts(textsOf(["a"]), NativeArray.allocate("I64", 0)))).toEqual([]);
});

test("stringsOf() keeps a byte order mark that a text begins with: another text than one without", () => {
  const texts = ["\ufeffname", "name", "\ufeff"];
  expect(stringsOf(textsOf(texts))).toEqual(texts);
});
