/** How the lines of an edge list look: found from the first of them, each finding said aloud. */
import { z } from "zod";
import type { Dialect } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import { textError } from "./reader.ts";
import { refuseReturns } from "./table.ts";
import { HEAD_BYTES, headLines, integer, type Line, words } from "./text.ts";

/** Every option overrides one finding. */
export const params = z.object({
  delimiter: z.string().optional().describe(
    'what separates columns: one character, "tab" or "blank"; found if not given',
  ).meta({
    value: "CHAR",
  }),
  comment: z.string().min(1).optional().describe("prefix of lines to leave out, instead of #, % and //").meta(
    { value: "PREFIX" },
  ),
  header: z.enum(["auto", "yes", "no"]).default("auto").describe("whether the first line names the columns"),
  ids: z.enum(["auto", "integer", "string"]).default("auto").describe(
    "whether node ids are numbers or names",
  ),
  weights: z.string().regex(/^(auto|none|[1-9]\d*)$/, "expected auto, none or the number of a column")
    .default("auto").describe(
      "column of edge weights, counted from 1; none leaves them out",
    ).meta({ value: "COLUMN" }),
}).strict();
export type Params = z.infer<typeof params>;

/** Lines looked at to find out how the others look. */
const SAMPLE = 64;
/** What the native parser takes. */
const MOST_COLUMNS = 64;
const DELIMITERS = [",", ";", "\t", "|"];
const NAMED_DELIMITERS: Record<string, string> = { tab: "\t", "\\t": "\t", blank: "", space: "", comma: "," };
export const WEIGHT_NAMES = /^(weights?|w|wgt|wt|value|val|edge_?weight)$/i;
const ID_NAMES =
  /^(id_?[12]|src|dst|source|target|from|to|head|tail|u|v|node_?(id)?_?[12ab]?|from_?node(id)?|to_?node(id)?|user(_?id)?|item(_?id)?|source_?id|target_?id)$/i;

/** A line cut into columns, as the native parser does it. */
export function cut(text: string, delimiter: string): string[] {
  if (delimiter === "") return words(text);
  const fields: string[] = [];
  const pattern = new RegExp(
    `\\s*(?:"((?:[^"]|"")*)"[^${escape(delimiter)}]*|([^${escape(delimiter)}]*))(${escape(delimiter)}|$)`,
    "y",
  );
  for (;;) {
    const match = pattern.exec(text)!;
    fields.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : match[2]!.trim());
    if (match[3] === "") return fields;
  }
}
const escape = (c: string) => c.replace(/[\\^\]|-]/g, "\\$&");

function findDelimiter(source: Source, given: string | undefined, sample: readonly Line[]): string {
  if (given !== undefined) {
    const one = NAMED_DELIMITERS[given] ?? given;
    if (one.length > 1 || one.charCodeAt(0) > 126 || /[\dA-Za-z"\n]/.test(one)) {
      throw new GustError("usage", `--delimiter "${given}": expected one character, "tab" or "blank"`);
    }
    return one === " " ? "" : one;
  }
  const found = DELIMITERS.find((d) => sample.every(({ text }) => text.includes(d)));
  if (found !== undefined && found !== "\t") return found;
  // Names may hold blanks where tabs separate; integers may not, and some files mix tabs and blanks.
  const tabs = found === "\t" &&
    sample.some(({ text }) => text.trim().split("\t").some((field) => /\S\s+\S/.test(field)));
  if (!tabs && sample.some(({ text }) => words(text).length < 2)) {
    const line = sample.find(({ text }) => words(text).length < 2)!;
    throw textError(
      source,
      line.number,
      1,
      `"${line.text.trim()}" is one column, expected at least source and target`,
    );
  }
  return tabs ? "\t" : "";
}

const areIntegers = (fields: readonly string[]) =>
  !Number.isNaN(integer(fields[0])) && !Number.isNaN(integer(fields[1]));

/** What was found. */
export interface Findings {
  readonly dialect: Omit<Dialect, "indexBase" | "limit">;
  readonly notes: string[];
}

function hasHeader(
  given: Params["header"],
  first: readonly string[],
  second: readonly string[] | undefined,
): boolean {
  if (given !== "auto") return given === "yes";
  if (areIntegers(first)) return false;
  const areNames = Number.isNaN(integer(first[0])) && Number.isNaN(integer(first[1]));
  const isAboveIds = second !== undefined && areIntegers(second);
  return (areNames && isAboveIds) || (ID_NAMES.test(first[0]!) && ID_NAMES.test(first[1]!));
}

/** A number, or one too large for a number, which the parser refuses. */
const isNumeric = (field: string | undefined) =>
  field !== undefined && /\d/.test(field) && !Number.isNaN(Number(field));

function findWeights(
  given: string,
  rows: readonly string[][],
  header: readonly string[] | null,
  notes: string[],
): number | null {
  const columns = rows[0]!.length;
  if (given === "none") return null;
  if (given !== "auto") {
    const column = Number(given);
    if (column < 3 || column > columns) {
      throw new GustError(
        "usage",
        `--weights ${given}: the lines have ${columns} columns, expected a column from 3`,
      );
    }
    return column - 1;
  }
  if (columns === 2) return null;
  const named = header ? header.findIndex((name, column) => column > 1 && WEIGHT_NAMES.test(name)) : -1;
  if (named > 0) {
    notes.push(
      `column ${named + 1} ("${header![named]}") is taken as edge weights; --weights none leaves it out`,
    );
    return named;
  }
  if (columns === 3 && !header && isNumeric(rows[0]![2])) {
    notes.push("column 3 is taken as edge weights; --weights none leaves it out");
    return 2;
  }
  const left = columns === 3 ? "column 3 is" : `columns 3 to ${columns} are`;
  notes.push(`${left} left out; --weights N takes column N as edge weights`);
  return null;
}

/** How the lines look; null if there is none. @throws {GustError} naming the first line that cannot be meant. */
export function look(source: Source, p: Params): Findings | null {
  refuseReturns(source, HEAD_BYTES);
  const isComment = (text: string) =>
    p.comment === undefined ? /^(#|%|\/\/)/.test(text) : text.startsWith(p.comment);
  const sample: Line[] = [];
  for (const line of headLines(source)) {
    const text = line.text.trim();
    if (text === "" || isComment(text)) continue;
    sample.push(line);
    if (sample.length === SAMPLE) break;
  }
  if (sample.length === 0) return null;
  const delimiter = findDelimiter(source, p.delimiter, sample);
  const rows = sample.map(({ text }) => cut(text, delimiter));
  const first = rows[0]!;
  if (first.length < 2) {
    throw textError(
      source,
      sample[0]!.number,
      1,
      `"${sample[0]!.text.trim()}" is one column, expected at least source and target`,
    );
  }
  const tooWide = rows.findIndex(({ length }) => length > MOST_COLUMNS);
  if (tooWide >= 0) {
    const problem = `${rows[tooWide]!.length} columns, expected at most ${MOST_COLUMNS}`;
    throw textError(
      source,
      sample[tooWide]!.number,
      1,
      problem,
      "source and target are the first two columns",
    );
  }
  const notes: string[] = [];
  const header = hasHeader(p.header, first, rows[1]) ? first : null;
  if (header) {
    notes.push(`line ${sample[0]!.number} is taken as names of the columns: ${header.join(", ")}`);
    rows.shift();
  }
  const begin = header ? sample[0]!.end : sample[0]!.begin;
  if (rows.length === 0) return { dialect: dialectOf(begin, delimiter, first.length, null, false, p), notes };
  const data = rows[0]!;
  const zeros = areIntegers(data) &&
    rows.slice(0, 8).some((row) => /^0\d/.test(row[0] ?? "") || /^0\d/.test(row[1] ?? ""));
  // One of the first two lines may hold a mistake, which is better reported than taken for a name.
  const integers = rows.slice(0, 2).some(areIntegers);
  const named = p.ids === "auto" ? !integers || zeros : p.ids === "string";
  if (p.ids === "auto" && named) {
    notes.push(
      zeros
        ? "ids with leading zeros are taken as names; --ids integer takes them as numbers"
        : "ids are taken as names, numbered in order of appearance",
    );
  }
  if (named && p.weights === "auto" && data.length === 3 && !header && !isNumeric(data[2])) {
    throw textError(
      source,
      sample[0]!.number,
      1,
      `three columns of names (${
        data.map((name) => `"${name}"`).join(" ")
      }) could be triples, expected source, target and weight`,
      "--format triples reads triples; for an edge list bring source and target to the front and add --weights none",
    );
  }
  const weight = findWeights(p.weights, rows, header, notes);
  return { dialect: dialectOf(begin, delimiter, data.length, weight, named, p), notes };
}

export const dialectOf = (
  begin: number,
  delimiter: string,
  columns: number,
  weight: number | null,
  named: boolean,
  p: Params,
): Findings["dialect"] => ({
  begin,
  delimiter,
  columns,
  source: 0,
  target: 1,
  weight,
  named,
  comment: p.comment ?? "",
});
