/**
 * OpenKE's folders: entity2id.txt and relation2id.txt give every name its number, train2id.txt, valid2id.txt and
 * test2id.txt hold triples "head tail relation" of numbers, each file behind a line with its count. type_constrain.txt,
 * where it is there, lists the heads and the tails that each relation takes; it becomes extra tensors.
 * Source: Han et al. 2018, OpenKE (the data folders of its repository).
 */
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { findOutside } from "../../ffi/native_checks.ts";
import { convert, type Source } from "../../ffi/native_source.ts";
import { selectTexts, stringsOf, type Table, type Texts } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import type { NewTensor } from "../format/document.ts";
import type { SplitName } from "../graph/graph.ts";
import type { InputFile, InputSet } from "./input.ts";
import { firstLines, linksOf, partFiles, refuseNumbering, type Triples } from "./parts.ts";
import { every, type RawGraph, type RawLinks, type Reader, type ReadOptions, textError } from "./reader.ts";
import { errorAt, fieldError, leftOut, readLists, readTable, textBegin, type TitledColumn } from "./table.ts";
import { integer, isText, words } from "./text.ts";

const packed = "(\\.gz|\\.zst)?$";
const named = (name: string) => new RegExp(`^(.*/)?${name}2id\\.txt${packed}`);
const PARTS: Record<SplitName, RegExp> = {
  train: named("train"),
  val: named("(valid|val)"),
  test: named("test"),
};
const ENTITIES = named("entity"), RELATIONS = named("relation");
const CONSTRAINTS = new RegExp(`^(.*/)?type_constrain\\.txt${packed}`);

function sniff(input: InputSet): boolean {
  return !input.single &&
    [ENTITIES, RELATIONS, PARTS.train].every((pattern) => input.find(pattern).length > 0) &&
    isText(input.find(PARTS.train)[0]!.source);
}

/** The count in the first line, and where the rows begin. */
function readCount(source: Source): { count: number; begin: number; line: number } {
  textBegin(source);
  const [first] = firstLines(source, 1);
  const given = words(first?.text ?? "");
  const count = integer(given[0]);
  if (!first || given.length !== 1 || !(count >= 0)) {
    const found = first ? `"${first.text.trim().slice(0, 40)}"` : "nothing";
    throw textError(source, first?.number ?? 1, 1, `${found}, expected the count of the rows that follow`);
  }
  return { count, begin: first.end, line: first.number };
}

function refuseCount(source: Source, line: number, count: number, table: Table): void {
  if (table.rows === count) return;
  throw textError(source, line, 1, `the first line says ${count} rows, but ${table.rows} follow`);
}

/** Names by number. @throws {GustError} (data) unless the numbers are 0 .. count-1, each once. */
function readDictionary({ source }: InputFile, what: string): Texts {
  const { count, begin, line } = readCount(source);
  const sample = firstLines(source, 2)[1];
  const dialect = { begin, delimiter: sample?.text.includes("\t") ? "\t" : "", quotes: false, comment: "" };
  const columns: TitledColumn[] = [
    { kind: "text", title: `name of the ${what}` },
    { kind: "integer", title: `number of the ${what}` },
  ];
  const table = readTable(source, dialect, columns);
  refuseCount(source, line, count, table);
  const rows = NativeArray.allocate("I64", count, false);
  const rowOf = rows.window(0, count).fill(-1n);
  const place = { source, dialect, columns: 2, table };
  every(table.integers(1), (id, row) => {
    if (id < 0 || id >= count) {
      throw fieldError(place, row, 1, `number ${id} of the ${what}, expected 0 to ${count - 1}, each once`);
    }
    if (rowOf[id] !== -1n) {
      throw fieldError(
        place,
        row,
        1,
        `number ${id} of the ${what} is there twice, expected 0 to ${count - 1}, each once`,
      );
    }
    rowOf[id] = BigInt(row);
    return true;
  });
  return selectTexts(table.texts(0), rows);
}

/** A part's triples, their numbers checked. */
function readPart(
  { source }: InputFile,
  entities: number,
  relations: number,
): Triples & { readonly table: Table } {
  const { count, begin, line } = readCount(source);
  const dialect = { begin, delimiter: "", quotes: false, comment: "" };
  const titles = ["head", "tail", "relation"];
  const table = readTable(source, dialect, titles.map((title): TitledColumn => ({ kind: "integer", title })));
  refuseCount(source, line, count, table);
  const [heads, tails, types] = [0, 1, 2].map((column) => {
    const numbers = table.integers(column), most = column === 2 ? relations : entities;
    const { count, place, value } = findOutside(numbers, 0, most - 1);
    if (count > 0) {
      const names = column === 2 ? "relation2id.txt" : "entity2id.txt";
      throw fieldError(
        { source, dialect, columns: 3, table },
        place,
        column,
        `${titles[column]} ${value} is not in ${names}, expected 0 to ${most - 1}`,
        "triples of this format are head, tail, relation",
      );
    }
    return convert(numbers, "I32") as NativeArray<"I32">;
  }) as [NativeArray<"I32">, NativeArray<"I32">, NativeArray<"I32">];
  return { heads, tails, relations: types, table };
}

/** Heads and tails that each relation takes: two lists by relation. */
function readConstraints({ source }: InputFile, entities: number, relations: number): NewTensor[] {
  const { count, begin, line } = readCount(source);
  const table = readLists(source, begin, "", "entity");
  if (count !== relations || table.rows !== 2 * relations) {
    throw textError(
      source,
      line,
      1,
      `${count} relations and ${table.rows} lists, expected ${relations} and two lists for each`,
    );
  }
  const values = table.integers(0), ptr = table.integers(1).window(0, table.rows + 1);
  const value = values.window(0, values.length);
  const error = (row: number, what: string) => errorAt(source, table.rowOffsets().at(row), what);
  // Rows of a relation: heads first, then tails.
  const rowsOf = Array.from({ length: relations }, () => [] as number[]);
  for (let row = 0; row < table.rows; row++) {
    const begin = Number(ptr[row]), size = Number(ptr[row + 1]) - begin;
    const relation = Number(value[begin]), stated = Number(value[begin + 1]);
    if (size < 2 || stated !== size - 2) {
      throw error(row, `${size} numbers, expected a relation, a count, and as many entities`);
    }
    if (relation < 0 || relation >= relations) {
      throw error(row, `relation ${relation}, expected 0 to ${relations - 1}`);
    }
    if (rowsOf[relation]!.push(row) > 2) {
      throw error(row, `a third list of relation ${relation}, expected two`);
    }
  }
  return ["head", "tail"].flatMap((side, which): NewTensor[] => {
    const indptr = new BigInt64Array(relations + 1), ids: number[] = [];
    rowsOf.forEach((rows, relation) => {
      const row = rows[which]!;
      for (let i = Number(ptr[row]) + 2; i < Number(ptr[row + 1]); i++) {
        const id = Number(value[i]);
        if (id < 0 || id >= entities) throw error(row, `entity ${id}, expected 0 to ${entities - 1}`);
        ids.push(id);
      }
      indptr[relation + 1] = BigInt(ids.length);
    });
    const name = `extra/type_constrain.${side}`;
    return [
      { name: `${name}.indptr`, dtype: "I64", shape: [relations + 1], data: indptr },
      { name, dtype: "I32", shape: [ids.length], data: Int32Array.from(ids) },
    ];
  });
}

function read(input: InputSet, options: ReadOptions): RawGraph {
  refuseNumbering(options, "entities with a dictionary");
  const only = (pattern: RegExp, name: string) => {
    const found = input.find(pattern);
    if (found.length === 1) return found[0]!;
    throw new GustError(
      "data",
      `${input.label}: ${found.length} files ${name}, expected one`,
      "import the folder, not a file of it",
    );
  };
  const files = partFiles(input, PARTS);
  only(PARTS.train, "train2id.txt");
  const names = readDictionary(only(ENTITIES, "entity2id.txt"), "entity");
  const types = readDictionary(only(RELATIONS, "relation2id.txt"), "relation");
  const entities = names.indptr.length - 1, relations = types.indptr.length - 1;
  const train = readPart(files.train!, entities, relations);
  const tables = [train.table];
  const links: Partial<Record<SplitName, RawLinks>> = {};
  for (const part of ["val", "test"] as const) {
    if (!files[part]) continue;
    const triples = readPart(files[part], entities, relations);
    tables.push(triples.table);
    links[part] = linksOf(triples);
  }
  const [constraints] = input.find(CONSTRAINTS);
  return {
    edges: EdgeList.fromArrays(train.heads, train.tails),
    edgeColumns: { type: train.relations },
    edgeTypeNames: stringsOf(types),
    links,
    numNodes: entities,
    isUndirected: false,
    isWeighted: false,
    nodeNames: names,
    extra: constraints ? readConstraints(constraints, entities, relations) : [],
    notes: leftOut(tables),
  };
}

export const openke: Reader = {
  name: "openke",
  summary: "OpenKE folder: triples of numbers, entity2id.txt and relation2id.txt",
  source: "Han et al. 2018, OpenKE: An Open Toolkit for Knowledge Embedding (EMNLP demo)",
  sniff,
  read,
};
