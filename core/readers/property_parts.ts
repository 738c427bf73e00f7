/** A property graph in pieces, as the three forms of it are read, and the typed graph they make. */
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { selectTexts, type Texts, textsOf } from "../../ffi/native_table.ts";
import { GustError } from "../errors.ts";
import type { NewTensor } from "../format/document.ts";
import { countUp } from "../graph/build_columns.ts";
import type { RawGraph, RawRelation } from "./reader.ts";
import { integersOf } from "./table.ts";
import {
  columnTensors,
  countPresent,
  joinColumns,
  selectColumn,
  tensorName,
  textTensors,
  type TypedColumn,
} from "./typed_columns.ts";

/** Nodes of a type, and their properties. */
export interface NodeBlock extends LabelledRows {
  /** Number of each among all nodes. */
  readonly nodes: Int32Array;
  readonly columns: ReadonlyMap<string, TypedColumn>;
}

/** Rows of a table whose nodes have the same first label, which is their type. */
export interface LabelledRows {
  readonly type: string;
  /** The lists of labels that occur, and which of them each row has. */
  readonly labels: readonly (readonly string[])[];
  readonly labelOf: readonly number[];
}

/** Relationships of a type, and their properties. */
export interface RelationshipBlock {
  readonly type: string;
  /** Numbers of nodes. */
  readonly sources: Int32Array;
  readonly targets: Int32Array;
  readonly columns: ReadonlyMap<string, TypedColumn>;
}

export interface PropertyParts {
  /** Ids by the number of the node. */
  readonly names: Texts;
  readonly nodes: readonly NodeBlock[];
  readonly relationships: readonly RelationshipBlock[];
  readonly notes: readonly string[];
}

/** The type of nodes without a label. */
const UNLABELLED = "Node";

/** The rows of each type, ascending. `listOf`: which of the label lists each row has. */
export function rowsByType(
  labels: readonly (readonly string[])[],
  listOf: ArrayLike<number>,
  unlabelled = UNLABELLED,
): (LabelledRows & { readonly rows: number[] })[] {
  const types = new Map<string, LabelledRows & { readonly labelOf: number[]; readonly rows: number[] }>();
  const blockOf = labels.map((list) => {
    const type = list[0] ?? unlabelled;
    let block = types.get(type);
    if (!block) types.set(type, block = { type, labels, labelOf: [], rows: [] });
    return block;
  });
  for (let row = 0; row < listOf.length; row++) {
    const block = blockOf[listOf[row]!]!;
    block.rows.push(row);
    block.labelOf.push(listOf[row]!);
  }
  return [...types.values()].filter(({ rows }) => rows.length > 0);
}

/** A label or a type as the name of a node type or relation: without what tensor names are made of. */
const itemName = (name: string) =>
  name.replace(/[/{}<>\p{Cc}]/gu, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

const byName = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

interface Piece {
  readonly columns: ReadonlyMap<string, TypedColumn>;
  readonly rows: number;
}

/** The columns of several pieces one after another, in the order of their names; those without a value are left out. */
function joined(
  label: string,
  pieces: readonly Piece[],
  what: string,
  empty: string[],
): [string, TypedColumn][] {
  const names = new Map<string, true>();
  for (const { columns } of pieces) for (const name of columns.keys()) names.set(name, true);
  return byName(names).flatMap(([name]): [string, TypedColumn][] => {
    const parts = pieces.map(({ columns, rows }) => ({ column: columns.get(name) ?? null, rows }));
    const kinds = new Set(
      parts.flatMap(({ column }) => column && countPresent(column.present) > 0 ? [column.kind] : []),
    );
    if (kinds.size === 0) {
      empty.push(`${what}.${name}`);
      return [];
    }
    if (kinds.size > 1) {
      throw new GustError(
        "data",
        `${label}: property ${name} of ${what} has the types ${
          [...kinds].join(" and ")
        } in different files, expected one`,
        "give it one type in the headers",
      );
    }
    const [kind] = kinds;
    return [[name, joinColumns(parts.map((p) => p.column?.kind === kind ? p : { ...p, column: null }))]];
  });
}

/** Where nodes are in the graph: their type and their number inside it. */
interface Places {
  readonly types: readonly string[];
  readonly counts: readonly number[];
  readonly typeOf: Int32Array;
  readonly numberOf: Int32Array;
  /** Old numbers in the new order. */
  readonly order: Int32Array;
  readonly blocks: readonly (readonly NodeBlock[])[];
}

function placeNodes({ nodes, names }: PropertyParts): Places {
  const byType = new Map<string, NodeBlock[]>();
  for (const block of nodes) push(byType, itemName(block.type), block);
  const sorted = byName(byType);
  const total = names.indptr.length - 1;
  const typeOfNode = new Int32Array(total), numberOf = new Int32Array(total), order = new Int32Array(total);
  let at = 0;
  const counts = sorted.map(([, blocks], type) => {
    let count = 0;
    for (const block of blocks) {
      for (const node of block.nodes) {
        typeOfNode[node] = type;
        numberOf[node] = count++;
        order[at++] = node;
      }
    }
    return count;
  });
  return {
    types: sorted.map(([type]) => type),
    counts,
    typeOf: typeOfNode,
    numberOf,
    order,
    blocks: sorted.map(([, blocks]) => blocks),
  };
}

/** Relationships of one type between nodes of one pair of types. */
interface Group {
  readonly type: string;
  readonly src: number;
  readonly dst: number;
  readonly pieces: { readonly block: RelationshipBlock; readonly rows: number[] }[];
}

function groupRelationships(blocks: readonly RelationshipBlock[], places: Places): Group[] {
  const groups = new Map<string, Group>();
  for (const block of blocks) {
    const own = new Map<number, number[]>();
    block.sources.forEach((source, row) => {
      const pair = places.typeOf[source]! * places.types.length + places.typeOf[block.targets[row]!]!;
      push(own, pair, row);
    });
    for (const [pair, rows] of own) {
      const src = Math.floor(pair / places.types.length), dst = pair % places.types.length;
      const key = `${src} ${dst} ${block.type}`;
      let group = groups.get(key);
      if (!group) groups.set(key, group = { type: itemName(block.type), src, dst, pieces: [] });
      group.pieces.push({ block, rows });
    }
  }
  return [...groups.values()];
}

function nodeTensors(label: string, places: Places, empty: string[]): NewTensor[] {
  return places.types.flatMap((type, t) => {
    const blocks = places.blocks[t]!;
    const pieces = blocks.map(({ columns, nodes }) => ({ columns, rows: nodes.length }));
    const tensors = joined(label, pieces, type, empty).flatMap(([name, column]) =>
      columnTensors(`extra/node/${type}/${tensorName(name)}`, column)
    );
    const lists = blocks.flatMap(({ labels, labelOf }) => labelOf.map((list) => labels[list]!));
    if (lists.every((labels) => labels.length < 2)) return tensors;
    const labels = textsOf(lists.map((labels) => labels.join(";")));
    return [...tensors, ...textTensors(`extra/node/${type}/:labels`, labels)];
  });
}

function relationOf(name: string, { src, dst, pieces }: Group, places: Places): RawRelation {
  const count = pieces.reduce((sum, { rows }) => sum + rows.length, 0);
  const sources = new Int32Array(count), targets = new Int32Array(count);
  let at = 0;
  for (const { block, rows } of pieces) {
    for (const row of rows) {
      sources[at] = places.numberOf[block.sources[row]!]!;
      targets[at++] = places.numberOf[block.targets[row]!]!;
    }
  }
  return {
    name,
    src: places.types[src]!,
    dst: places.types[dst]!,
    edges: EdgeList.fromArrays(NativeArray.from<"I32">(sources), NativeArray.from<"I32">(targets)),
    columns: { id: countUp(count) },
  };
}

/** The typed graph of the pieces. @throws {GustError} (data) where files disagree on the type of a property. */
export function assemble(label: string, parts: PropertyParts, notes: readonly string[]): RawGraph {
  const places = placeNodes(parts);
  const groups = groupRelationships(parts.relationships, places);
  const pairs = new Map<string, number>();
  for (const { type } of groups) pairs.set(type, (pairs.get(type) ?? 0) + 1);
  const named = byName(
    new Map(groups.map((group) => {
      const { type, src, dst } = group;
      return [
        pairs.get(type) === 1 ? type : `${places.types[src]}-${type}-${places.types[dst]}`,
        group,
      ] as const;
    })),
  );
  const empty: string[] = [];
  const extra = nodeTensors(label, places, empty);
  for (const [name, { pieces }] of named) {
    const own = pieces.map(({ block, rows }): Piece => {
      const chosen = integersOf(Int32Array.from(rows));
      const isWhole = rows.length === block.sources.length;
      const columns = [...block.columns].map(([key, column]) =>
        [key, isWhole ? column : selectColumn(column, chosen)] as const
      );
      return { columns: new Map(columns), rows: rows.length };
    });
    for (const [key, column] of joined(label, own, name, empty)) {
      extra.push(...columnTensors(`extra/rel/${name}/${tensorName(key)}`, column));
    }
  }
  return {
    typed: {
      nodeTypes: places.types,
      nodeCounts: places.counts,
      relations: named.map(([name, group]) => relationOf(name, group, places)),
    },
    numNodes: places.order.length,
    isUndirected: false,
    isWeighted: false,
    nodeNames: selectTexts(parts.names, integersOf(places.order)),
    extra,
    notes: [
      ...parts.notes,
      ...notes,
      ...(empty.length > 0 ? [`properties without a value are left out: ${empty.join(", ")}`] : []),
    ],
  };
}
