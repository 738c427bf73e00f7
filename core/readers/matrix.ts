/** Files that are a table of numbers and nothing else, as the TU and OGB layouts have them. */
import type { NativeArray } from "../../ffi/native.ts";
import { parseMatrix } from "../../ffi/native_matrix.ts";
import type { Source } from "../../ffi/native_source.ts";
import type { GustError } from "../errors.ts";
import type { InputFile } from "./input.ts";
import { parsing, textError } from "./reader.ts";
import { textBegin } from "./table.ts";
import { headLines, words } from "./text.ts";

export interface MatrixOptions {
  /** What an element is, for messages: "graph number". */
  readonly title: string;
  /** Columns that there must be; any, where not given. */
  readonly columns?: number;
  /** Rows that there must be, and what they stand for: "one per node". */
  readonly rows?: number;
  readonly per?: string;
  /** Smallest and largest integer. */
  readonly low?: number;
  readonly high?: number;
  /** An empty field or "nan" is a missing value: -1, or NaN. */
  readonly mayMiss?: boolean;
  /** What may be wrong, by what the message says. */
  readonly hints?: readonly (readonly [RegExp, string])[];
}

/** Row-major; row i is line i + 1 of the file. */
export interface Matrix<D extends "I32" | "I64" | "F32" | "F64"> {
  readonly source: Source;
  readonly array: NativeArray<D>;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Read a file of numbers, cut by commas or blanks as its first line is.
 * @throws {GustError} (data) with line, column, what was found and what was expected.
 */
export function readMatrix<D extends "I32" | "I64" | "F32" | "F64">(
  { source }: InputFile,
  dtype: D,
  { columns: wanted, rows: count, per, hints = [], ...options }: MatrixOptions,
): Matrix<D> {
  const begin = textBegin(source);
  const first = headLines(source).next().value?.text ?? "";
  const delimiter = first.includes(",") ? "," : "";
  const columns = wanted ?? Math.max(1, delimiter ? first.split(",").length : words(first).length);
  const { array, rows } = parsing(
    source,
    hints,
    () => parseMatrix(source, { begin, delimiter, columns, ...options }, dtype),
  );
  if (count !== undefined && rows !== count) {
    const what = rows < count ? `the file ends after ${rows} rows` : `row ${count + 1} is one too many`;
    throw textError(source, Math.min(rows, count) + 1, 1, `${what}, expected ${count} (${per})`);
  }
  return { source, array, rows, columns };
}

/** A mistake in a row. */
export function rowError(matrix: Matrix<"I32" | "F32">, row: number, what: string, hint?: string): GustError {
  return textError(matrix.source, row + 1, 1, what, hint);
}
