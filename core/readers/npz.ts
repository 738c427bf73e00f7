/**
 * NumPy archives in the layouts of the graph learning literature, found by the names of their arrays:
 *
 * A   `adj_indptr adj_indices adj_data adj_shape` (CSR, row = source), `attr_...` (CSR features) or dense `attr`,
 *     `labels`, `train_idx val_idx test_idx`, `class_names`, `node_names`. With `adj_matrix.indptr` and so on too.
 *     The graph is stored as it is: directed where it is asymmetric.
 * A'  as A with several labels per node: `label_indptr label_indices label_data label_shape`.
 * B   `edges` (E, 2), each undirected edge once, `node_features` (n, F), `node_labels`, `train_masks val_masks
 *     test_masks` (splits, n). --directed takes the edges as arcs.
 *
 * Every array is checked: bounds, lengths, finite values, disjoint splits; what is wrong is named by array and index.
 * Source: Shchur et al. 2018, arXiv:1811.05868 (A); Platonov et al. 2023, arXiv:2302.11640 (B).
 */
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import { splitNames } from "../graph/graph.ts";
import { Arrays } from "./npz_arrays.ts";
import { readFeatures, readLabels, readSplits } from "./npz_nodes.ts";
import { dataError, fileReader, type RawGraph, type ReadOptions } from "./reader.ts";

/** How the parts of the CSR matrix `adj` may be called. */
const SPELLINGS = ["adj_", "adj_matrix.", "adj_matrix_"];

function refuseIndexBase(options: ReadOptions): void {
  if (options.indexBase === 1) {
    throw new GustError("usage", "--index-base 1 does not apply to npz files: arrays count from 0");
  }
}

function readA(arrays: Arrays, adjacency: string): RawGraph {
  const csr = arrays.csr(adjacency);
  if (csr.numRows !== csr.numCols) {
    throw arrays.error(
      `${adjacency}shape is (${csr.numRows}, ${csr.numCols}), expected as many rows as columns`,
    );
  }
  const edges = EdgeList.fromCsr(csr);
  return {
    ...nodeParts(arrays, csr.numRows),
    edges,
    numNodes: csr.numRows,
    isUndirected: false,
    isWeighted: !edges.hasUnitWeights,
  };
}

function readB(arrays: Arrays, options: ReadOptions): RawGraph {
  const edges = arrays.indices("edges");
  const [count, two] = edges.shape as [number, number];
  const isWide = two !== 2 && count === 2;
  if (edges.shape.length !== 2 || (two !== 2 && count !== 2)) {
    throw arrays.error(`edges has shape (${edges.shape.join(", ")}), expected (E, 2)`);
  }
  const labelled = ["node_labels", "node_features"].find((name) => arrays.has(name));
  const numNodes = labelled ? arrays.numbers(labelled).shape[0] ?? 0 : options.numNodes;
  if (numNodes === undefined) {
    throw arrays.error(
      "neither node_labels nor node_features tells the number of nodes",
      "say it with --num-nodes",
    );
  }
  arrays.checkRange("edges", edges, numNodes);
  const half = edges.data.length / 2;
  const list = isWide
    ? EdgeList.fromArrays(edges.data.slice(0, half), edges.data.slice(half, half))
    : EdgeList.fromPairs(edges.data);
  const notes = options.directed
    ? []
    : ["every edge stands for both directions; --directed takes them as arcs"];
  const nodes = nodeParts(arrays, numNodes);
  return {
    ...nodes,
    edges: list,
    numNodes,
    isUndirected: !options.directed,
    isWeighted: false,
    notes: [...notes, ...nodes.notes],
  };
}

/** What both layouts tell of the nodes. */
function nodeParts(
  arrays: Arrays,
  numNodes: number,
): Omit<RawGraph, "edges" | "numNodes" | "isUndirected" | "isWeighted"> {
  const notes: string[] = [];
  const classNames = arrays.texts("class_names");
  const labels = readLabels(arrays, numNodes, classNames?.length);
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
  const splits = readSplits(arrays, numNodes, notes);
  const left = arrays.unread();
  if (left.length) notes.push(`left out: ${left.join(", ")}`);
  return {
    features,
    labels,
    classNames: classNames ?? undefined,
    splits,
    nodeNames: names ? packNames(names) : undefined,
    notes,
  };
}

function packNames(names: readonly string[]): NonNullable<RawGraph["nodeNames"]> {
  const encoder = new TextEncoder();
  const parts = names.map((name) => encoder.encode(name));
  const indptr = new BigInt64Array(names.length + 1);
  parts.forEach((part, i) => indptr[i + 1] = indptr[i]! + BigInt(part.length));
  const bytes = new Uint8Array(Number(indptr[names.length]));
  parts.forEach((part, i) => bytes.set(part, Number(indptr[i])));
  return { bytes: NativeArray.from<"U8">(bytes), indptr: NativeArray.from<"I64">(indptr) };
}

function read(source: Source, options: ReadOptions): RawGraph {
  refuseIndexBase(options);
  const arrays = new Arrays(source);
  const adjacency = SPELLINGS.find((prefix) => arrays.has(`${prefix}indptr`));
  if (adjacency) return readA(arrays, adjacency);
  if (arrays.has("edges")) return readB(arrays, options);
  throw dataError(
    source,
    `no graph among the arrays ${
      arrays.names.join(", ") || "(none)"
    }, expected adj_indptr, adj_indices, ... or edges with ` +
      `node_features, node_labels, ${splitNames.map((s) => `${s}_masks`).join(", ")}`,
  );
}

export const npz = fileReader({
  name: "npz",
  summary: "NumPy archive: CSR adjacency (adj_*, attr_*, labels) or edges with node_features and masks",
  source: "Shchur et al. 2018, arXiv:1811.05868; Platonov et al. 2023, arXiv:2302.11640",
  sniff: (source) => {
    const [p, k, a, b] = source.head(4);
    return p === 0x50 && k === 0x4b && ((a === 3 && b === 4) || (a === 5 && b === 6));
  },
  read,
});
