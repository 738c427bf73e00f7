/**
 * Graphs as named arrays in the way of PyTorch Geometric and DGL users, whatever file holds the arrays:
 *
 *     edge_index (2, E)   arcs source, target        edge_weight (E)   edge_attr (E, d)   edge_type (E)   edge_time (E)
 *     x (n, F)            y (n) or (n, C)            train_mask, val_mask, test_mask (n) or (n, splits)   pos (n, 3)
 *
 * and what all array layouts share: reading pairs, features, labels, names and splits.
 * Source: Fey and Lenssen 2019, arXiv:1903.02428, torch_geometric.data.Data.
 */
import { EdgeList } from "../../ffi/native_build.ts";
import { GustError } from "../errors.ts";
import { packNames } from "./names.ts";
import type { Arrays, Shaped } from "./npz_arrays.ts";
import { readFeatures, readLabels, readSplits } from "./npz_nodes.ts";
import type { EdgeColumns, RawGraph, RawTarget, ReadOptions } from "./reader.ts";

/** @throws {GustError} (usage): arrays count from 0. */
export function refuseIndexBase(options: ReadOptions, format: string): void {
  if (options.indexBase === 1) {
    throw new GustError("usage", `--index-base 1 does not apply to ${format} files: arrays count from 0`);
  }
}

/**
 * The edges of a (2, E) or (E, 2) array; a square one is taken as `preferred` says.
 * @param numNodes  ids are below it; null: not known.
 */
export function edgesOf(
  arrays: Arrays,
  name: string,
  numNodes: number | null,
  preferred: "(E, 2)" | "(2, E)",
): EdgeList {
  const edges = arrays.indices(name);
  const [rows, columns] = edges.shape as [number, number];
  if (edges.shape.length !== 2 || (rows !== 2 && columns !== 2)) {
    throw arrays.error(`${name} has shape (${edges.shape.join(", ")}), expected ${preferred}`);
  }
  arrays.checkRange(name, edges, numNodes ?? 2 ** 52);
  const isWide = rows === 2 && (columns !== 2 || preferred === "(2, E)");
  if (!isWide) return EdgeList.fromPairs(edges.data);
  const half = edges.data.length / 2;
  return EdgeList.fromArrays(edges.data.slice(0, half), edges.data.slice(half, half));
}

/** Integers per node: a vector, or a row for each. */
function readNodeWeight(arrays: Arrays, numNodes: number): RawGraph["nodeWeight"] {
  if (!arrays.has("node_weight")) return undefined;
  const stored = arrays.numbers("node_weight");
  if (stored.shape.length > 2 || stored.shape[0] !== numNodes) {
    throw arrays.error(
      `node_weight has shape (${stored.shape.join(", ")}), expected (${numNodes}) or (${numNodes}, m)`,
    );
  }
  return { columns: stored.shape[1] ?? 1, array: arrays.as("node_weight", stored, "I64").data };
}

function readNodeIds(arrays: Arrays, numNodes: number): RawGraph["nodeIds"] {
  if (!arrays.has("node_ids")) return undefined;
  const ids = arrays.vector("node_ids", arrays.numbers("node_ids"));
  if (ids.shape[0] !== numNodes) {
    throw arrays.error(`node_ids holds ${ids.shape[0]} ids, expected one per node (${numNodes})`);
  }
  return arrays.as("node_ids", ids, "I64").data;
}

/** What every layout tells of the nodes. */
export function nodeParts(
  arrays: Arrays,
  numNodes: number,
  hasLabels = true,
): Omit<RawGraph, "edges" | "numNodes" | "isUndirected" | "isWeighted"> & { notes: string[] } {
  const notes: string[] = [];
  const classNames = arrays.texts("class_names");
  const labels = hasLabels ? readLabels(arrays, numNodes, classNames?.length) : undefined;
  const names = arrays.texts("node_names");
  if (names && names.length !== numNodes) {
    throw arrays.error(`node_names holds ${names.length} names, expected one per node (${numNodes})`);
  }
  if (classNames && labels && classNames.length < labels.numClasses) {
    throw arrays.error(
      `class_names holds ${classNames.length} names, but the labels go up to ${labels.numClasses - 1}`,
    );
  }
  const features = readFeatures(arrays, numNodes, notes);
  const nodeWeight = readNodeWeight(arrays, numNodes), nodeIds = readNodeIds(arrays, numNodes);
  const splits = readSplits(arrays, numNodes, notes);
  const left = arrays.unread();
  if (left.length) notes.push(`left out: ${left.join(", ")}`);
  return {
    features,
    labels,
    classNames: classNames ?? undefined,
    splits,
    nodeNames: names ? packNames(names) : undefined,
    nodeWeight,
    nodeIds,
    notes,
  };
}

/** Arrays with one row per node, in the order in which they are asked for their number. */
const PER_NODE = ["x", "feat", "y", "label", "train_mask", "val_mask", "test_mask", "pos"];

function numNodesOf(arrays: Arrays, options: ReadOptions): number | null {
  if (arrays.has("num_nodes")) {
    const [count] = arrays.as("num_nodes", arrays.numbers("num_nodes"), "I64").data.toNumbers();
    if (count === undefined || count < 0) throw arrays.error("num_nodes holds no count");
    return count;
  }
  const name = PER_NODE.find((known) => arrays.has(known));
  return name === undefined ? options.numNodes ?? null : arrays.numbers(name).shape[0] ?? 0;
}

/** A column of the edges: one row for each. */
function perEdge(arrays: Arrays, name: string, count: number): Shaped | null {
  if (!arrays.has(name)) return null;
  const stored = arrays.numbers(name);
  if (stored.shape[0] !== count) {
    throw arrays.error(`${name} has ${stored.shape[0] ?? 0} rows, expected one per edge (${count})`);
  }
  arrays.checkFinite(name, stored);
  return stored;
}

/** A vector, or a matrix of one column. */
function oneColumn(arrays: Arrays, name: string, stored: Shaped): Shaped {
  if (stored.shape.length > 2 || (stored.shape[1] ?? 1) !== 1) {
    throw arrays.error(`${name} has shape (${stored.shape.join(", ")}), expected one number per edge`);
  }
  return stored;
}

function timeColumn(arrays: Arrays, stored: Shaped): EdgeColumns["time"] {
  const isReal = stored.data.dtype === "F32" || stored.data.dtype === "F64";
  return isReal ? arrays.as("edge_time", stored, "F64").data : arrays.as("edge_time", stored, "I64").data;
}

function edgeColumns(arrays: Arrays, count: number): EdgeColumns | undefined {
  const attr = perEdge(arrays, "edge_attr", count);
  const type = perEdge(arrays, "edge_type", count), time = perEdge(arrays, "edge_time", count);
  if (!attr && !type && !time) return undefined;
  let feat: EdgeColumns["feat"];
  if (attr) {
    if (attr.shape.length > 2) {
      throw arrays.error(`edge_attr has shape (${attr.shape.join(", ")}), expected (E, d)`);
    }
    feat = { columns: attr.shape[1] ?? 1, array: arrays.float32("edge_attr", attr).data };
  }
  const types = type && arrays.as("edge_type", oneColumn(arrays, "edge_type", type), "I32");
  if (types) arrays.checkRange("edge_type", types, 2 ** 31 - 1);
  return {
    feat,
    type: types?.data,
    time: time ? timeColumn(arrays, oneColumn(arrays, "edge_time", time)) : undefined,
  };
}

/** Real numbers in `y` are to be predicted; whole ones, and zeros and ones per class, are labels. */
function realTarget(arrays: Arrays): RawTarget | undefined {
  if (!arrays.has("y")) return undefined;
  const stored = arrays.numbers("y");
  if (!["F16", "F32", "F64"].includes(stored.data.dtype)) return undefined;
  const columns = stored.shape[1] ?? 1;
  const values = arrays.as("y", stored, "F64").data;
  const isLabels = columns > 1 && values.window().every((x) => x === 0 || x === 1);
  if (isLabels) return undefined;
  arrays.checkFinite("y", stored);
  return { columns, array: stored.data.dtype === "F64" ? values : arrays.float32("y", stored).data };
}

function positions(arrays: Arrays, numNodes: number): RawGraph["pos"] {
  const pos = arrays.numbers("pos");
  if (pos.shape[0] !== numNodes || pos.shape[1] !== 3) {
    throw arrays.error(`pos has shape (${pos.shape.join(", ")}), expected (${numNodes}, 3)`);
  }
  arrays.checkFinite("pos", pos);
  return pos.data.dtype === "F64" ? arrays.as("pos", pos, "F64").data : arrays.float32("pos", pos).data;
}

/** The graph of arrays around `edge_index`. @throws {GustError} (data) naming array and index. */
export function readEdgeIndex(arrays: Arrays, options: ReadOptions): RawGraph {
  const numNodes = numNodesOf(arrays, options);
  const edges = edgesOf(arrays, "edge_index", numNodes, "(2, E)");
  const weights = perEdge(arrays, "edge_weight", edges.count);
  if (weights) {
    edges.setWeights(arrays.as("edge_weight", oneColumn(arrays, "edge_weight", weights), "F64").data);
  }
  const columns = edgeColumns(arrays, edges.count);
  const n = numNodes ?? edges.maxId + 1;
  const target = realTarget(arrays);
  const pos = arrays.has("pos") ? positions(arrays, n) : undefined;
  const nodes = nodeParts(arrays, n, target === undefined);
  if (numNodes === null) {
    nodes.notes.push(
      `no array tells the number of nodes: taken as the largest id + 1 (${n}); --num-nodes N says it`,
    );
  }
  return {
    ...nodes,
    target,
    pos,
    edges,
    edgeColumns: columns,
    numNodes,
    isUndirected: false,
    isWeighted: weights !== null && !edges.hasUnitWeights,
  };
}
