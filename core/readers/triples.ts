/**
 * Knowledge-graph triples of names: "head relation tail" per line, cut by tabs (or blanks), in one file or in a folder of
 * train, valid and test. Names are kept as they are, leading zeros too.
 *
 * Nodes are the entities of all parts in order of appearance, training first; training triples become arcs head -> tail
 * with an edge type, the others links. Some collections put the relation first or last: heads and tails are drawn from
 * one set of names and relations from another, which tells the columns apart.
 * Source: the files of the WN18RR, FB15k, UMLS, Kinship and Nations benchmarks (Dettmers et al. 2018, and before).
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { Names, Table } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import { openFile } from "../format/read.ts";
import type { SplitName } from "../graph/graph.ts";
import type { InputFile, InputSet } from "./input.ts";
import { firstLines, linksOf, partFiles, refuseNumbering, type Triples } from "./parts.ts";
import type { RawGraph, RawLinks, Reader, ReadOptions } from "./reader.ts";
import { errorAt, readTable, textBegin, type TitledColumn } from "./table.ts";
import { integer, isText, type Line, words } from "./text.ts";

const params = z.object({
  columns: z.enum(["hrt", "rht", "htr"]).optional().describe(
    "order of head, relation and tail; found by their names if not given",
  ),
  relationsFrom: z.string().optional().describe(
    "imported graph whose numbering of the relations is taken (inductive sets)",
  ).meta({ value: "FILE", reads: true }),
}).strict();
type Params = z.infer<typeof params>;

/** Where head, relation and tail stand. */
const ORDERS = { hrt: [0, 1, 2], rht: [1, 0, 2], htr: [0, 2, 1] } as const;
type Order = keyof typeof ORDERS;

/** Rows that decide which column the relations are. */
const LOOK_ROWS = 1_000_000;
/** Fewer rows than this say nothing by the number of their names alone. */
const FEW_ROWS = 100;
const HEADER = {
  head: /^(head|subject|subj|source|from|h|s|e1|entity_?1)$/i,
  relation: /^(relation|predicate|rel|pred|r|p|type|edge)$/i,
  tail: /^(tail|object|obj|target|to|t|o|e2|entity_?2)$/i,
};
const PARTS: Record<SplitName, RegExp> = {
  train: /^(.*\/)?train\.(txt|tsv|del)(\.gz|\.zst)?$/,
  val: /^(.*\/)?(valid|val|dev)\.(txt|tsv|del)(\.gz|\.zst)?$/,
  test: /^(.*\/)?test\.(txt|tsv|del)(\.gz|\.zst)?$/,
};

/** How the rows look. */
interface Look {
  readonly delimiter: "\t" | "";
  readonly begin: number;
  /** The line that names the columns, and the order that it gives. */
  readonly header: { readonly order: Order; readonly line: Line; readonly fields: readonly string[] } | null;
}

const cutLine = (text: string, delimiter: string) => delimiter === "\t" ? text.split("\t") : words(text);

function lookAt(source: Source): Look {
  const begin = textBegin(source);
  const lines = firstLines(source, 64);
  // A first line past what is looked at still shows its tabs.
  const hasTabs = lines.length > 0
    ? lines.some(({ text }) => text.includes("\t"))
    : source.head(1 << 20).includes(9);
  const delimiter = hasTabs ? "\t" : "";
  const fields = lines[0] ? cutLine(lines[0].text, delimiter).map((field) => field.trim()) : [];
  const order = (Object.keys(ORDERS) as Order[]).find((key) => {
    const [h, r, t] = ORDERS[key];
    return fields.length === 3 && HEADER.head.test(fields[h]!) && HEADER.relation.test(fields[r]!) &&
      HEADER.tail.test(fields[t]!);
  });
  const header = order ? { order, line: lines[0]!, fields } : null;
  return { delimiter, begin: header ? header.line.end : begin, header };
}

/** Whether three columns hold names as triples do: a last column of numbers would be a weight. */
function looksLikeTriples(source: Source, isFolder: boolean): boolean {
  if (!isText(source)) return false;
  const lines = firstLines(source, 64);
  const tabs = lines.every(({ text }) => text.includes("\t"));
  if (lines.length === 0 || (!tabs && !isFolder)) return false;
  const rows = lines.map(({ text }) => cutLine(text, tabs ? "\t" : ""));
  if (rows.some((row) => row.length !== 3)) return false;
  const numeric = [0, 1, 2].map((c) => rows.every((row) => row[c] !== "" && Number.isFinite(Number(row[c]))));
  const heads = rows.map(([head]) => integer(head));
  const isUserList = heads.every((head, i) => i === 0 ? head >= 0 : head > heads[i - 1]!);
  if (numeric.every((is) => is)) return isFolder && !isUserList;
  return !numeric[2] || (numeric[0]! && !numeric[1]);
}

function sniff(input: InputSet): boolean {
  if (input.single) return looksLikeTriples(input.single.source, false);
  const [train] = input.find(PARTS.train);
  return train !== undefined && looksLikeTriples(train.source, true);
}

/**
 * Which column holds the relations: the one that leaves two columns with the most names in common; of equal ones the
 * one with the fewest names, if there are enough rows to tell by.
 */
function findOrder(source: Source, look: Look, notes: string[]): Order {
  const names = [new Names(), new Names(), new Names()];
  const columns = names.map((names): TitledColumn => ({ kind: "name", names, title: "name" }));
  // A mistake in the first rows is reported by the parse that follows.
  const { rows } = Table.parse(source, { ...dialectOf(look), mostRows: LOOK_ROWS }, columns);
  const counts = names.map(({ count }) => count);
  const shared = (a: number, b: number) => {
    const [few, many] = counts[a]! < counts[b]! ? [a, b] : [b, a];
    let both = 0;
    for (const number of names[many]!.numbers(names[few]!.texts(), false).window(0, counts[few])) {
      if (number >= 0) both++;
    }
    return counts[few] === 0 ? 0 : both / counts[few]!;
  };
  const scores = ([["hrt", 0, 2], ["rht", 1, 2], ["htr", 0, 1]] as const).map(([order, a, b]) => ({
    order,
    shared: shared(a, b),
    relations: counts[ORDERS[order][1]]!,
  }));
  const [best] = scores.toSorted((a, b) => b.shared - a.shared || a.relations - b.relations);
  const { order } = best!.shared === 0 && rows < FEW_ROWS ? scores[0]! : best!;
  const [h, r, t] = ORDERS[order];
  notes.push(
    `column ${r + 1} holds the relations (${counts[r]} names; heads ${counts[h]}, tails ${
      counts[t]
    }); --columns overrides`,
  );
  return order;
}

const dialectOf = ({ begin, delimiter }: Look) => ({ begin, delimiter, quotes: false, comment: "" });

/** The relations of an imported graph. */
function relationsOf(path: string): { names: readonly string[]; digest: string } {
  const document = openFile(path);
  const names = document.meta["edge_types"];
  if (document.kind !== "graph" || !Array.isArray(names)) {
    throw new GustError(
      "mismatch",
      `--relations-from ${document.label}: it names no relations, expected a graph imported from triples`,
    );
  }
  return { names: names as string[], digest: document.digest };
}

function countUnseen({ heads, tails }: Triples, seen: number): number {
  const head = heads.window(0, heads.length), tail = tails.window(0, tails.length);
  let count = 0;
  for (let i = 0; i < head.length; i++) if (head[i]! >= seen || tail[i]! >= seen) count++;
  return count;
}

function readPart(
  { source }: InputFile,
  order: Order,
  entities: Names,
  relations: Names,
  known: string | undefined,
): Triples {
  const look = lookAt(source);
  const [h, r, t] = ORDERS[order];
  const columns: TitledColumn[] = [];
  columns[h] = { kind: "name", names: entities, title: "head" };
  columns[r] = known === undefined
    ? { kind: "name", names: relations, title: "relation" }
    : { kind: "known", names: relations, title: "relation", expected: `a relation of "${known}"` };
  columns[t] = { kind: "name", names: entities, title: "tail" };
  const table = readTable(
    source,
    dialectOf(look),
    columns,
    ({ kind }) =>
      kind === "columns"
        ? "triples have three columns, cut by tabs where there is one, else by blanks"
        : undefined,
  );
  const part = { heads: table.ids(h), relations: table.ids(r), tails: table.ids(t) };
  if (look.header) refuseHeaderAgain(source, look, table, part, [entities, relations], ORDERS[order]);
  return part;
}

/** Files joined by cat hold their header again: it would become a triple. */
function refuseHeaderAgain(
  source: Source,
  { header }: Look,
  table: Table,
  part: Triples,
  [entities, relations]: readonly [Names, Names],
  [h, r, t]: readonly [number, number, number],
): void {
  const number = (names: Names, field: string) => names.numbers(textOf(field), false).at(0);
  const { fields } = header!;
  const wanted = [number(entities, fields[h]!), number(relations, fields[r]!), number(entities, fields[t]!)];
  if (wanted.some((n) => n < 0)) return;
  const windows = [part.heads, part.relations, part.tails].map((a) => a.window(0, a.length));
  for (let i = 0; i < table.rows; i++) {
    if (windows.every((window, c) => window[i] === wanted[c])) {
      throw errorAt(source, table.rowOffsets().at(i), `the header again, expected a triple`);
    }
  }
}

const textOf = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  return {
    bytes: NativeArray.from<"U8">(bytes),
    indptr: NativeArray.from<"I64">(BigInt64Array.of(0n, BigInt(bytes.length))),
  };
};

function read(input: InputSet, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const p: Params = params.parse(given);
  refuseNumbering(options, "entities that are names");
  const files = partFiles(input, PARTS);
  if (!files.train) {
    throw new GustError("data", `${input.label}: no file train.txt or train.tsv, expected one`);
  }
  const notes: string[] = [];
  const look = lookAt(files.train.source);
  if (look.header) {
    notes.push(
      `line ${look.header.line.number} is taken as names of the columns: ${look.header.fields.join(", ")}`,
    );
  }
  const order = p.columns ?? look.header?.order ?? findOrder(files.train.source, look, notes);
  const entities = new Names(), relations = new Names();
  const from = p.relationsFrom === undefined ? null : relationsOf(p.relationsFrom);
  if (from) relations.add(from.names);
  const part = (file: InputFile) => readPart(file, order, entities, relations, p.relationsFrom);
  const train = part(files.train);
  if (train.heads.length === 0) {
    throw new GustError("data", `${files.train.label}: no triples, expected some`);
  }
  const seen = entities.count, trained = relations.count;
  const links: Partial<Record<SplitName, RawLinks>> = {};
  for (const name of ["val", "test"] as const) {
    const file = files[name];
    if (!file) continue;
    const triples = part(file);
    const unseen = countUnseen(triples, seen);
    if (unseen > 0) {
      notes.push(
        `${unseen} of ${triples.heads.length} ${name} triples name an entity that no training triple has`,
      );
    }
    links[name] = linksOf(triples);
  }
  const more = relations.count - trained;
  if (more > 0) {
    notes.push(`${more} relation${more === 1 ? "" : "s"} occur outside of the training triples alone`);
  }
  return {
    edges: EdgeList.fromArrays(train.heads, train.tails),
    edgeColumns: { type: train.relations },
    edgeTypeNames: relations.strings(),
    links,
    numNodes: entities.count,
    isUndirected: false,
    isWeighted: false,
    nodeNames: entities.texts(),
    notes,
    found: { columns: order, ...(from ? { relations_from: from.digest } : {}) },
  };
}

export const triples: Reader = {
  name: "triples",
  summary: "knowledge-graph triples of names: a file, or a folder with train, valid and test",
  source: "Dettmers et al. 2018, arXiv:1707.01476 (WN18RR and the benchmarks before it)",
  params,
  sniff,
  read,
};
