/**
 * Timed events: "source target time [features...]" per line, sorted by time, cut by blanks, commas or tabs. Nothing is
 * merged: two events may be equal in everything. A line of column names is understood, and may leave the features
 * unnamed (JODIE's files): columns are then found by their names, and labels and row numbers are left out.
 *
 * With --bipartite, sources are users and targets are items, numbered separately by the rank of their ids.
 * Source: SNAP's temporal networks; Kumar et al. 2019, arXiv:1908.01207 (JODIE); Rossi et al. 2020 (TGN).
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { findDescent, findNotFinite, findOutside } from "../../ffi/native_checks.ts";
import type { Source } from "../../ffi/native_source.ts";
import { type Column, Table, type TableDialect } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import { cut, WEIGHT_NAMES } from "./edgelist_look.ts";
import { firstLines } from "./parts.ts";
import {
  type EdgeColumns,
  fileReader,
  PAST_FLOAT32,
  type RawGraph,
  type ReadOptions,
  textError,
} from "./reader.ts";
import {
  fieldError,
  integersOf,
  leftOut,
  numbersOf,
  type Place,
  readTable,
  textBegin,
  type TitledColumn,
} from "./table.ts";
import { integer, isText, type Line, words } from "./text.ts";

const params = z.object({
  bipartite: z.boolean().default(false).describe(
    "sources are users and targets are items: two types of nodes, numbered separately",
  ),
}).strict();

const NAMES = {
  source: /^(src|source|from|u|user(_?id)?|source_?id)$/i,
  target: /^(dst|dest|destination|target|to|v|i|item(_?id)?|target_?id)$/i,
  time: /^(t|ts|time|timestamp|unix_?time)$/i,
  /** Answers and row numbers are no features. */
  left: /^(|state_label|label|y|idx|index|edge_?id|event_?id)$/i,
};

interface Look {
  readonly begin: number;
  readonly delimiter: string;
  readonly columns: number;
  readonly source: number;
  readonly target: number;
  readonly time: number;
  readonly features: readonly number[];
  readonly notes: string[];
}

const isComment = ({ text }: Line) => /^\s*[#%]/.test(text);
const cutLine = (text: string, delimiter: string) => delimiter === "" ? words(text) : cut(text, delimiter);
const isNumber = (text: string | undefined) =>
  text !== undefined && text.trim() !== "" && Number.isFinite(Number(text));

function lookAt(source: Source): Look {
  const begin = textBegin(source);
  const lines = firstLines(source, 64).filter((line) => !isComment(line));
  const [first, second] = lines;
  if (!first) {
    throw new GustError("data", `${source.label}: no events, expected "source target time" per line`);
  }
  const delimiter = [",", ";", "\t"].find((d) => lines.every(({ text }) => text.includes(d))) ?? "";
  const fields = cutLine(first.text, delimiter);
  const named = fields.length >= 3 && !fields.some((field) => isNumber(field));
  if (!named) {
    if (fields.length < 3) {
      throw textError(
        source,
        first.number,
        1,
        `${fields.length} column${fields.length === 1 ? "" : "s"}, expected source, target and time`,
      );
    }
    const features = fields.slice(3).map((_, i) => i + 3);
    return { begin, delimiter, columns: fields.length, source: 0, target: 1, time: 2, features, notes: [] };
  }
  const find = (what: "source" | "target" | "time") => {
    const at = fields.findIndex((field) => NAMES[what].test(field.trim()));
    if (at >= 0) return at;
    throw textError(
      source,
      first.number,
      1,
      `the columns ${
        fields.map((f) => `"${f}"`).join(", ")
      } name no ${what}, expected source, target and time`,
    );
  };
  const place = { source: find("source"), target: find("target"), time: find("time") };
  const columns = second ? cutLine(second.text, delimiter).length : fields.length;
  const needed = Math.max(...Object.values(place)) + 1;
  if (columns < needed) {
    throw textError(
      source,
      second!.number,
      1,
      `${columns} columns, expected at least ${needed} as the names have`,
    );
  }
  const rest = Array.from({ length: columns }, (_, c) => c).filter((c) => !Object.values(place).includes(c));
  const left = rest.filter((c) => c < fields.length && NAMES.left.test(fields[c]!.trim()));
  const notes = [`line ${first.number} is taken as names of the columns: ${fields.join(", ")}`];
  for (const c of left) notes.push(`column ${c + 1} ("${fields[c]}") is left out: no feature`);
  return {
    begin: first.end,
    delimiter,
    columns,
    ...place,
    features: rest.filter((c) => !left.includes(c)),
    notes,
  };
}

/** Whether column 3 can be times: it never falls and takes several values, in lines that no source sorts. */
function sniff(source: Source): boolean {
  if (!isText(source)) return false;
  const lines = firstLines(source, 512).filter((line) => !isComment(line));
  const delimiter = [",", ";", "\t"].find((d) => lines.every(({ text }) => text.includes(d))) ?? "";
  const rows = lines.map(({ text }) => cutLine(text, delimiter));
  if (rows.length < 3) return false;
  const [header] = rows;
  if (header!.length >= 3 && !header!.some((field) => isNumber(field))) {
    return (["source", "target", "time"] as const).every((what) =>
      header!.some((f) => NAMES[what].test(f.trim()))
    ) &&
      rows[1]!.length >= header!.length && !header!.some((field) => WEIGHT_NAMES.test(field.trim()));
  }
  if (rows.some((row) => row.length < 3 || row.length !== rows[0]!.length)) return false;
  if (rows.some(([u, v, t]) => !(integer(u) >= 0) || !(integer(v) >= 0) || !isNumber(t))) return false;
  const falls = (column: number) =>
    rows.some((row, i) => i > 0 && Number(row[column]) < Number(rows[i - 1]![column]));
  return !falls(2) && falls(0) && Number(rows.at(-1)![2]) > Number(rows[0]![2]);
}

const dialectOf = ({ begin, delimiter }: Look): TableDialect => ({
  begin,
  delimiter,
  quotes: delimiter !== "",
  comment: "#",
});

/** Whether every time is written as an integer: a pass of its own, since the kind of a column holds for all of it. */
function hasIntegerTimes(source: Source, look: Look): boolean {
  const columns = Array.from(
    { length: look.columns },
    (_, c): Column => ({ kind: c === look.time ? "integer" : "skip" }),
  );
  const { problem } = Table.parse(source, dialectOf(look), columns);
  return problem?.kind !== "integer" && problem?.kind !== "range";
}

function readRows(source: Source, look: Look, timeKind: "integer" | "number"): Table {
  const columns = Array.from({ length: look.columns }, (_, c): TitledColumn => {
    if (c === look.source) return { kind: "integer", title: "source" };
    if (c === look.target) return { kind: "integer", title: "target" };
    if (c === look.time) return { kind: timeKind, title: "time" };
    return look.features.includes(c)
      ? { kind: "number", title: `feature ${look.features.indexOf(c) + 1}` }
      : { kind: "skip", title: `column ${c + 1}` };
  });
  return readTable(source, dialectOf(look), columns);
}

/** Ids less the base. @throws {GustError} (data) naming the field of the first that is below it, or past the limit. */
function idsOf(
  place: Place,
  column: number,
  title: string,
  base: number,
  limit?: number,
): NativeArray<"I64"> {
  const ids = place.table.integers(column);
  const most = limit === undefined ? Number.MAX_SAFE_INTEGER : limit - 1 + base;
  const { count, place: row, value } = findOutside(ids, base, most);
  if (count > 0) {
    const expected = limit === undefined ? `ids from ${base}` : `ids ${base} to ${most} for ${limit} nodes`;
    throw fieldError(
      place,
      row,
      column,
      `${title} ${value} is out of range, expected ${expected}`,
      value === 0 && base === 1 ? "the file counts from 0: leave out --index-base 1" : undefined,
    );
  }
  return base === 0 ? ids : integersOf(numbersOf(ids).map((id) => id - base));
}

/** The features, row-major. @throws {GustError} (data) naming the field of the first that no float32 holds. */
function featuresOf(place: Place, columns: readonly number[]): EdgeColumns["feat"] {
  const { table } = place;
  if (columns.length === 0) return undefined;
  const array = NativeArray.allocate("F32", table.rows * columns.length, false);
  const to = array.window(0, array.length);
  columns.forEach((column, c) => {
    const from = table.numbers(column).window(0, table.rows);
    for (let row = 0; row < from.length; row++) to[row * columns.length + c] = from[row]!;
  });
  const { count, place: at } = findNotFinite(array);
  if (count > 0) {
    const [row, column] = [Math.floor(at / columns.length), columns[at % columns.length]!];
    throw fieldError(place, row, column, `feature ${at % columns.length + 1} is ${PAST_FLOAT32}`);
  }
  return { columns: columns.length, array };
}

/** Ids as their rank among those that occur, which are listed. */
function ranks(ids: NativeArray<"I64">): { numbers: NativeArray<"I64">; originals: Float64Array } {
  const from = numbersOf(ids);
  const originals = Float64Array.from(new Set(from)).sort();
  const rank = new Map(Array.from(originals, (id, i) => [id, i]));
  return { numbers: integersOf(from.map((id) => rank.get(id)!)), originals };
}

function bipartite(
  sources: NativeArray<"I64">,
  targets: NativeArray<"I64">,
  columns: EdgeColumns,
  notes: string[],
): Pick<RawGraph, "typed" | "numNodes" | "extra"> {
  const users = ranks(sources), items = ranks(targets);
  const nodeCounts = [users.originals.length, items.originals.length];
  notes.push(
    `${nodeCounts[0]} users and ${
      nodeCounts[1]
    } items, numbered by the rank of their ids (kept in extra/original_ids)`,
  );
  const numNodes = nodeCounts[0]! + nodeCounts[1]!;
  return {
    typed: {
      nodeTypes: ["user", "item"],
      nodeCounts,
      relations: [{
        name: "interacts",
        src: "user",
        dst: "item",
        edges: EdgeList.fromArrays(users.numbers, items.numbers),
        columns,
      }],
    },
    numNodes,
    extra: [{
      name: "extra/original_ids",
      dtype: "I64",
      shape: [numNodes],
      data: BigInt64Array.from([...users.originals, ...items.originals], BigInt),
    }],
  };
}

function read(source: Source, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const p = params.parse(given);
  if (p.bipartite && options.numNodes !== undefined) {
    throw new GustError(
      "usage",
      "--num-nodes does not apply to --bipartite: the ids that occur are the nodes",
    );
  }
  const look = lookAt(source);
  const isInteger = hasIntegerTimes(source, look);
  const table = readRows(source, look, isInteger ? "integer" : "number");
  const time = isInteger ? table.integers(look.time) : table.numbers(look.time);
  if (table.rows === 0) throw new GustError("data", `${source.label}: no events, expected some`);
  const place: Place = { source, dialect: dialectOf(look), columns: look.columns, table };
  const notes = [...look.notes, ...leftOut([table])];
  const unsorted = findDescent(time, false);
  if (unsorted.count > 0) {
    const [before, here] = [time.at(unsorted.place - 1), time.at(unsorted.place)];
    throw fieldError(
      place,
      unsorted.place,
      look.time,
      `time ${here} comes behind ${before}, expected events sorted by time`,
      `sort -s -k ${look.time + 1},${look.time + 1}g sorts a file cut by blanks`,
    );
  }
  const base = options.indexBase ?? 0;
  const sources = idsOf(place, look.source, "source", base, options.numNodes);
  const targets = idsOf(place, look.target, "target", base, options.numNodes);
  const columns: EdgeColumns = { time, feat: featuresOf(place, look.features) };
  const common = {
    rowOrder: "time",
    isUndirected: false,
    isWeighted: false,
    notes,
    found: { bipartite: p.bipartite },
  } as const;
  if (p.bipartite) return { ...common, ...bipartite(sources, targets, columns, notes) };
  const edges = EdgeList.fromArrays(sources, targets);
  if (options.indexBase === undefined && edges.minId === 1) {
    notes.push("the smallest id is 1, so that node 0 has no events; if ids count from 1, say --index-base 1");
  }
  return { ...common, edges, edgeColumns: columns, numNodes: options.numNodes ?? null };
}

export const events = fileReader({
  name: "events",
  summary: "timed events, sorted: source, target, time and features per line",
  source: "SNAP temporal networks; Kumar et al. 2019, arXiv:1908.01207 (JODIE)",
  params,
  sniff,
  read,
});
