/**
 * A property graph as JSON: a record per line or a list of records {"type": "node", "id", "labels", "properties"} and
 * {"type": "relationship", "label", "start": {"id"}, "end": {"id"}, "properties"}; or one object with the lists "nodes"
 * and "relationships" (or "rels"). A property is a column of integers, numbers or truth values where all of its values
 * are, else of texts; lists and objects are kept as JSON text.
 */
import { NativeArray } from "../../ffi/native.ts";
import type { Source } from "../../ffi/native_source.ts";
import { Names, textsOf } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import { parseJson } from "../format/json.ts";
import type { InputFile } from "./input.ts";
import { type PropertyParts, type RelationshipBlock, rowsByType } from "./property_parts.ts";
import { errorAt, textBegin } from "./table.ts";
import type { TypedColumn } from "./typed_columns.ts";

/** Bytes looked at before a file is taken for such an export. */
const HEAD_BYTES = 1 << 16;

/** Whether a file begins as one of these forms. */
export function isExportJson(source: Source): boolean {
  const head = new TextDecoder().decode(source.head(HEAD_BYTES)).trimStart();
  if (!/^[[{]/.test(head)) return false;
  return /"type"\s*:\s*"(node|relationship)"/.test(head) ||
    (/^\{\s*"(nodes|relationships|rels)"\s*:\s*\[/.test(head) &&
      /"(labels|relationships|rels)"\s*:/.test(head));
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A record and where it is, for messages. */
interface Item {
  readonly record: unknown;
  readonly fail: (what: string, hint?: string) => GustError;
}

/** Text of bytes; where they are no UTF-8, an error at the byte where `begin` stands. */
function decode(source: Source, bytes: Uint8Array, begin: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw errorAt(
      source,
      begin,
      "the text that begins here is not UTF-8, expected UTF-8 text",
      "iconv -f latin1 -t utf-8 converts a file of another encoding",
    );
  }
}

/** JSON of a text whose first byte is at `begin`. */
function parse(source: Source, text: string, begin: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The strict parser says where.
    const problem = parseJson(text).problems.at(-1) ?? "is no JSON";
    const at = Number(/ at character (\d+)/.exec(problem)?.[1] ?? 0);
    const offset = begin + new TextEncoder().encode(text.slice(0, at)).length;
    throw errorAt(
      source,
      Math.min(offset, source.sizeBytes),
      `${problem.replace(/ at character.*/, "")}, expected JSON`,
    );
  }
}

/** The first value of a list ends its line where records are lines. */
function* lineRecords(source: Source, begin: number): Generator<Item> {
  const bytes = source.bytes();
  for (let at = begin; at < source.sizeBytes;) {
    const window = bytes.window(at);
    let from = 0;
    for (;;) {
      let newline = window.indexOf(10, from);
      if (newline < 0) {
        if (at + window.length < source.sizeBytes && from > 0) break;
        newline = window.length;
      }
      const text = decode(source, window.subarray(from, newline), at + from);
      const offset = at + from;
      if (text.trim() !== "") {
        yield {
          record: parse(source, text, offset),
          fail: (what, hint) => errorAt(source, offset, what, hint),
        };
      }
      from = newline + 1;
      if (from >= window.length) break;
    }
    at += Math.min(from, window.length);
  }
}

/** Records of one JSON value; a mistake in one is named by its path. */
function* listRecords(source: Source, begin: number): Generator<Item> {
  const size = source.sizeBytes - begin;
  const value = parse(source, decode(source, source.bytes().window(begin, size), begin), begin);
  const fail = (path: string) => (what: string, hint?: string) =>
    new GustError("data", `${source.label}: ${path}: ${what}`, hint);
  if (Array.isArray(value)) {
    for (const [i, record] of value.entries()) yield { record, fail: fail(`[${i}]`) };
    return;
  }
  if (!isObject(value)) throw fail("the document")("expected an object or a list");
  for (
    const [key, type] of [["nodes", "node"], ["relationships", "relationship"], [
      "rels",
      "relationship",
    ]] as const
  ) {
    const list = value[key];
    if (list === undefined) continue;
    if (!Array.isArray(list)) throw fail(key)("expected a list");
    for (const [i, item] of list.entries()) {
      const fault = fail(`${key}[${i}]`);
      if (!isObject(item)) throw fault("expected an object");
      // Elsewhere "type" is the type of the relationship.
      const named = item["label"] ?? (item["type"] !== type ? item["type"] : undefined);
      yield { record: { ...item, type, label: named }, fail: fault };
    }
  }
}

/** An object that closes on its first line is a record of lines. */
function isLines(source: Source, begin: number): boolean {
  const head = source.bytes().window(begin, Math.min(1 << 20, source.sizeBytes - begin));
  const newline = head.indexOf(10);
  const first = new TextDecoder().decode(newline < 0 ? head : head.subarray(0, newline)).trim();
  return first.startsWith("{") && /"type"\s*:\s*"(node|relationship)"/.test(first) &&
    !/^\{\s*"nodes"/.test(first);
}

const ID_EXPECTED = "expected a text or a number up to 2^53";

/** An id as text; a number past 2^53 was rounded by JSON and is none. */
const idOf = (value: unknown): string | null => {
  const id = isObject(value) ? value["id"] : value;
  if (typeof id === "string" && id !== "") return id;
  return typeof id === "number" && Math.abs(id) <= Number.MAX_SAFE_INTEGER ? String(id) : null;
};

/** What is kept of a record. */
interface Row {
  readonly properties: Json;
  /** The number of a node, or of both ends. */
  readonly ends: readonly number[];
}

/** A column of what the records hold under a name. */
function columnOf(values: readonly unknown[]): TypedColumn {
  const present = NativeArray.from<"BOOL">(
    Uint8Array.from(values, (v) => v === undefined || v === null ? 0 : 1),
    "BOOL",
  );
  const given = values.filter((value) => value !== undefined && value !== null);
  if (given.every((value) => typeof value === "boolean")) {
    return {
      kind: "BOOL",
      values: NativeArray.from<"BOOL">(Uint8Array.from(values, (v) => v === true ? 1 : 0), "BOOL"),
      present,
    };
  }
  if (given.every((value) => typeof value === "number")) {
    if (given.every((value) => Number.isSafeInteger(value))) {
      const array = BigInt64Array.from(values, (value) => BigInt((value ?? 0) as number));
      return { kind: "I64", values: NativeArray.from<"I64">(array), present };
    }
    const array = Float64Array.from(values, (value) => (value ?? 0) as number);
    return { kind: "F64", values: NativeArray.from<"F64">(array), present };
  }
  const text = (value: unknown) =>
    value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return { kind: "text", texts: textsOf(values.map(text)), present };
}

function columnsOf(rows: readonly Row[]): Map<string, TypedColumn> {
  const names = new Set(rows.flatMap(({ properties }) => Object.keys(properties)));
  return new Map([...names].map((name) => [name, columnOf(rows.map(({ properties }) => properties[name]))]));
}

/** @throws {GustError} (data) naming line and column, or the path inside the document. */
export function readJson({ source }: InputFile): PropertyParts {
  const begin = textBegin(source);
  const nodes: Row[] = [], listOf: number[] = [], lists = new Map<string, readonly string[]>();
  const listNumber = new Map<string, number>();
  const relationships = new Map<string, Row[]>();
  const waiting: { readonly item: Item; readonly record: Json }[] = [];
  const number = new Map<string, number>();
  for (const item of isLines(source, begin) ? lineRecords(source, begin) : listRecords(source, begin)) {
    const { record, fail } = item;
    if (!isObject(record)) throw fail("expected an object");
    if (record["type"] === "relationship") {
      waiting.push({ item, record });
      continue;
    }
    if (record["type"] !== "node") {
      const given = record["type"] === undefined ? "no type" : `type ${JSON.stringify(record["type"])}`;
      throw fail(`${given}, expected "node" or "relationship"`);
    }
    const id = idOf(record);
    if (id === null) throw fail(`no "id", ${ID_EXPECTED}`);
    if (number.has(id)) throw fail(`id ${JSON.stringify(id)} is there twice, expected every node once`);
    const labels = record["labels"] ?? [];
    if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string")) {
      throw fail('"labels", expected a list of names');
    }
    number.set(id, number.size);
    const key = JSON.stringify(labels);
    if (!lists.has(key)) {
      listNumber.set(key, lists.size);
      lists.set(key, labels);
    }
    listOf.push(listNumber.get(key)!);
    nodes.push({ properties: propertiesOf(record, fail), ends: [number.size - 1] });
  }
  for (const { item: { fail }, record } of waiting) {
    const type = record["label"];
    if (typeof type !== "string" || type === "") {
      throw fail('no "label", expected the type of the relationship');
    }
    const ends = (["start", "end"] as const).map((end) => {
      const id = idOf(record[end]);
      if (id === null) throw fail(`no id in "${end}", expected {"id": ...}: ${ID_EXPECTED}`);
      const node = number.get(id);
      if (node === undefined) {
        throw fail(
          `${end} ${JSON.stringify(id)} is unknown, expected the id of a node`,
          "the relationship dangles",
        );
      }
      return node;
    });
    let rows = relationships.get(type);
    if (!rows) relationships.set(type, rows = []);
    rows.push({ properties: propertiesOf(record, fail), ends });
  }
  const names = new Names();
  names.add([...number.keys()]);
  const end = (rows: readonly Row[], which: number) => Int32Array.from(rows, ({ ends }) => ends[which]!);
  return {
    names: names.texts(),
    nodes: rowsByType([...lists.values()], listOf).map(({ rows, ...labelled }) => {
      const own = rows.map((row) => nodes[row]!);
      return { ...labelled, nodes: end(own, 0), columns: columnsOf(own) };
    }),
    relationships: [...relationships].map(([type, rows]): RelationshipBlock => ({
      type,
      sources: end(rows, 0),
      targets: end(rows, 1),
      columns: columnsOf(rows),
    })),
    notes: [],
  };
}

/** As in documents. */
const MOST_LEVELS = 64;

/**
 * What is wrong with a value: more levels than `most`, or a number that became infinite when it was read; null: nothing.
 * One look at every item, level by level: what comes from elsewhere may be too deep to recurse.
 */
function faultOf(value: unknown, most: number): "depth" | "overflow" | null {
  let level = [value], overflows = false;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return "depth";
    const next: unknown[] = [];
    for (const item of level) {
      if (item === Infinity || item === -Infinity) overflows = true;
      else if (typeof item === "object" && item !== null) {
        for (const part of Object.values(item)) next.push(part);
      }
    }
    level = next;
  }
  return overflows ? "overflow" : null;
}

function propertiesOf(record: Json, fail: Item["fail"]): Json {
  const properties = record["properties"] ?? {};
  if (!isObject(properties)) throw fail('"properties", expected an object');
  for (const [key, value] of Object.entries(properties)) {
    // The object itself is a level.
    const fault = faultOf(value, MOST_LEVELS - 1);
    if (fault === "depth") throw fail(`"properties" nested deeper than ${MOST_LEVELS} levels`);
    if (fault) throw fail(`property ${JSON.stringify(key)} has a number that no float64 holds`);
  }
  return properties;
}
