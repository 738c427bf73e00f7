/**
 * A property graph as one CSV table: rows with _id and _labels are nodes, rows with _start, _end and _type are
 * relationships; the other columns are properties of whichever rows fill them. Their types are found by their values.
 */
import type { NativeArray } from "../../ffi/native.ts";
import { Names, selectTexts, type TextColumn } from "../../ffi/native_table.ts";
import { selectRows } from "../../ffi/native_source.ts";
import { cut } from "./edgelist_look.ts";
import type { InputFile } from "./input.ts";
import { firstLines } from "./parts.ts";
import { type PropertyParts, type RelationshipBlock, rowsByType } from "./property_parts.ts";
import { textError } from "./reader.ts";
import {
  errorAt,
  fieldError,
  integersOf,
  leftOut,
  type Place,
  readTable,
  textBegin,
  type TitledColumn,
} from "./table.ts";
import { countPresent, inferColumn, type TypedColumn } from "./typed_columns.ts";

const NEEDED = ["_id", "_labels", "_start", "_end", "_type"] as const;
const DELIMITERS = [",", ";", "\t"];

/** The fields of a header, and what separates them; null unless it is one of this form. */
export function exportFields(header: string): { fields: string[]; delimiter: string } | null {
  for (const delimiter of DELIMITERS) {
    const fields = cut(header, delimiter).map((field) => field.trim());
    if (NEEDED.every((name) => fields.includes(name))) return { fields, delimiter };
  }
  return null;
}

type Rows = NativeArray<"I64">;
const rowsOf = (rows: readonly number[]): Rows => integersOf(Int32Array.from(rows));

const select = (column: TextColumn, rows: Rows): TextColumn => ({
  ...selectTexts(column, rows),
  present: selectRows(column.present, 1, rows),
});

/** The different texts of some rows, and which of them each has. */
function distinctTexts(column: TextColumn, rows: readonly number[]): { texts: string[]; textOf: Int32Array } {
  const names = new Names();
  const textOf = names.numbers(select(column, rowsOf(rows)), true).window(0, rows.length);
  return { texts: names.strings(), textOf };
}

const labelsOf = (text: string) =>
  text.split(":").map((label) => label.trim()).filter((label) => label !== "");

/** @throws {GustError} (data) naming the place. */
export function readExportTable({ source }: InputFile): PropertyParts {
  textBegin(source);
  const [line] = firstLines(source, 1);
  const { fields, delimiter } = exportFields(line!.text)!;
  const twice = fields.find((name, i) => fields.indexOf(name) < i);
  if (twice !== undefined) {
    throw textError(source, line!.number, 1, `the header names "${twice}" twice, expected different columns`);
  }
  const dialect = { begin: line!.end, delimiter, quotes: true, comment: "" };
  const table = readTable(source, dialect, fields.map((title): TitledColumn => ({ kind: "text", title })));
  const place: Place = { source, dialect, columns: fields.length, table };
  const column = (name: string) => table.texts(fields.indexOf(name));

  const nodeRows: number[] = [], relationRows: number[] = [];
  const isNode = column("_id").present.window(0, table.rows),
    isStart = column("_start").present.window(0, table.rows);
  for (let row = 0; row < table.rows; row++) {
    if (isNode[row] === isStart[row]) {
      const what = isNode[row] ? "both _id and _start" : "neither _id nor _start";
      throw errorAt(
        source,
        table.rowOffsets().at(row),
        `the row fills ${what}, expected a node or a relationship`,
      );
    }
    (isNode[row] ? nodeRows : relationRows).push(row);
  }
  const names = new Names();
  const numbers = names.numbers(select(column("_id"), rowsOf(nodeRows)), true).window(0, nodeRows.length);
  const again = numbers.findIndex((number, i) => number !== i);
  if (again >= 0) {
    throw fieldError(
      place,
      nodeRows[again]!,
      fields.indexOf("_id"),
      "_id is there twice, expected every node once",
    );
  }
  const numberOf = new Int32Array(table.rows);
  nodeRows.forEach((row, i) => numberOf[row] = numbers[i]!);

  const properties = fields.filter((name) => !(NEEDED as readonly string[]).includes(name));
  const columnsOf = (rows: readonly number[]) => {
    const chosen = rowsOf(rows), columns = new Map<string, TypedColumn>();
    for (const name of properties) {
      const texts = column(name), present = selectRows(texts.present, 1, chosen);
      if (countPresent(present) > 0) {
        columns.set(name, inferColumn({ ...selectTexts(texts, chosen), present }));
      }
    }
    return columns;
  };
  const labels = distinctTexts(column("_labels"), nodeRows);
  const nodes = rowsByType(labels.texts.map(labelsOf), labels.textOf).map(({ rows, ...labelled }) => {
    const own = rows.map((i) => nodeRows[i]!);
    return { ...labelled, nodes: Int32Array.from(own, (row) => numberOf[row]!), columns: columnsOf(own) };
  });
  const ends = (name: "_start" | "_end", rows: readonly number[]) => {
    const found = names.numbers(select(column(name), rowsOf(rows)), false).window(0, rows.length);
    const unknown = found.findIndex((number) => number < 0);
    if (unknown >= 0) {
      const what = `${name} is unknown, expected the _id of a node`;
      throw fieldError(place, rows[unknown]!, fields.indexOf(name), what, "the relationship dangles");
    }
    return Int32Array.from(found);
  };
  const types = distinctTexts(column("_type"), relationRows);
  const relationships = types.texts.map((type, t): RelationshipBlock => {
    const rows = relationRows.filter((_, i) => types.textOf[i] === t);
    if (type === "") {
      throw fieldError(
        place,
        rows[0]!,
        fields.indexOf("_type"),
        "_type is empty, expected the type of the relationship",
      );
    }
    return { type, sources: ends("_start", rows), targets: ends("_end", rows), columns: columnsOf(rows) };
  });
  return { names: names.texts(), nodes, relationships, notes: leftOut([table]) };
}
