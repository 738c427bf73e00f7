/**
 * CLUTRR: kinship puzzles as small graphs with typed edges. CSV files whose columns story_edges (list of pairs),
 * edge_types (list of relations, in the same order), query_edge (pair) and target (the relation to predict) are Python
 * literals, and task_name ends in the length of the chain; one file, or a folder of *_train.csv and *_test.csv.
 *
 * Gives a many-graph data set: arcs with types, graph_label = target, extra/query [graphs, 2] = the pair in the numbers
 * of the whole data set, extra/task [graphs] = chain length, and one fold of train and test. Chains differ between the
 * two, which is what the task is about.
 * Source: Sinha et al. 2019, arXiv:1908.06177; Minervini et al. 2020, arXiv:2007.06477 (the files).
 */
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { stringsOf } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import { cut } from "./edgelist_look.ts";
import type { InputFile, InputSet } from "./input.ts";
import { firstLines, refuseNumbering } from "./parts.ts";
import { type Literal, parseLiteral } from "./python_literal.ts";
import { type RawGraph, type Reader, type ReadOptions, textError } from "./reader.ts";
import { fieldError, type Place, readTable, textBegin, type TitledColumn } from "./table.ts";
import { isText } from "./text.ts";

const NEEDED = ["story_edges", "edge_types", "query_edge", "target", "task_name"] as const;
type Needed = (typeof NEEDED)[number];
const FILE = /(^|[._/-])(train|test)[^/]*\.csv(\.gz|\.zst)?$/;
const DELIMITER = ",";

function headerOf(source: Source): { fields: string[]; end: number; line: number } | null {
  const [first] = firstLines(source, 1);
  return first ? { fields: cut(first.text, DELIMITER), end: first.end, line: first.number } : null;
}

function sniff(input: InputSet): boolean {
  const file = input.single ?? input.find(FILE)[0];
  if (!file || !isText(file.source)) return false;
  const fields = headerOf(file.source)?.fields ?? [];
  return NEEDED.every((name) => fields.includes(name));
}

/** One puzzle. */
interface Puzzle {
  readonly edges: readonly (readonly [number, number])[];
  readonly types: readonly string[];
  readonly query: readonly [number, number];
  readonly target: string;
  readonly task: number;
}

/** Nodes of a puzzle count from 0, so that its largest number says how many there are. */
const MOST_NODES = 2 ** 24;
const isPair = (value: Literal): value is [number, number] =>
  Array.isArray(value) && value.length === 2 &&
  value.every((id) => typeof id === "number" && id >= 0 && id < MOST_NODES);
const NUMBERS = "numbers below 2^24";

function readFile({ source }: InputFile): Puzzle[] {
  textBegin(source);
  const header = headerOf(source);
  if (!header) throw textError(source, 1, 1, "the file is empty, expected a line of column names");
  const { fields } = header;
  const missing = NEEDED.filter((name) => !fields.includes(name));
  if (missing.length > 0) {
    throw textError(source, header.line, 1, `no column ${missing.map((name) => `"${name}"`).join(", ")}`);
  }
  const columns = fields.map((title): TitledColumn => ({
    kind: (NEEDED as readonly string[]).includes(title) ? "text" : "skip",
    title: title === "" ? "row number" : title,
  }));
  const dialect = { begin: header.end, delimiter: DELIMITER, quotes: true, comment: "" };
  const table = readTable(source, dialect, columns);
  const place: Place = { source, dialect, columns: columns.length, table };
  const column = (name: Needed) => fields.indexOf(name);
  const texts = Object.fromEntries(
    NEEDED.map((name) => [name, stringsOf(table.texts(column(name)))]),
  ) as Record<Needed, string[]>;
  return Array.from({ length: table.rows }, (_, row) => puzzleOf(place, texts, row, column));
}

function puzzleOf(
  place: Place,
  texts: Record<Needed, string[]>,
  row: number,
  column: (name: Needed) => number,
): Puzzle {
  const error = (name: Needed, what: string) => fieldError(place, row, column(name), `${name}: ${what}`);
  const literal = (name: Needed): Literal => {
    try {
      return parseLiteral(texts[name][row]!);
    } catch (e) {
      if (!(e instanceof SyntaxError)) throw e;
      throw error(name, e.message);
    }
  };
  const edges = literal("story_edges"), types = literal("edge_types"), query = literal("query_edge");
  if (!Array.isArray(edges) || !edges.every(isPair)) {
    throw error("story_edges", `expected a list of pairs of ${NUMBERS}`);
  }
  if (!Array.isArray(types) || !types.every((type) => typeof type === "string")) {
    throw error("edge_types", "expected a list of names");
  }
  if (types.length !== edges.length) {
    throw error("edge_types", `${types.length} types, expected one per edge (${edges.length})`);
  }
  if (!isPair(query)) throw error("query_edge", `expected a pair of ${NUMBERS}`);
  const target = texts.target[row]!;
  if (target === "") throw error("target", "nothing, expected the name of a relation");
  const task = /(\d+)$/.exec(texts.task_name[row]!)?.[1];
  if (task === undefined) {
    throw error("task_name", `"${texts.task_name[row]}", expected a name that ends in a number`);
  }
  return { edges, types, query, target, task: Number(task) };
}

/** Names in the order of the alphabet, and the number of each. */
function numbering(names: Iterable<string>): { names: string[]; number: Map<string, number> } {
  const sorted = [...new Set(names)].sort();
  return { names: sorted, number: new Map(sorted.map((name, i) => [name, i])) };
}

/** 1.2 before 1.10: numbers in names by their value. */
function byNumbers(a: InputFile, b: InputFile): number {
  const pieces = (name: string) => name.split(/(\d+)/);
  const [x, y] = [pieces(a.name), pieces(b.name)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] === y[i]) continue;
    return i % 2 === 1 ? Number(x[i]) - Number(y[i]) : x[i]! < y[i]! ? -1 : 1;
  }
  return x.length - y.length;
}

function read(input: InputSet, options: ReadOptions): RawGraph {
  refuseNumbering(options, "graphs that count their nodes from 0");
  const files = (input.single ? [input.single] : [...input.find(FILE)]).sort(byNumbers);
  if (files.length === 0) {
    throw new GustError("data", `${input.label}: no files *_train.csv or *_test.csv, expected some`);
  }
  const isTrain = (file: InputFile) => FILE.exec(file.name)?.[2] !== "test";
  const ordered = [...files.filter(isTrain), ...files.filter((file) => !isTrain(file))];
  const parts = ordered.map((file) => ({ isTrain: isTrain(file), puzzles: readFile(file) }));
  const puzzles = parts.flatMap((part) => part.puzzles);
  const types = numbering(puzzles.flatMap((puzzle) => puzzle.types));
  const targets = numbering(puzzles.map(({ target }) => target));

  const arcs = puzzles.reduce((sum, { edges }) => sum + edges.length, 0);
  const [sources, ends] = [new BigInt64Array(arcs), new BigInt64Array(arcs)];
  const type = new Int32Array(arcs), ptr = new BigInt64Array(puzzles.length + 1);
  const query = new BigInt64Array(2 * puzzles.length);
  let arc = 0, nodes = 0;
  puzzles.forEach((puzzle, g) => {
    puzzle.edges.forEach(([from, to], i) => {
      sources[arc] = BigInt(nodes + from);
      ends[arc] = BigInt(nodes + to);
      type[arc++] = types.number.get(puzzle.types[i]!)!;
    });
    query.set(puzzle.query.map((id) => BigInt(nodes + id)), 2 * g);
    nodes += 1 + Math.max(...puzzle.query, ...puzzle.edges.flat());
    ptr[g + 1] = BigInt(nodes);
  });
  const inTrain = Uint8Array.from(parts.flatMap((part) => part.puzzles.map(() => part.isTrain ? 1 : 0)));
  const mask = (values: Uint8Array) => ({ count: 1, array: NativeArray.from<"BOOL">(values, "BOOL") });
  const hasBoth = new Set(inTrain).size === 2;
  return {
    edges: EdgeList.fromArrays(NativeArray.from<"I64">(sources), NativeArray.from<"I64">(ends)),
    edgeColumns: { type: NativeArray.from<"I32">(type) },
    edgeTypeNames: types.names,
    graphs: {
      ptr: NativeArray.from<"I64">(ptr),
      label: NativeArray.from<"I32">(Int32Array.from(puzzles, ({ target }) => targets.number.get(target)!)),
      numClasses: targets.names.length,
      folds: hasBoth ? { train: mask(inTrain), test: mask(inTrain.map((on) => 1 - on)) } : undefined,
    },
    classNames: targets.names,
    numNodes: nodes,
    isUndirected: false,
    isWeighted: false,
    extra: [
      { name: "extra/query", dtype: "I64", shape: [puzzles.length, 2], data: query },
      {
        name: "extra/task",
        dtype: "I32",
        shape: [puzzles.length],
        data: Int32Array.from(puzzles, ({ task }) => task),
      },
    ],
    notes: [],
  };
}

export const clutrr: Reader = {
  name: "clutrr",
  summary: "CLUTRR puzzles: CSV of small graphs with typed edges; a file, or a folder with train and test",
  source: "Sinha et al. 2019, arXiv:1908.06177",
  sniff,
  read,
};
