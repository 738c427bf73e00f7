/** CSV files with the headers of neo4j-admin import: nodes (:ID, :LABEL) and relationships (:START_ID, :END_ID, :TYPE). */
import { NativeArray } from "../../ffi/native.ts";
import { Names, type Texts } from "../../ffi/native_table.ts";
import { cut } from "./edgelist_look.ts";
import type { InputFile } from "./input.ts";
import { firstLines } from "./parts.ts";
import { type NodeBlock, type PropertyParts, type RelationshipBlock, rowsByType } from "./property_parts.ts";
import { textError } from "./reader.ts";
import {
  fieldError,
  integersOf,
  leftOut,
  type Place,
  readTable,
  shown,
  textBegin,
  type TitledColumn,
} from "./table.ts";
import { declaredColumn, selectColumn, type TypedColumn, type ValueKind } from "./typed_columns.ts";

/** A field of a header: `name:TYPE(group)`. */
interface Field {
  readonly name: string;
  /** In capitals for the fields that are no properties. */
  readonly type: string;
  readonly group: string;
  readonly title: string;
}

const SPECIAL = ["ID", "LABEL", "START_ID", "END_ID", "TYPE", "IGNORE"];
const KINDS: Readonly<Record<string, ValueKind>> = {
  int: "I64",
  integer: "I64",
  long: "I64",
  short: "I64",
  byte: "I64",
  float: "F64",
  double: "F64",
  number: "F64",
  boolean: "BOOL",
  bool: "BOOL",
};
const EXPECTED: Readonly<Record<ValueKind, string>> = {
  I64: "an integer",
  F64: "a finite number",
  BOOL: "true or false",
};
const DELIMITERS = [",", ";", "\t", "|"];
const LABEL_DELIMITER = ";";

/** `name:type(group){options}`: the type is behind the first colon from which on everything fits to the end. */
function fieldOf(title: string): Field {
  const text = title.trim(), isOpen = !text.endsWith("}");
  for (const match of text.matchAll(/:([A-Za-z_]+(?:\[\])?)(?:\(([^()]*)\))?(?=\{|$)/g)) {
    if (isOpen && match.index + match[0].length < text.length) continue;
    const type = match[1]!, group = match[2] ?? "";
    const special = SPECIAL.includes(type.toUpperCase());
    return { name: text.slice(0, match.index), type: special ? type.toUpperCase() : type, group, title };
  }
  return { name: text, type: "string", group: "", title };
}

/** The fields of a header, and what separates them; null unless it names ids. */
export function importFields(header: string): { fields: Field[]; delimiter: string } | null {
  for (const delimiter of DELIMITERS) {
    const fields = cut(header, delimiter).map(fieldOf);
    const has = (type: string) => fields.some((field) => field.type === type);
    if (has("ID") || (has("START_ID") && has("END_ID"))) return { fields, delimiter };
  }
  return null;
}

/** A file whose header is understood. */
interface ImportFile {
  readonly file: InputFile;
  readonly fields: readonly Field[];
  readonly delimiter: string;
  readonly begin: number;
  readonly isNodes: boolean;
}

function openFile(file: InputFile): ImportFile {
  const { source } = file;
  textBegin(source);
  const [line] = firstLines(source, 1);
  const { fields, delimiter } = importFields(line!.text)!;
  const titles = fields.filter(({ type }) => type !== "IGNORE").map(({ title }) => title);
  const twice = titles.find((title, i) => titles.indexOf(title) < i && title !== ":LABEL");
  if (twice !== undefined) {
    throw textError(source, line!.number, 1, `the header names "${twice}" twice, expected different columns`);
  }
  if (line!.text.includes("\ufffd")) {
    throw textError(source, line!.number, 1, "the header is not UTF-8, expected UTF-8 text");
  }
  return { file, fields, delimiter, begin: line!.end, isNodes: fields.some(({ type }) => type === "ID") };
}

/** Ids of a group of nodes, numbered from `base` among all nodes. */
interface Group {
  readonly names: Names;
  base: number;
}

/** A parsed file. */
interface Parsed {
  readonly place: Place;
  readonly columns: Map<string, TypedColumn>;
  /** Of each row, the number of its label or type among `kinds`. */
  readonly kindOf: NativeArray<"I32">;
  readonly kinds: readonly string[];
}

function parseFile(
  { file, fields, delimiter, begin }: ImportFile,
  columnOf: (field: Field) => TitledColumn,
): Parsed {
  const dialect = { begin, delimiter, quotes: true, comment: "" };
  const columns = fields.map(columnOf);
  const table = readTable(
    file.source,
    dialect,
    columns,
    ({ kind }) =>
      kind === "twice"
        ? "ids are unique over all node files of a group"
        : kind === "unknown"
        ? "the relationship dangles"
        : undefined,
  );
  const place: Place = { source: file.source, dialect, columns: fields.length, table };
  const kept = new Map<string, TypedColumn>();
  fields.forEach((field, c) => {
    if ((SPECIAL.includes(field.type) && field.type !== "ID") || field.name === "") return;
    // An id with a name is a property too, which a second look at the file gives.
    const texts = field.type === "ID" ? idTexts(place, c) : table.texts(c);
    const kind = KINDS[field.type.toLowerCase()] ?? "text";
    const column = declaredColumn(texts, kind);
    if (typeof column === "number") {
      const ends = texts.indptr.window(column, 2);
      const bytes = texts.bytes.window(Number(ends[0]), Number(ends[1]! - ends[0]!));
      const text = new TextDecoder().decode(bytes.slice(0, 40));
      throw fieldError(place, column, c, `${field.name} "${text}", expected ${EXPECTED[kind as ValueKind]}`);
    }
    kept.set(field.name, column);
  });
  const kindColumn = fields.findIndex(({ type }) => type === "LABEL" || type === "TYPE");
  const kinds = new Names();
  const kindOf = kindColumn < 0
    ? NativeArray.allocate("I32", table.rows)
    : kinds.numbers(table.texts(kindColumn), true);
  return { place, columns: kept, kindOf, kinds: kindColumn < 0 ? [""] : kinds.strings() };
}

function idTexts(place: Place, column: number) {
  const kinds = Array.from(
    { length: place.columns },
    (_, c): TitledColumn => ({ kind: c === column ? "text" : "skip", title: "id" }),
  );
  return readTable(place.source, place.dialect, kinds).texts(column);
}

/** The rows of each kind. */
function rowsByKind({ kindOf, kinds, place: { table } }: Parsed): Map<string, number[]> {
  const rows = new Map<string, number[]>(kinds.map((kind) => [kind, []]));
  const lists = [...rows.values()];
  kindOf.window(0, table.rows).forEach((kind, row) => lists[kind]!.push(row));
  return rows;
}

/** The columns of some rows. */
function columnsOf({ columns, place: { table } }: Parsed, rows: readonly number[]): Map<string, TypedColumn> {
  if (rows.length === table.rows) return columns;
  const chosen = integersOf(Int32Array.from(rows));
  return new Map([...columns].map(([name, column]) => [name, selectColumn(column, chosen)]));
}

const labelsOf = (text: string) =>
  text.split(LABEL_DELIMITER).map((label) => label.trim()).filter((l) => l !== "");

/** Where the type is not in a column it is in the file's name: *.nodes.Label.csv, *.relationships.TYPE.csv. */
const fromName = (file: InputFile, what: string) =>
  new RegExp(`(?:^|[./])${what}\\.([^/.]+)\\.[^/]*$`).exec(file.name)?.[1];

/** Read the files: nodes first, so that every relationship finds its ends. @throws {GustError} (data) with the place. */
export function readImportFiles(files: readonly InputFile[]): PropertyParts {
  const opened = files.map(openFile);
  const groups = new Map<string, Group>();
  const groupOf = (name: string) => {
    let group = groups.get(name);
    if (!group) groups.set(name, group = { names: new Names(), base: 0 });
    return group;
  };
  const property = (field: Field): TitledColumn => ({
    kind: field.type === "IGNORE" ? "skip" : "text",
    title: field.title,
  });
  const nodeFiles = opened.filter(({ isNodes }) => isNodes).map((file) => {
    const idField = file.fields.find(({ type }) => type === "ID")!;
    const { names } = groupOf(idField.group);
    const parsed = parseFile(
      file,
      (field) =>
        field === idField
          ? { kind: "unique", names, title: `id ${field.title}`, expected: "every node once" }
          : property(field),
    );
    return { file, parsed, group: idField.group, ids: parsed.place.table.ids(file.fields.indexOf(idField)) };
  });
  let base = 0;
  for (const group of groups.values()) {
    group.base = base;
    base += group.names.count;
  }
  const nodes = nodeFiles.flatMap(({ file, parsed, group, ids }): NodeBlock[] => {
    const numbers = ids.window(0, ids.length), { base } = groupOf(group);
    const listOf = parsed.kindOf.window(0, parsed.place.table.rows);
    return rowsByType(parsed.kinds.map(labelsOf), listOf, fromName(file.file, "nodes")).map((
      { rows, ...labelled },
    ) => ({
      ...labelled,
      nodes: Int32Array.from(rows, (row) => numbers[row]! + base),
      columns: columnsOf(parsed, rows),
    }));
  });
  const relationFiles = opened.filter(({ isNodes }) => !isNodes);
  const parsedRelations = relationFiles.map((file) => relationshipsOf(file, groups, property));
  return {
    names: joinNames([...groups.values()].map(({ names }) => names.texts())),
    nodes,
    relationships: parsedRelations.flatMap(({ blocks }) => blocks),
    notes: leftOut([...nodeFiles, ...parsedRelations].map(({ parsed }) => parsed.place.table)),
  };
}

function relationshipsOf(
  file: ImportFile,
  groups: ReadonlyMap<string, Group>,
  property: (field: Field) => TitledColumn,
): { parsed: Parsed; blocks: RelationshipBlock[] } {
  const { source } = file.file;
  const ends = ["START_ID", "END_ID"].map((type) => {
    const column = file.fields.findIndex((field) => field.type === type);
    const field = file.fields[column]!;
    const group = groups.get(field.group);
    if (group) return { column, field, group };
    const known = [...groups.keys()].map((name) => name === "" ? "no group" : `(${name})`).join(", ");
    throw textError(
      source,
      1,
      1,
      `${field.title}: no node file has ids of this group, expected ${known || "node files"}`,
    );
  });
  const parsed = parseFile(file, (field) => {
    const end = ends.find((e) => e.field === field);
    return end
      ? { kind: "known", names: end.group.names, title: field.title, expected: "the :ID of a node" }
      : property(field);
  });
  const { table } = parsed.place;
  const [sources, targets] = ends.map(({ column, group }) =>
    table.ids(column).window(0, table.rows).map((id) => id + group.base)
  ) as [Int32Array, Int32Array];
  const typeColumn = file.fields.findIndex(({ type }) => type === "TYPE");
  const blocks = [...rowsByKind(parsed)].filter(([, rows]) => rows.length > 0).map(([text, rows]) => {
    const type = text.trim() || fromName(file.file, "relationships");
    if (!type) {
      const offset = table.rowOffsets().at(rows[0]!);
      throw typeColumn >= 0
        ? fieldError(
          parsed.place,
          rows[0]!,
          typeColumn,
          ":TYPE is empty, expected the type of the relationship",
        )
        : textError(
          source,
          1,
          1,
          `no column :TYPE, and the name of the file gives none (the first row is ${
            shown(source, offset, table.next)
          })`,
        );
    }
    const isWhole = rows.length === table.rows;
    return {
      type,
      sources: isWhole ? sources : Int32Array.from(rows, (row) => sources[row]!),
      targets: isWhole ? targets : Int32Array.from(rows, (row) => targets[row]!),
      columns: columnsOf(parsed, rows),
    };
  });
  return { parsed, blocks };
}

/** Texts of several dictionaries one after another. */
function joinNames(all: readonly Texts[]): Texts {
  if (all.length === 1) return all[0]!;
  const count = all.reduce((sum, { indptr }) => sum + indptr.length - 1, 0);
  const bytes = NativeArray.allocate("U8", all.reduce((sum, t) => sum + t.bytes.length, 0), false);
  const indptr = NativeArray.allocate("I64", count + 1);
  const ends = indptr.window(0, count + 1);
  let at = 0, name = 0;
  for (const texts of all) {
    const from = texts.indptr.window(0, texts.indptr.length);
    for (let i = 1; i < from.length; i++) ends[++name] = BigInt(at) + from[i]!;
    if (texts.bytes.length > 0) {
      bytes.window(at, texts.bytes.length).set(texts.bytes.window(0, texts.bytes.length));
    }
    at += texts.bytes.length;
  }
  return { bytes, indptr };
}
