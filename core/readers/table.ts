/** Columns of a text file: the native table parser with errors that name place, column, what was found and expected. */
import { NativeArray } from "../../ffi/native.ts";
import { convert, type Source } from "../../ffi/native_source.ts";
import { type Column, placeOf, Table, type TableDialect, type TableProblem } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import { dataError, LONE_RETURN, RETURN_HINT } from "./reader.ts";

/** A column with its name for messages. */
export interface TitledColumn extends Column {
  readonly title: string;
  /** What a text of kind `known` or `unique` should be, for messages. */
  readonly expected?: string;
}

/** Longest piece of input that a message shows. */
const SHOWN = 40;

/** A piece of input in quotes for a message. */
export function shown(source: Source, from: number, to: number): string {
  const bytes = source.bytes().window(from, Math.min(to, source.sizeBytes, from + SHOWN) - from);
  // deno-lint-ignore no-control-regex -- those are what is to be made visible
  const text = new TextDecoder("latin1").decode(bytes).replace(/[\x00-\x1f]/g, "?");
  return `"${to - from > SHOWN ? text + "..." : text}"`;
}

/** A mistake at a byte of a text: `label:line:column: what`. */
export function errorAt(source: Source, offset: number, what: string, hint?: string): GustError {
  const { line, column } = placeOf(source, offset);
  return new GustError("data", `${source.label}:${line}:${column}: ${what}`, hint);
}

const count = (n: number) => `${n} column${n === 1 ? "" : "s"}`;

function problemError(
  source: Source,
  columns: readonly TitledColumn[],
  problem: TableProblem,
  hint: (problem: TableProblem) => string | undefined,
  anyTitle?: string,
): GustError {
  const { kind, from, to } = problem;
  const column = columns[problem.column];
  const title = column?.title ?? anyTitle ?? `column ${problem.column + 1}`;
  const text = shown(source, from, to);
  const words: Record<TableProblem["kind"], () => string> = {
    columns: () =>
      `${count(problem.fields)}, expected ${columns.length} (${shortList(columns.map((c) => c.title))})`,
    integer: () => `${title} ${text} is not an integer, expected decimal digits`,
    range: () => `${title} ${text} is too large, expected at most 2^63 - 1`,
    number: () => `${title} ${text} is not a number`,
    finite: () => `${title} ${text} is not finite, expected a number`,
    empty: () => `${title} is empty, expected a name`,
    unknown: () => `${title} ${text} is unknown, expected ${column?.expected ?? "a known name"}`,
    twice: () => `${title} ${text} is there twice, expected ${column?.expected ?? "different names"}`,
    encoding: () => `${title} ${text} is not UTF-8, expected UTF-8 text`,
    openQuote: () => 'a quote without an end, expected a closing "',
    afterQuote: () => `${text} behind the closing quote, expected a delimiter or the end of the line`,
    return: () => LONE_RETURN,
  };
  const fix = kind === "encoding"
    ? "iconv -f latin1 -t utf-8 converts a file of another encoding"
    : kind === "return"
    ? RETURN_HINT
    : hint(problem);
  return errorAt(source, from, words[kind](), fix);
}

/** "a, b, c" or "a, b, ... (31 in all)" */
function shortList(names: readonly string[]): string {
  return names.length <= 8 ? names.join(", ") : `${names.slice(0, 3).join(", ")}, ... ${names.at(-1)}`;
}

/** First byte of the text: behind a byte order mark. @throws {GustError} (data) for UTF-16. */
export function textBegin(source: Source): number {
  const [a, b, c] = source.head(3);
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw dataError(
      source,
      "begins with the byte order mark of UTF-16, expected UTF-8",
      "iconv -f utf-16 -t utf-8 converts it",
    );
  }
  return a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0;
}

/**
 * For texts, or their beginnings, that no native parser has seen yet.
 * @throws {GustError} (data) for a carriage return that ends a line by itself.
 */
export function refuseReturns(source: Source, most = source.sizeBytes): void {
  const bytes = source.head(most);
  for (let at = bytes.indexOf(13); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (at + 1 < bytes.length && bytes[at + 1] !== 10) throw errorAt(source, at, LONE_RETURN, RETURN_HINT);
  }
}

/**
 * Parse all rows. @throws {GustError} (data) for the first mistake: `hint` may know a likely fix.
 * Cost: one pass in order; memory for the columns.
 */
export function readTable(
  source: Source,
  dialect: TableDialect,
  columns: readonly TitledColumn[],
  hint: (problem: TableProblem) => string | undefined = () => undefined,
): Table {
  const table = Table.parse(source, dialect, columns);
  if (table.problem) throw problemError(source, columns, table.problem, hint);
  return table;
}

/** Rows of integers of any number. @throws {GustError} (data) as readTable(); `title` names what they are. */
export function readLists(source: Source, begin: number, comment: string, title: string): Table {
  const table = Table.parseLists(source, begin, comment);
  if (table.problem) throw problemError(source, [], table.problem, () => undefined, title);
  return table;
}

/** The byte where a field of a parsed table begins: for mistakes found later. */
export function fieldOffset(
  source: Source,
  dialect: TableDialect,
  columns: number,
  rowOffset: number,
  column: number,
): number {
  const kinds = Array.from(
    { length: columns },
    (_, c): Column => ({ kind: c === column ? "place" : "skip" }),
  );
  const table = Table.parse(source, { ...dialect, begin: rowOffset, mostRows: 1 }, kinds);
  return table.problem ? rowOffset : table.integers(column).at(0);
}

/** A field of a parsed table and its place, for mistakes found later. */
export interface Place {
  readonly source: Source;
  readonly dialect: TableDialect;
  readonly columns: number;
  readonly table: Table;
}

/** An error at a field of a parsed table. */
export function fieldError(
  place: Place,
  row: number,
  column: number,
  what: string,
  hint?: string,
): GustError {
  const { source, dialect, columns, table } = place;
  const offset = fieldOffset(source, dialect, columns, table.rowOffsets().at(row), column);
  return errorAt(source, offset, what, hint);
}

/** "left out 2 comment lines", for the notes. */
export function leftOut(tables: readonly Table[]): string[] {
  const sum = (f: (table: Table) => number) => tables.reduce((total, table) => total + f(table), 0);
  const say = (n: number, what: string) => n === 0 ? [] : [`left out ${n} ${what} line${n === 1 ? "" : "s"}`];
  return [...say(sum((t) => t.comments), "comment"), ...say(sum((t) => t.blanks), "blank")];
}

/** Every element as a number, for arrays that fit a window: BigInts one by one cost ten times as much. */
export function numbersOf(array: NativeArray<"I64">): Float64Array {
  const numbers = convert(array, "F64") as NativeArray<"F64">;
  return numbers.window(0, numbers.length);
}

/** Whole numbers as an array of 64-bit integers. */
export function integersOf(values: Float64Array | Int32Array): NativeArray<"I64"> {
  const array: NativeArray = values instanceof Float64Array
    ? NativeArray.from<"F64">(values)
    : NativeArray.from<"I32">(values);
  return convert(array, "I64") as NativeArray<"I64">;
}
