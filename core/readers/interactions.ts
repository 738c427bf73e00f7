/**
 * Interaction lists of recommenders: "user item item ..." per line, in one file or in a folder of train and test (and
 * valid). Users and items count separately; a user may have several lines, or no item at all.
 *
 * Gives a typed graph: nodes user and item, relation "interacts" user -> item of the training part; the other parts are
 * links between global node numbers, where users come first.
 * Source: the files of NGCF and LightGCN (Wang et al. 2019, arXiv:1905.08108; He et al. 2020, arXiv:2002.02126).
 */
import { EdgeList } from "../../ffi/native_build.ts";
import { findOutside } from "../../ffi/native_checks.ts";
import type { Table } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import type { SplitName } from "../graph/graph.ts";
import { checkLargestId } from "../graph/node_count.ts";
import type { InputFile, InputSet } from "./input.ts";
import { firstLines, partFiles } from "./parts.ts";
import type { RawGraph, RawLinks, Reader, ReadOptions } from "./reader.ts";
import { errorAt, integersOf, leftOut, numbersOf, readLists, textBegin } from "./table.ts";
import { integer, isText, words } from "./text.ts";

const PARTS: Record<SplitName, RegExp> = {
  train: /^(.*\/)?train\.(txt|csv|tsv)(\.gz|\.zst)?$/,
  val: /^(.*\/)?(valid|val|dev)\.(txt|csv|tsv)(\.gz|\.zst)?$/,
  test: /^(.*\/)?test\.(txt|csv|tsv)(\.gz|\.zst)?$/,
};

/** Lists of integers whose first ones rise, of different lengths: an edge list is none, nor are events. */
function sniff(input: InputSet): boolean {
  const file = input.single ?? input.find(PARTS.train)[0];
  if (!file || !isText(file.source)) return false;
  const rows = firstLines(file.source, 256).map(({ text }) => words(text).map(integer));
  if (rows.length < 2 || rows.some((row) => row.some((id) => !(id >= 0)))) return false;
  const rises = rows.every(([user], i) => i === 0 || user! > rows[i - 1]![0]!);
  return rises && rows.some((row) => row.length > 2) && rows.some((row) => row.length !== rows[0]!.length);
}

interface Pairs {
  readonly users: Float64Array;
  readonly items: Float64Array;
  /** Largest user of any line and one more: a user without items counts. */
  readonly numUsers: number;
  readonly table: Table;
}

function readPart({ source }: InputFile, base: number): Pairs {
  const table = readLists(source, textBegin(source), "#", "id");
  const ids = table.integers(0);
  const { count, place, value } = findOutside(ids, base, Number.MAX_SAFE_INTEGER);
  const ptr = table.integers(1).window(0, table.rows + 1);
  if (count > 0) {
    const row = ptr.findLastIndex((begin) => Number(begin) <= place);
    const nth = place - Number(ptr[row]);
    const which = nth === 0 ? `user ${value}` : `item ${value} (number ${nth} of its line)`;
    throw errorAt(source, table.rowOffsets().at(row), `${which}, expected ids from ${base}`);
  }
  const id = numbersOf(ids);
  const users = new Float64Array(ids.length - table.rows), items = new Float64Array(users.length);
  let at = 0, last = 0;
  for (let row = 0; row < table.rows; row++) {
    const begin = Number(ptr[row]), end = Number(ptr[row + 1]), user = id[begin]! - base;
    last = Math.max(last, user);
    for (let i = begin + 1; i < end; i++) {
      users[at] = user;
      items[at++] = id[i]! - base;
    }
  }
  return { users, items, numUsers: table.rows > 0 ? last + 1 : 0, table };
}

function read(input: InputSet, options: ReadOptions): RawGraph {
  if (options.numNodes !== undefined) {
    throw new GustError(
      "usage",
      "--num-nodes does not apply to interactions, whose users and items count separately",
    );
  }
  const base = options.indexBase ?? 0;
  const files = partFiles(input, PARTS);
  if (!files.train) throw new GustError("data", `${input.label}: no file train.txt, expected one`);
  const parts = Object.fromEntries(
    Object.entries(files).map(([name, file]) => [name, readPart(file, base)]),
  ) as Partial<Record<SplitName, Pairs>>;
  const users = Math.max(...Object.values(parts).map(({ numUsers }) => numUsers));
  let items = 0;
  for (const part of Object.values(parts)) part.items.forEach((item) => items = Math.max(items, item + 1));
  const entries = Object.values(parts).reduce((sum, part) => sum + part.users.length + part.table.rows, 0);
  checkLargestId(input.label, users - 1, entries, "user");
  checkLargestId(input.label, items - 1, entries, "item");
  const train = parts.train!;
  if (train.users.length === 0) {
    throw new GustError("data", `${files.train.label}: no interactions, expected some`);
  }
  const links: Partial<Record<SplitName, RawLinks>> = {};
  for (const name of ["val", "test"] as const) {
    const part = parts[name];
    if (!part) continue;
    const pairs = new Float64Array(2 * part.users.length);
    part.users.forEach((user, i) => {
      pairs[2 * i] = user;
      pairs[2 * i + 1] = users + part.items[i]!;
    });
    links[name] = { pairs: integersOf(pairs) };
  }
  const isActive = new Uint8Array(users);
  train.users.forEach((user) => isActive[user] = 1);
  const active = isActive.reduce((sum, on) => sum + on, 0);
  const notes = leftOut(Object.values(parts).map(({ table }) => table));
  if (active < users) notes.push(`${users - active} of ${users} users have no item to train on`);
  return {
    typed: {
      nodeTypes: ["user", "item"],
      nodeCounts: [users, items],
      relations: [{
        name: "interacts",
        src: "user",
        dst: "item",
        edges: EdgeList.fromArrays(integersOf(train.users), integersOf(train.items)),
      }],
    },
    links,
    numNodes: users + items,
    isUndirected: false,
    isWeighted: false,
    notes,
  };
}

export const interactions: Reader = {
  name: "interactions",
  summary: 'user-item lists: "user item item ..." per line; a file, or a folder with train and test',
  source: "He et al. 2020, arXiv:2002.02126 (LightGCN's files)",
  sniff,
  read,
};
