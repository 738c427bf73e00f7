/**
 * The raw layout of the TU collection: DS_A.txt (a pair of nodes per line, counted from 1), DS_graph_indicator.txt (the
 * graph of each node), and what there is of DS_graph_labels.txt, DS_graph_attributes.txt, DS_node_labels.txt,
 * DS_node_attributes.txt, DS_edge_labels.txt, DS_edge_attributes.txt.
 *
 * Node labels become one-hot sparse features, or stand behind the attributes in dense ones. Edge labels are edge types
 * and edge attributes edge features; with either, parallel arcs stay. Graph attributes are targets.
 * Source: Morris et al. 2020, "TUDataset", arXiv:2007.08663, and its file format description.
 */
import { EdgeList } from "../../ffi/native_build.ts";
import { GustError } from "../errors.ts";
import type { InputFile, InputSet } from "./input.ts";
import { type Classes, classesOf, featuresOf, foldsOf, isFold, pointerOf } from "./many.ts";
import { type Matrix, readMatrix, rowError } from "./matrix.ts";
import type { EdgeColumns, RawGraph, Reader, ReadOptions } from "./reader.ts";

const ARCS = /_A\.txt(\.gz|\.zst)?$/;
const LARGEST = 2 ** 31 - 2;

/** "folder/DS" of the one DS_A.txt with DS_graph_indicator.txt beside it; null: there is none, or more than one. */
function prefixOf(input: InputSet): string | null {
  const arcs = input.find(ARCS);
  const prefix = arcs[0]?.name.replace(ARCS, "");
  return arcs.length === 1 && fileOf(input, prefix!, "graph_indicator") ? prefix! : null;
}

function fileOf(input: InputSet, prefix: string, part: string): InputFile | undefined {
  const names = ["", ".gz", ".zst"].map((packed) => `${prefix}_${part}.txt${packed}`);
  return input.files.find(({ name }) => names.includes(name));
}

/** The values of the columns of a table of integers, column by column. */
function columnsOf({ array, rows, columns }: Matrix<"I32">): Int32Array[] {
  const all = array.window(0, array.length);
  return Array.from({ length: columns }, (_, c) => {
    if (columns === 1) return all;
    return Int32Array.from({ length: rows }, (_, row) => all[row * columns + c]!);
  });
}

/** How many nodes each graph has. @throws {GustError} (data) if nodes of a graph are apart, or graphs are left out. */
function sizesOf(indicator: Matrix<"I32">, base: number, numGraphs: number | null): number[] {
  const sizes: number[] = [];
  const graphs = indicator.array.window(0, indicator.rows);
  graphs.forEach((given, row) => {
    const graph = given - base, last = sizes.length - 1;
    if (graph < last) {
      throw rowError(
        indicator,
        row,
        `graph ${given} after graph ${last + base}, expected the nodes of a graph behind one another`,
      );
    }
    // Graphs that labels are of may be empty.
    if (graph > last + 1 && graph >= (numGraphs ?? 0)) {
      throw rowError(
        indicator,
        row,
        `graph ${given} after graph ${last + base}, expected no gap between graphs`,
      );
    }
    while (sizes.length <= graph) sizes.push(0);
    sizes[graph]!++;
  });
  while (sizes.length < (numGraphs ?? 0)) sizes.push(0);
  return sizes;
}

/** The arcs from 0, each inside its graph. */
function arcsOf(pairs: Matrix<"I32">, indicator: Matrix<"I32">, base: number): EdgeList {
  const graphs = indicator.array.window(0, indicator.rows);
  const step = 1 << 26;
  for (let from = 0; from < pairs.rows; from += step) {
    const ends = pairs.array.window(2 * from, 2 * Math.min(step, pairs.rows - from));
    for (let i = 0; i < ends.length; i += 2) {
      const u = ends[i]! -= base, v = ends[i + 1]! -= base;
      if (graphs[u] === graphs[v]) continue;
      throw rowError(
        pairs,
        from + i / 2,
        `the edge ${u + base}, ${v + base} joins graphs ${graphs[u]} and ${
          graphs[v]
        }, expected both ends in one graph`,
      );
    }
  }
  return EdgeList.fromPairs(pairs.array);
}

function read(input: InputSet, options: ReadOptions): RawGraph {
  if (options.numNodes !== undefined) {
    throw new GustError(
      "usage",
      "--num-nodes does not apply to this format: DS_graph_indicator.txt lists the nodes",
    );
  }
  const prefix = prefixOf(input);
  if (prefix === null) {
    throw new GustError(
      "data",
      `${input.label}: no DS_A.txt with DS_graph_indicator.txt beside it, expected one data set in the TU layout`,
    );
  }
  const base = options.indexBase ?? 1;
  const part = (name: string) => fileOf(input, prefix, name);
  const indicator = readMatrix(part("graph_indicator")!, "I32", {
    title: "graph number",
    columns: 1,
    low: base,
    high: LARGEST,
  });
  const numNodes = indicator.rows, perNode = { rows: numNodes, per: "one per node" };
  const pairs = readMatrix(part("A")!, "I32", {
    title: "node number",
    columns: 2,
    low: base,
    high: numNodes - 1 + base,
    hints: [[
      /"0" is out of range/,
      "nodes count from 1 in this layout; --index-base 0 reads one that counts from 0",
    ]],
  });
  const perEdge = { rows: pairs.rows, per: "one per line of " + part("A")!.name };

  const labelFile = part("graph_labels"), targetFile = part("graph_attributes");
  const graphLabels = labelFile && readMatrix(labelFile, "I32", { title: "graph label", columns: 1 });
  const targets = targetFile && readMatrix(targetFile, "F32", { title: "graph attribute" });
  const sizes = sizesOf(indicator, base, graphLabels?.rows ?? targets?.rows ?? null);
  for (const table of [graphLabels, targets]) {
    if (table && table.rows !== sizes.length) {
      throw rowError(
        table,
        Math.min(table.rows, sizes.length),
        `${table.rows} rows, expected one per graph (${sizes.length})`,
      );
    }
  }
  const integers = (name: string, title: string, size: { rows: number; per: string }): Classes[] => {
    const file = part(name);
    return file
      ? columnsOf(readMatrix(file, "I32", { title, ...size })).map((values) => classesOf(values))
      : [];
  };
  const reals = (name: string, title: string, size: { rows: number; per: string }) => {
    const file = part(name);
    return file ? readMatrix(file, "F32", { title, ...size }) : null;
  };
  const tags = integers("node_labels", "node label", perNode);
  const edgeLabels = integers("edge_labels", "edge label", perEdge);
  if (edgeLabels.length > 1) {
    throw new GustError(
      "data",
      `${part("edge_labels")!.label}: ${edgeLabels.length} columns, expected one label per edge`,
    );
  }
  const [types] = edgeLabels;
  const edgeColumns: EdgeColumns = {
    type: types?.array,
    feat: reals("edge_attributes", "edge attribute", perEdge) ?? undefined,
  };
  const labels = graphLabels && classesOf(graphLabels.array.window(0, graphLabels.rows));
  const known = new Set(
    [
      "A",
      "graph_indicator",
      "graph_labels",
      "graph_attributes",
      "node_labels",
      "node_attributes",
      "edge_labels",
    ]
      .concat("edge_attributes").map((name) => part(name)),
  );
  const left = input.files.filter((file) => !known.has(file) && !isFold(file)).map(({ name }) => name);
  return {
    edges: arcsOf(pairs, indicator, base),
    numNodes,
    isUndirected: false,
    isWeighted: false,
    edgeColumns,
    edgeTypeNames: types?.names,
    features: featuresOf(numNodes, tags, reals("node_attributes", "node attribute", perNode)),
    classNames: labels?.names,
    graphs: {
      ptr: pointerOf(sizes),
      label: labels?.array,
      numClasses: labels?.names.length,
      target: targets && { columns: targets.columns, array: targets.array },
      folds: foldsOf(input.files, sizes.length),
    },
    meta: tags.length === 1 ? { node_tags: tags[0]!.names } : {},
    notes: [
      ...(labels ? [`labels ${labels.names.join(", ")} are classes 0 to ${labels.names.length - 1}`] : []),
      ...(left.length ? [`left out: ${left.join(", ")}`] : []),
    ],
  };
}

export const tu: Reader = {
  name: "tu",
  summary: "raw TU layout, a folder: DS_A.txt, DS_graph_indicator.txt, labels and attributes",
  source: "Morris et al. 2020, arXiv:2007.08663",
  sniff: (input) => prefixOf(input) !== null,
  read,
};
