/** What belongs to the nodes of a graph being built: which nodes are kept, and the tensors of it all. */
import { NativeArray } from "../../ffi/native.ts";
import { selectCsrRows } from "../../ffi/native_build.ts";
import { selectRows } from "../../ffi/native_source.ts";
import type { NewTensor } from "../format/document.ts";
import type { RawFeatures, RawGraph, RawSplit } from "../readers/reader.ts";
import type { Csr } from "./csr.ts";
import { splitNames } from "./graph.ts";

/** A reader's findings with the number of nodes decided; `nodeIds` null: 0 .. n-1. */
export type NodeData = Omit<RawGraph, "numNodes" | "nodeIds"> & {
  numNodes: number;
  nodeIds: NativeArray<"I64"> | null;
};

type Rows = NativeArray<"I64">;

/**
 * The subgraph of `rows` (ascending), which have no arcs to other nodes. `map` gives each old node its new number.
 * Everything that belongs to a node goes with it, its original id too.
 */
export function keepNodes(csr: Csr, nodes: NodeData, rows: Rows, map: Rows): { csr: Csr; nodes: NodeData } {
  const {
    features,
    labels,
    splits,
    nodeNames,
    nodeWeight,
    nodeSize,
    nodeIds,
    target,
    pos,
    nodeTime,
    nodeType,
  } = nodes;
  return {
    csr: selectCsrRows(csr, rows, map, rows.length),
    nodes: {
      ...nodes,
      numNodes: rows.length,
      nodeIds: nodeIds ? selectRows(nodeIds, 1, rows) : rows,
      features: features?.kind === "csr"
        ? { ...features, csr: selectCsrRows(features.csr, rows, null, features.numFeatures) }
        : features &&
          {
            ...features,
            array: selectRows(features.array as NativeArray<"F32">, features.numFeatures, rows),
          },
      labels: labels?.kind === "multi"
        ? { ...labels, array: selectRows(labels.array, labels.numClasses, rows) }
        : labels && { ...labels, array: selectRows(labels.array, 1, rows) },
      splits: splits && Object.fromEntries(
        Object.entries(splits).map(([name, split]) => [name, keepSplit(split, rows, map)]),
      ),
      nodeNames: nodeNames && keepNames(nodeNames, rows),
      nodeWeight: nodeWeight &&
        { ...nodeWeight, array: selectRows(nodeWeight.array, nodeWeight.columns, rows) },
      nodeSize: nodeSize && selectRows(nodeSize, 1, rows),
      target: target && { ...target, array: selectReals(target.array, target.columns, rows) },
      pos: pos && selectReals(pos, 3, rows),
      nodeTime: nodeTime && selectRows<"I64" | "F64">(nodeTime, 1, rows) as RawGraph["nodeTime"],
      nodeType: nodeType && selectRows(nodeType, 1, rows),
    },
  };
}

type Reals = NativeArray<"F32"> | NativeArray<"F64">;
const selectReals = (array: Reals, columns: number, rows: Rows): Reals =>
  selectRows<"F32" | "F64">(array, columns, rows) as Reals;

function keepSplit(split: RawSplit, rows: Rows, map: Rows): RawSplit {
  if (split.kind === "list") {
    const numbers = Array.from(split.nodes, (v) => map.at(Number(v))).filter((v) => v >= 0);
    return { kind: "list", nodes: BigInt64Array.from(numbers, BigInt) };
  }
  const n = map.length;
  const array = NativeArray.allocate("BOOL", split.count * rows.length, false);
  for (let r = 0; r < split.count; r++) {
    const kept = selectRows(split.array.slice(r * n, n), 1, rows);
    array.window(r * rows.length, rows.length).set(kept.window());
  }
  return { ...split, array };
}

function keepNames(
  names: NonNullable<RawGraph["nodeNames"]>,
  rows: Rows,
): NonNullable<RawGraph["nodeNames"]> {
  const from = names.indptr.window(), kept = rows.window();
  const indptr = NativeArray.allocate("I64", rows.length + 1);
  const to = indptr.window();
  kept.forEach((v, i) => to[i + 1] = to[i]! + from[Number(v) + 1]! - from[Number(v)]!);
  const bytes = NativeArray.allocate("U8", Number(to[rows.length]), false);
  kept.forEach((v, i) => {
    const begin = Number(from[Number(v)]), size = Number(to[i + 1]! - to[i]!);
    if (size > 0) bytes.window(Number(to[i]), size).set(names.bytes.window(begin, size));
  });
  return { bytes, indptr };
}

/** Features as `<name>` (dense) or `<name>.indptr`, `.indices` and `.values`. */
export function featureTensors(name: string, features: RawFeatures, rows: number): NewTensor[] {
  const { numFeatures } = features;
  if (features.kind === "dense") {
    const { array } = features;
    return [{ name, dtype: array.dtype, shape: [rows, numFeatures], data: array }];
  }
  const { indptr, indices, values } = features.csr;
  return [
    { name: `${name}.indptr`, dtype: "I64", shape: [indptr.length], data: indptr },
    { name: `${name}.indices`, dtype: indices.dtype, shape: [indices.length], data: indices },
    ...(values
      ? [{ name: `${name}.values`, dtype: values.dtype, shape: [values.length], data: values }]
      : []),
  ];
}

/** The tensors of a graph document that belong to its nodes. */
export function nodeTensors(nodes: NodeData): NewTensor[] {
  const { numNodes: n, features, labels, splits, nodeNames, nodeWeight, nodeSize, nodeIds } = nodes;
  const { target, pos, nodeTime, nodeType } = nodes;
  const tensors: NewTensor[] = [];
  const add = (name: string, data: NativeArray, ...shape: number[]) =>
    tensors.push({ name, dtype: data.dtype, shape, data });
  if (features) tensors.push(...featureTensors("feat", features, n));
  if (labels) add("label", labels.array, ...(labels.kind === "multi" ? [n, labels.numClasses] : [n]));
  for (const name of splitNames) {
    const split = splits?.[name];
    if (split?.kind === "masks") add(`split.${name}`, split.array, split.count, n);
    if (split?.kind === "list") {
      tensors.push({ name: `split.${name}`, dtype: "I64", shape: [split.nodes.length], data: split.nodes });
    }
  }
  if (nodeIds) add("node_ids", nodeIds, n);
  if (nodeNames) {
    add("node_names.indptr", nodeNames.indptr, n + 1);
    add("node_names", nodeNames.bytes, nodeNames.bytes.length);
  }
  if (nodeWeight) {
    add("node_weight", nodeWeight.array, ...(nodeWeight.columns === 1 ? [n] : [n, nodeWeight.columns]));
  }
  if (nodeSize) add("extra/node_size", nodeSize, n);
  if (target) add("target", target.array, n, ...columnsOf(target));
  if (pos) add("pos", pos, n, 3);
  if (nodeTime) add("node_time", nodeTime, n);
  if (nodeType) add("node_type", nodeType, n);
  return tensors;
}

/** One column is no dimension. */
const columnsOf = ({ columns }: { readonly columns: number }) => columns === 1 ? [] : [columns];

/** The tensors of a graph document that belong to the data set: its graphs, its links, and what is kept as it is. */
export function graphTensors({ graphs, links, extra }: NodeData): NewTensor[] {
  const tensors: NewTensor[] = [];
  const add = (name: string, data: NativeArray, ...shape: number[]) =>
    tensors.push({ name, dtype: data.dtype, shape, data });
  if (graphs) {
    const { ptr, label, target, cell, folds } = graphs, count = ptr.length - 1;
    add("graph_ptr", ptr, count + 1);
    if (label) add("graph_label", label, count);
    if (target) add("graph_target", target.array, count, ...columnsOf(target));
    if (cell) add("graph_cell", cell, count, 3, 3);
    for (const name of splitNames) {
      const fold = folds?.[name];
      if (fold) add(`fold.${name}`, fold.array, fold.count, count);
    }
  }
  for (const name of splitNames) {
    const link = links?.[name];
    if (!link) continue;
    add(`link.${name}`, link.pairs, link.pairs.length / 2, 2);
    if (link.types) add(`link_type.${name}`, link.types, link.types.length);
  }
  return [...tensors, ...extra ?? []];
}
