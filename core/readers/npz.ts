/**
 * NumPy archives in the layouts of the graph learning literature, found by the names of their arrays; the third,
 * `edge_index` (2, E) with `x`, `y` and masks, is in edge_index.ts:
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
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { splitNames } from "../graph/graph.ts";
import { edgesOf, nodeParts, readEdgeIndex, refuseIndexBase } from "./edge_index.ts";
import { Arrays } from "./npz_arrays.ts";

import { dataError, fileReader, type RawGraph, type ReadOptions } from "./reader.ts";

/** How the parts of the CSR matrix `adj` may be called. */
const SPELLINGS = ["adj_", "adj_matrix.", "adj_matrix_"];

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
  const labelled = ["node_labels", "node_features"].find((name) => arrays.has(name));
  const numNodes = labelled ? arrays.numbers(labelled).shape[0] ?? 0 : options.numNodes;
  if (numNodes === undefined) {
    throw arrays.error(
      "neither node_labels nor node_features tells the number of nodes",
      "say it with --num-nodes",
    );
  }
  const edges = edgesOf(arrays, "edges", numNodes, "(E, 2)");
  const notes = options.directed
    ? []
    : ["every edge stands for both directions; --directed takes them as arcs"];
  const nodes = nodeParts(arrays, numNodes);
  return {
    ...nodes,
    edges,
    numNodes,
    isUndirected: !options.directed,
    isWeighted: false,
    notes: [...notes, ...nodes.notes],
  };
}

function read(source: Source, options: ReadOptions): RawGraph {
  refuseIndexBase(options, "npz");
  const arrays = new Arrays(source);
  const adjacency = SPELLINGS.find((prefix) => arrays.has(`${prefix}indptr`));
  if (adjacency) return readA(arrays, adjacency);
  if (arrays.has("edges")) return readB(arrays, options);
  if (arrays.has("edge_index")) return readEdgeIndex(arrays, options);
  throw dataError(
    source,
    `no graph among the arrays ${
      arrays.names.join(", ") || "(none)"
    }, expected adj_indptr, adj_indices, ..., or edges with ` +
      `node_features, node_labels, ${
        splitNames.map((s) => `${s}_masks`).join(", ")
      }, or edge_index with x, y`,
  );
}

export const npz = fileReader({
  name: "npz",
  summary:
    "NumPy archive: CSR adjacency (adj_*, attr_*, labels), edges with node_features, or edge_index with x, y",
  source: "Shchur et al. 2018, arXiv:1811.05868; Platonov et al. 2023, arXiv:2302.11640",
  sniff: (source) => {
    const [p, k, a, b] = source.head(4);
    return p === 0x50 && k === 0x4b && ((a === 3 && b === 4) || (a === 5 && b === 6));
  },
  read,
});
