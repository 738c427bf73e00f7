/**
 * A folder with a graph in tables, as the MUSAE collection has them: NAME_edges.csv (one undirected edge per row),
 * NAME_target.csv (one row per node, with its label) and NAME_features.json (node -> list of feature numbers).
 *
 * The node number is the column new_id where there is one, else id. Feature lists become a sparse matrix of zeros and
 * ones. The label is the column that --label-column names, or the one whose name or values look like it.
 * Source: Rozemberczki, Allen, Sarkar 2021, "Multi-Scale Attributed Node Embedding", J. Complex Networks 9 (2).
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { Names, selectTexts, type TextColumn } from "../../ffi/native_table.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import { checkLargestId } from "../graph/node_count.ts";
import { cut } from "./edgelist_look.ts";
import type { InputFile, InputSet } from "./input.ts";
import { firstLines } from "./parts.ts";
import {
  parsing,
  type RawFeatures,
  type RawGraph,
  type RawLabels,
  type Reader,
  type ReadOptions,
  textError,
} from "./reader.ts";
import { Growing, Scanner } from "./scan.ts";
import { fieldError, type Place, readTable, textBegin, type TitledColumn } from "./table.ts";
import { integer } from "./text.ts";

const params = z.object({
  labelColumn: z.string().optional().describe(
    "column of the node table that is the label; none leaves labels out",
  )
    .meta({ value: "NAME" }),
  numFeatures: z.int().min(1).optional().describe(
    "columns of the feature matrix [largest feature number + 1]",
  ),
}).strict();

const EDGES = /(^|[/_])edges\.csv(\.gz|\.zst)?$/;
const LARGEST = 2 ** 31 - 2;
/** Columns that are labels by their names, best first. */
const LABEL_NAMES = [
  /target$/i,
  /^labels?$/i,
  /^class$/i,
  /^page_type$/i,
  /^mature$/i,
  /(label|class|type|category)$/i,
];
/** A column without such a name is a label if it has few values. */
const MOST_CLASSES = 64;

interface Files {
  readonly edges: InputFile;
  readonly target?: InputFile;
  readonly features?: InputFile;
}

/** The files of the one graph; null: there is none, or more than one, or nothing but edges. */
function filesOf(input: InputSet): Files | null {
  const [edges, ...more] = input.find(EDGES);
  if (!edges || more.length) return null;
  const prefix = edges.name.replace(/edges\.csv(\.gz|\.zst)?$/, "");
  const named = (rest: string) =>
    input.files.find(({ name }) => ["", ".gz", ".zst"].some((packed) => name === prefix + rest + packed));
  const [target, features] = [named("target.csv"), named("features.json")];
  return target || features ? { edges, target, features } : null;
}

interface Header {
  readonly fields: readonly string[];
  /** First byte of the rows. */
  readonly begin: number;
}

/** The names of the columns. @throws {GustError} (data) for an empty file or a name that is there twice. */
function headerOf(source: Source): Header {
  textBegin(source);
  const [line] = firstLines(source, 1);
  if (!line) {
    throw textError(source, 1, 1, "the file is empty, expected a header with the names of the columns");
  }
  const fields = cut(line.text, ",");
  const twice = fields.find((name, i) => fields.indexOf(name) < i);
  if (twice !== undefined && Number.isNaN(integer(twice))) {
    throw textError(source, line.number, 1, `the header names "${twice}" twice, expected different columns`);
  }
  // A table without a header begins with numbers.
  return fields.every((field) => !Number.isNaN(integer(field)))
    ? { fields: fields.map((_, i) => `column ${i + 1}`), begin: line.begin }
    : { fields, begin: line.end };
}

function readEdges({ source }: InputFile, numNodes: number | null): EdgeList {
  const { fields, begin } = headerOf(source);
  if (fields.length !== 2) {
    throw textError(
      source,
      1,
      1,
      `${fields.length} columns (${fields.join(", ")}), expected two: the ends of an edge`,
    );
  }
  const dialect = { begin, delimiter: ",", columns: 2, source: 0, target: 1, weight: null, indexBase: 0 };
  return parsing(
    source,
    [[/out of range/, "the node table has one row per node"]],
    () => EdgeList.parse(source, { ...dialect, limit: numNodes, named: false, comment: "" }),
  );
}

/** The node table with the row of every node. */
interface Nodes {
  readonly place: Place;
  readonly fields: readonly string[];
  readonly id: number;
  readonly rowOf: NativeArray<"I64">;
}

/** @throws {GustError} (data) for ids that are not 0 to n-1, each once. */
function readNodes({ source }: InputFile): Nodes {
  const { fields, begin } = headerOf(source);
  const id = ["new_id", "id"].map((name) => fields.indexOf(name)).find((i) => i >= 0) ?? 0;
  const dialect = { begin, delimiter: ",", quotes: true, comment: "" };
  const columns = fields.map((title, i): TitledColumn => ({ kind: i === id ? "integer" : "text", title }));
  const table = readTable(source, dialect, columns);
  const place: Place = { source, dialect, columns: fields.length, table };
  const ids = table.integers(id).window(0, table.rows);
  const rowOf = new BigInt64Array(table.rows).fill(-1n);
  ids.forEach((given, row) => {
    const node = Number(given);
    if (node < 0 || node >= table.rows) {
      throw fieldError(
        place,
        row,
        id,
        `${fields[id]} ${given} is out of range, expected 0 to ${table.rows - 1} for ${table.rows} rows`,
        "a gap in the numbers looks like this",
      );
    }
    if (rowOf[node]! >= 0n) {
      throw fieldError(place, row, id, `${fields[id]} ${given} is there twice, expected every node once`);
    }
    rowOf[node] = BigInt(row);
  });
  return { place, fields, id, rowOf: NativeArray.from<"I64">(rowOf) };
}

/** The different texts of a column and which each node has; -1 where it has none. */
function distinct(column: TextColumn, rowOf: NativeArray<"I64">): { texts: string[]; textOf: Int32Array } {
  const names = new Names();
  const textOf = names.numbers(selectTexts(column, rowOf), true).window(0, rowOf.length);
  return { texts: names.strings(), textOf: Int32Array.from(textOf) };
}

/** The number of the label's column; -1: there is none. */
function labelColumn({ place, fields, id, rowOf }: Nodes, wanted: string | undefined): number {
  if (wanted === "none") return -1;
  const others = fields.map((_, i) => i).filter((i) => i !== id && fields[i] !== "id");
  if (wanted !== undefined) {
    const found = fields.indexOf(wanted);
    if (found >= 0 && found !== id) return found;
    throw new GustError(
      "usage",
      `--label-column ${wanted}: the node table has ${
        others.map((i) => fields[i]).join(", ") || "no other column"
      }`,
    );
  }
  for (const pattern of LABEL_NAMES) {
    const found = others.findLast((i) => pattern.test(fields[i]!));
    if (found !== undefined) return found;
  }
  const few = (i: number) => {
    const { texts } = distinct(place.table.texts(i), rowOf);
    return texts.length >= 2 && texts.length <= Math.min(MOST_CLASSES, rowOf.length / 2);
  };
  return others.findLast(few) ?? -1;
}

/** Texts as classes: ascending as numbers where all are integers, else by code units. Empty ones are no class. */
function labelsOf(column: TextColumn, rowOf: NativeArray<"I64">): { labels: RawLabels; names: string[] } {
  const { texts, textOf } = distinct(column, rowOf);
  const areIntegers = texts.every((text) => text === "" || !Number.isNaN(integer(text)));
  const names = texts.filter((text) => text !== "").sort(
    areIntegers ? (a, b) => integer(a) - integer(b) : (a, b) => a < b ? -1 : 1,
  );
  const number = texts.map((text) => names.indexOf(text));
  const array = NativeArray.from<"I32">(textOf.map((text) => number[text]!));
  return { labels: { kind: "single", numClasses: names.length, array }, names };
}

/** The lists of a features file: entry (node, feature). */
function readLists(source: Source, numNodes: number | null, width: number | undefined) {
  const scan = new Scanner(source);
  const ints = () => new Growing((length) => new Int32Array(length));
  const nodes = ints(), features = ints();
  const seen = new Set<number>();
  let largest = -1;
  scan.expect("{", "before the nodes");
  if (!scan.take("}")) {
    do {
      scan.expect('"', "before a node number");
      const node = scan.integer("node number", 0, (numNodes ?? LARGEST) - 1);
      if (seen.has(node)) throw scan.error(`node ${node} is there twice, expected every node once`);
      seen.add(node);
      largest = Math.max(largest, node);
      scan.expect('"', "behind the node number");
      scan.expect(":", "before the list of features");
      scan.expect("[", "before the list of features");
      if (scan.take("]")) continue;
      do {
        scan.skipSpace();
        nodes.push(node);
        features.push(scan.integer("feature number", 0, (width ?? LARGEST) - 1));
      } while (scan.take(","));
      scan.expect("]", "behind the list of features");
    } while (scan.take(","));
    scan.expect("}", "behind the nodes");
  }
  scan.skipSpace();
  if (!scan.isOver) throw scan.error(`${scan.shown()} behind the last }, expected the end of the file`);
  return { nodes: nodes.take(), features: features.take(), largest };
}

function featuresOf(
  { nodes, features }: ReturnType<typeof readLists>,
  numNodes: number,
  width: number | undefined,
  notes: string[],
): RawFeatures {
  const numFeatures = width ?? features.reduce((most, x) => Math.max(most, x + 1), 0);
  const list = EdgeList.fromArrays(NativeArray.from<"I32">(nodes), NativeArray.from<"I32">(features));
  const { csr, duplicates } = list.build(numNodes, numFeatures, { rowIsSource: true });
  if (duplicates) notes.push(`${duplicates} features listed twice for the same node count once`);
  return { kind: "csr", numFeatures, csr };
}

function read(input: InputSet, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const p = params.parse(given);
  if (options.indexBase === 1) {
    throw new GustError("usage", "--index-base 1 does not apply to this format: its nodes count from 0");
  }
  const files = filesOf(input);
  if (!files) {
    throw new GustError(
      "data",
      `${input.label}: no NAME_edges.csv with NAME_target.csv or NAME_features.json beside it, expected one such graph`,
    );
  }
  const notes: string[] = [];
  const nodes = files.target ? readNodes(files.target) : null;
  const known = nodes?.rowOf.length ?? options.numNodes ?? null;
  const edges = readEdges(files.edges, known);
  const lists = files.features ? readLists(files.features.source, known, p.numFeatures) : null;
  const largest = Math.max(edges.maxId, lists?.largest ?? -1), numNodes = known ?? largest + 1;
  if (known === null) {
    const lines = edges.count + (lists?.nodes.length ?? 0);
    checkLargestId(input.label, largest, lines, "node number", "--num-nodes N says that there are that many");
  }
  const column = nodes ? labelColumn(nodes, p.labelColumn) : -1;
  let labelled: ReturnType<typeof labelsOf> | null = null;
  if (nodes && column >= 0) {
    labelled = labelsOf(nodes.place.table.texts(column), nodes.rowOf);
    notes.push(
      `column "${
        nodes.fields[column]
      }" is taken as labels (${labelled.names.length} classes); --label-column names another`,
    );
  }
  const nameColumn = nodes
    ? nodes.fields.findIndex((name, i) => i !== column && /(^|_)name$/i.test(name))
    : -1;
  if (nodes) {
    const left = nodes.fields.filter((_, i) => ![nodes.id, column, nameColumn].includes(i));
    if (left.length) notes.push(`left out: ${left.join(", ")}`);
  }
  if (!options.directed) notes.push("every edge stands for both directions; --directed takes them as arcs");
  return {
    edges,
    numNodes,
    isUndirected: !options.directed,
    isWeighted: false,
    features: lists ? featuresOf(lists, numNodes, p.numFeatures, notes) : undefined,
    labels: labelled?.labels,
    classNames: labelled?.names,
    nodeNames: nodes && nameColumn >= 0
      ? selectTexts(nodes.place.table.texts(nameColumn), nodes.rowOf)
      : undefined,
    notes,
    found: nodes && column >= 0 ? { label_column: nodes.fields[column] } : {},
  };
}

export const musae: Reader = {
  name: "musae",
  summary: "node and edge tables, a folder: NAME_edges.csv, NAME_target.csv, NAME_features.json",
  source: "Rozemberczki, Allen, Sarkar 2021, arXiv:1909.13021",
  params,
  sniff: (input) => filesOf(input) !== null,
  read,
};
