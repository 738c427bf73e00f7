/** Tables of text and dictionaries of names in native memory, and columns of texts. */
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";
import type { Source } from "./native_source.ts";

const destroyed = new FinalizationRegistry<() => void>((destroy) => destroy());

/** Texts one after another: UTF-8, and where each begins (one more than texts). */
export interface Texts {
  readonly bytes: NativeArray<"U8">;
  readonly indptr: NativeArray<"I64">;
}
/** A column of texts, some of which may be missing (and empty). */
export interface TextColumn extends Texts {
  readonly present: NativeArray<"BOOL">;
}

/** Names numbered 0, 1, 2, ... in order of arrival; freed when collected. */
export class Names {
  readonly handle: number;

  constructor() {
    const [handle] = callOut(1, "gust_names_create") as [number];
    this.handle = handle;
    destroyed.register(this, () => call("gust_names_destroy", handle));
  }

  get count(): number {
    return callOut(2, "gust_names_sizes", this.handle)[0]!;
  }

  /** All of them, by number. */
  texts(): Texts {
    const [count, size] = callOut(2, "gust_names_sizes", this.handle) as [number, number];
    const bytes = NativeArray.allocate("U8", size, false);
    const indptr = NativeArray.allocate("I64", count + 1, false);
    call("gust_names_copy", this.handle, bytes.address, indptr.address);
    return { bytes, indptr };
  }

  /** The names as strings: for small sets. */
  strings(): string[] {
    return stringsOf(this.texts());
  }

  /** The numbers of texts; unknown ones are added, or -1. */
  numbers(texts: Texts, add: boolean): NativeArray<"I32"> {
    const count = texts.indptr.length - 1;
    const numbers = NativeArray.allocate("I32", count, false);
    call(
      "gust_names_number",
      this.handle,
      texts.bytes.address,
      texts.indptr.address,
      count,
      add ? 1 : 0,
      numbers.address,
    );
    return numbers;
  }

  /** Add strings in order. @returns the number of each. */
  add(strings: readonly string[]): NativeArray<"I32"> {
    return this.numbers(textsOf(strings), true);
  }
}

/** What becomes of a column: see gust.h. `name`, `known` and `unique` need `names`. */
export const columnKinds = {
  skip: 0,
  text: 1,
  integer: 2,
  number: 3,
  name: 4,
  known: 5,
  unique: 6,
  place: 7,
} as const;
export interface Column {
  readonly kind: keyof typeof columnKinds;
  readonly names?: Names;
}

/** How the rows look. */
export interface TableDialect {
  /** First byte of the rows. */
  readonly begin: number;
  /** One character, or "" for runs of blanks. */
  readonly delimiter: string;
  /** Whether fields may be in quotes, with newlines and "" inside. */
  readonly quotes: boolean;
  /** Character that begins a line to leave out ("#": "%" too); "": none. */
  readonly comment: string;
  readonly mostRows?: number;
}

/** Mistakes, in the order of gust.h. */
export const tableProblems = [
  "columns",
  "integer",
  "range",
  "number",
  "finite",
  "empty",
  "unknown",
  "twice",
  "encoding",
  "openQuote",
  "afterQuote",
  "return",
] as const;
export interface TableProblem {
  readonly kind: (typeof tableProblems)[number];
  /** Bytes [from, to) of the source. */
  readonly from: number;
  readonly to: number;
  /** Column, from 0. */
  readonly column: number;
  /** Fields of the row, where that is the mistake. */
  readonly fields: number;
}

/** Columns of a text, parsed; freed when collected. */
export class Table {
  readonly #handle: number;
  readonly rows: number;
  /** The byte behind the last row. */
  readonly next: number;
  readonly blanks: number;
  readonly comments: number;
  /** The first mistake, at which parsing ended; null without. */
  readonly problem: TableProblem | null;

  private constructor(out: readonly number[]) {
    const [handle, rows, next, blanks, comments, problem, from, to, column, fields] = out as [
      ...[number, number, number, number, number, number, number, number, number, number],
    ];
    this.#handle = handle;
    this.rows = rows;
    this.next = next;
    this.blanks = blanks;
    this.comments = comments;
    this.problem = problem === 0 ? null : { kind: tableProblems[problem - 1]!, from, to, column, fields };
    destroyed.register(this, () => call("gust_table_destroy", handle));
  }

  /** Parse rows of these columns. One pass, in order; memory: the columns. */
  static parse(source: Source, dialect: TableDialect, columns: readonly Column[]): Table {
    const { begin, delimiter, quotes, comment, mostRows } = dialect;
    const code = (character: string) => character === "" ? 0 : character.charCodeAt(0);
    const words = [begin, code(delimiter), quotes ? 1 : 0, code(comment), mostRows ?? -1];
    const kinds = columns.flatMap(({ kind, names }) => [columnKinds[kind], names?.handle ?? 0]);
    return new Table(
      callOut(
        10,
        "gust_table_parse",
        source.address,
        source.sizeBytes,
        BigInt64Array.from(words, BigInt),
        BigInt64Array.from(kinds, BigInt),
        columns.length,
      ),
    );
  }

  /** Parse rows of any number of integers: column 0 is all of them, column 1 where each row's begin. */
  static parseLists(source: Source, begin: number, comment: string): Table {
    const code = comment === "" ? 0 : comment.charCodeAt(0);
    return new Table(callOut(10, "gust_table_lists", source.address, source.sizeBytes, begin, code));
  }

  #array<D extends DType>(dtype: D, column: number): NativeArray<D> {
    const [address, length] = callOut(4, "gust_table_column", this.#handle, column) as [number, number];
    return NativeArray.at(dtype, length, address, this);
  }

  /** A column of kind integer or place. */
  integers(column: number): NativeArray<"I64"> {
    return this.#array("I64", column);
  }
  /** A column of kind number. */
  numbers(column: number): NativeArray<"F64"> {
    return this.#array("F64", column);
  }
  /** A column of kind name, known or unique: numbers among its names. */
  ids(column: number): NativeArray<"I32"> {
    return this.#array("I32", column);
  }
  /** A column of kind text. */
  texts(column: number): TextColumn {
    const [bytes, size, indptr, present] = callOut(4, "gust_table_column", this.#handle, column) as [
      number,
      number,
      number,
      number,
    ];
    return {
      bytes: NativeArray.at("U8", size, bytes, this),
      indptr: NativeArray.at("I64", this.rows + 1, indptr, this),
      present: NativeArray.at("BOOL", this.rows, present, this),
    };
  }
  /** The byte offset of each row. */
  rowOffsets(): NativeArray<"I64"> {
    return this.#array("I64", -1);
  }
}

/** Line and column (in bytes) of a byte, from 1. O(offset). */
export function placeOf(source: Source, offset: number): { line: number; column: number } {
  const [line, column] = callOut(2, "gust_text_place", source.address, offset) as [number, number];
  return { line, column };
}

/** Texts of strings. */
export function textsOf(strings: readonly string[]): Texts {
  const encoder = new TextEncoder();
  const pieces = strings.map((text) => encoder.encode(text));
  const indptr = NativeArray.allocate("I64", strings.length + 1);
  const ends = indptr.window(0, strings.length + 1);
  pieces.forEach((piece, i) => ends[i + 1] = ends[i]! + BigInt(piece.length));
  const bytes = NativeArray.allocate("U8", Number(ends[strings.length]), false);
  const window = bytes.window(0, bytes.length);
  pieces.forEach((piece, i) => window.set(piece, Number(ends[i])));
  return { bytes, indptr };
}

/** Of texts inside a file: a byte order mark that one begins with belongs to it, and tells it from another. */
export const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Texts as strings: for small columns. */
export function stringsOf({ bytes, indptr }: Texts): string[] {
  const text = bytes.window(0, bytes.length), ends = indptr.window(0, indptr.length);
  return Array.from(
    { length: indptr.length - 1 },
    (_, i) => textDecoder.decode(text.subarray(Number(ends[i]), Number(ends[i + 1]))),
  );
}

/**
 * Texts as numbers (finite) or truth values; missing ones become 0.
 *
 * @param strict  only texts as a program prints them: no leading zeros, plus signs or blanks.
 * @returns the values, or the position of the first text that is none.
 */
export function convertTexts<D extends "I64" | "F64" | "BOOL">(
  { bytes, indptr, present }: TextColumn,
  dtype: D,
  strict: boolean,
): NativeArray<D> | number {
  const values = NativeArray.allocate(dtype, present.length, false);
  const [bad] = callOut(
    1,
    "gust_texts_convert",
    bytes.address,
    indptr.address,
    present.address,
    present.length,
    dtypes[dtype].code,
    strict ? 1 : 0,
    values.address,
  ) as [number];
  return bad < 0 ? values : bad;
}

/** Texts number rows[0], rows[1], ... */
export function selectTexts({ bytes, indptr }: Texts, rows: NativeArray<"I64">): Texts {
  const ends = NativeArray.allocate("I64", rows.length + 1, false);
  const select = (to: number) =>
    call("gust_texts_select", bytes.address, indptr.address, rows.address, rows.length, to, ends.address);
  select(0);
  const chosen = NativeArray.allocate("U8", ends.at(rows.length), false);
  if (chosen.length > 0) select(chosen.address);
  return { bytes: chosen, indptr: ends };
}
