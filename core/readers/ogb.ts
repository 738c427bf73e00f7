/**
 * The CSV layout of the Open Graph Benchmark: raw/edge.csv, num-node-list.csv, num-edge-list.csv, node-feat.csv,
 * edge-feat.csv, node-label.csv, graph-label.csv, node_year.csv, and split/NAME/{train,valid,test}.csv; gz or not. No
 * file has a header. One graph with node labels, or many graphs with graph labels; node numbers begin at 0 in each
 * graph.
 *
 * Edges are arcs as they are listed: the layout does not say which data sets mean undirected edges (--symmetrize).
 * Source: Hu et al. 2020, "Open Graph Benchmark", arXiv:2005.00687, and the loader of its Python package.
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { convert } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { SplitName } from "../graph/graph.ts";
import type { InputFile, InputSet } from "./input.ts";
import { foldMasks, pointerOf } from "./many.ts";
import { type Matrix, readMatrix, rowError } from "./matrix.ts";
import { refuseNumbering } from "./parts.ts";
import {
  every,
  type RawGraph,
  type RawLabels,
  type RawSplit,
  type Reader,
  type ReadOptions,
} from "./reader.ts";

const params = z.object({
  split: z.string().optional().describe("folder of split/ to read, where there are several").meta({
    value: "NAME",
  }),
}).strict();

const EDGES = /(^|\/)edge\.csv(\.gz|\.zst)?$/;
const SPLIT = /(^|\/)split\/([^/]+)\/(train|valid|test)\.csv(\.gz|\.zst)?$/;
const LARGEST = 2 ** 31 - 2;
/** A label above it is a quantity and no class. */
const MOST_CLASSES = 100_000;

/** The folder of the one edge.csv with num-node-list.csv beside it, as "raw/" or ""; null: none, or several. */
function folderOf(input: InputSet): string | null {
  const edges = input.find(EDGES);
  const folder = edges[0]?.name.replace(/edge\.csv(\.gz|\.zst)?$/, "");
  return edges.length === 1 && fileOf(input, folder!, "num-node-list") ? folder! : null;
}

function fileOf(input: InputSet, folder: string, part: string): InputFile | undefined {
  const names = ["", ".gz", ".zst"].map((packed) => `${folder}${part}.csv${packed}`);
  return input.files.find(({ name }) => names.includes(name));
}

/** Add to each graph's node numbers the nodes in front of it, edge by edge, as num-edge-list.csv counts them. */
function joinGraphs(pairs: Matrix<"I32">, nodes: Int32Array, edges: Int32Array, counts: Matrix<"I32">): void {
  let row = 0, first = 0;
  edges.forEach((count, graph) => {
    const size = nodes[graph]!;
    if (row + count > pairs.rows) {
      throw rowError(
        counts,
        graph,
        `the graphs up to here have ${row + count} edges, but edge.csv lists ${pairs.rows}`,
      );
    }
    // The bounds of a single graph were checked line by line, and it begins at 0.
    const ends = edges.length === 1 ? null : pairs.array.window(2 * row, 2 * count);
    ends?.forEach((node, i) => {
      if (node >= size) {
        throw rowError(
          pairs,
          row + (i >> 1),
          `node ${node} of graph ${graph} is out of range, expected 0 to ${size - 1}`,
        );
      }
      ends[i] = node + first;
    });
    row += count;
    first += size;
  });
  if (row < pairs.rows) {
    throw rowError(
      pairs,
      row,
      `the row behind the ${row} edges of all graphs, expected ${row} rows by num-edge-list.csv`,
    );
  }
}

/** Labels that are classes; null if they are quantities. -1 and nan are "none". */
function classesOf({ array, rows, columns }: Matrix<"F32">): (RawLabels & { kind: "single" }) | null {
  if (columns !== 1) return null;
  let numClasses = 0;
  const areClasses = every(array, (x) => {
    if (x >= numClasses) numClasses = x + 1;
    return Number.isNaN(x) || (Number.isInteger(x) && x >= -1 && x < MOST_CLASSES);
  });
  if (!areClasses) return null;
  const labels = NativeArray.allocate("I32", rows, false);
  const to = labels.window(0, rows);
  array.window(0, rows).forEach((x, i) => to[i] = Number.isNaN(x) ? -1 : x);
  return { kind: "single", numClasses, array: labels };
}

/** Several columns of 0 and 1: several labels at once; null otherwise. */
function multiOf({ array, columns }: Matrix<"F32">): RawLabels | null {
  if (columns < 2 || !every(array, (x) => x === 0 || x === 1)) return null;
  const labels = NativeArray.allocate("U8", array.length, false);
  labels.window(0, array.length).set(array.window(0, array.length));
  return { kind: "multi", numClasses: columns, array: labels };
}

/** Quantities to predict: none may be missing. */
function targetOf(table: Matrix<"F32">): { columns: number; array: NativeArray<"F32"> } {
  const { array, columns } = table;
  every(array, (x, i) => {
    if (!Number.isNaN(x)) return true;
    throw rowError(table, Math.floor(i / columns), "a missing value among several, expected all of them");
  });
  return { columns, array };
}

/** The files of one split by part. */
function splitFiles(input: InputSet, folder: string, wanted: string | undefined) {
  const root = folder.replace(/raw\/$/, "");
  const found = new Map<string, Partial<Record<SplitName, InputFile>>>();
  for (const file of input.files) {
    const match = file.name.startsWith(root) ? SPLIT.exec(file.name) : null;
    if (!match) continue;
    const name = match[2]!, part = match[3] === "valid" ? "val" : match[3] as SplitName;
    found.set(name, { ...found.get(name), [part]: file });
  }
  const names = [...found.keys()];
  if (wanted !== undefined && !found.has(wanted)) {
    throw new GustError("usage", `--split ${wanted}: the data set has ${names.join(", ") || "no split"}`);
  }
  if (wanted === undefined && names.length > 1) {
    throw new GustError(
      "usage",
      `${input.label} has several splits: ${names.join(", ")}`,
      "--split NAME chooses one",
    );
  }
  const name = wanted ?? names[0];
  return { name, files: name === undefined ? {} : found.get(name)! };
}

/** Node lists of the parts, ascending. */
function nodeSplits(
  files: Partial<Record<SplitName, InputFile>>,
  numNodes: number,
): Partial<Record<SplitName, RawSplit>> {
  const owner = new Map<number, string>();
  return Object.fromEntries(
    Object.entries(files).map(([part, file]) => {
      const list = readMatrix(file, "I32", { title: "node number", columns: 1, low: 0, high: numNodes - 1 });
      const nodes = list.array.window(0, list.rows);
      nodes.forEach((node, row) => {
        const other = owner.get(node);
        if (other !== undefined) {
          const where = other === file.name ? "twice" : `in ${other} too`;
          throw rowError(list, row, `node ${node} is listed ${where}, expected disjoint parts`);
        }
        owner.set(node, file.name);
      });
      return [part, { kind: "list", nodes: BigInt64Array.from(nodes.toSorted(), BigInt) }];
    }),
  );
}

function read(input: InputSet, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const p = params.parse(given);
  refuseNumbering(options, "the OGB layout: num-node-list.csv counts the nodes, from 0");
  const folder = folderOf(input);
  if (folder === null) {
    throw new GustError(
      "data",
      `${input.label}: no edge.csv with num-node-list.csv beside it, expected one data set in the OGB layout`,
    );
  }
  const asked = new Set<InputFile>();
  const part = (name: string) => {
    const file = fileOf(input, folder, name);
    if (file) asked.add(file);
    return file;
  };
  const counted = (name: string, title: string, rows?: number) => {
    const file = part(name);
    return file
      ? readMatrix(file, "I32", { title, columns: 1, low: 0, high: LARGEST, rows, per: "one per graph" })
      : null;
  };
  const nodeCounts = counted("num-node-list", "number of nodes")!;
  const sizes = nodeCounts.array.window(0, nodeCounts.rows), numGraphs = sizes.length;
  const edgeCounts = counted("num-edge-list", "number of edges", numGraphs);
  const numNodes = sizes.reduce((a, b) => a + b, 0);
  const pairs = readMatrix(part("edge")!, "I32", {
    title: "node number",
    columns: 2,
    low: 0,
    high: Math.max(...sizes, 1) - 1,
  });
  if (edgeCounts) {
    joinGraphs(pairs, sizes, edgeCounts.array.window(0, numGraphs), edgeCounts);
  } else if (numGraphs > 1) {
    throw new GustError("data", `${input.label}: no num-edge-list.csv, expected it for ${numGraphs} graphs`);
  }
  const reals = (name: string, title: string, rows: number, per: string, mayMiss = false) => {
    const file = part(name);
    return file ? readMatrix(file, "F32", { title, rows, per, mayMiss }) : null;
  };
  const feat = reals("node-feat", "feature", numNodes, "one per node");
  const edgeFeat = reals("edge-feat", "edge feature", pairs.rows, "one per edge");
  const nodeLabel = reals("node-label", "node label", numNodes, "one per node", true);
  const graphLabel = reals("graph-label", "graph label", numGraphs, "one per graph", true);
  const yearFile = part("node_year");
  const year = yearFile &&
    readMatrix(yearFile, "I32", { title: "year", columns: 1, rows: numNodes, per: "one per node" });
  const isMany = numGraphs !== 1 || graphLabel !== null;
  const { name: splitName, files } = splitFiles(input, folder, p.split);
  const left = input.files.filter((file) =>
    file.name.startsWith(folder) && !asked.has(file) && !SPLIT.test(file.name)
  )
    .map(({ name }) => name);
  const labels = nodeLabel ? classesOf(nodeLabel) ?? multiOf(nodeLabel) : null;
  const classes = graphLabel && classesOf(graphLabel);
  return {
    edges: EdgeList.fromPairs(pairs.array),
    numNodes,
    isUndirected: false,
    isWeighted: false,
    edgeColumns: edgeFeat ? { feat: edgeFeat } : undefined,
    features: feat ? { kind: "dense", numFeatures: feat.columns, array: feat.array } : undefined,
    labels: labels ?? undefined,
    target: nodeLabel && !labels ? targetOf(nodeLabel) : undefined,
    nodeTime: year ? convert(year.array, "I64") as NativeArray<"I64"> : undefined,
    splits: isMany ? undefined : nodeSplits(files, numNodes),
    graphs: isMany
      ? {
        ptr: pointerOf(sizes),
        label: classes?.array,
        numClasses: classes?.numClasses,
        target: graphLabel && !classes ? targetOf(graphLabel) : undefined,
        folds: splitName === undefined ? undefined : foldMasks(
          Object.fromEntries(Object.entries(files).map(([part, file]) => [part, [file]])),
          numGraphs,
        ),
      }
      : undefined,
    notes: [
      ...(splitName === undefined ? [] : [`split "${splitName}"`]),
      ...(left.length ? [`left out: ${left.join(", ")}`] : []),
    ],
    found: splitName === undefined ? {} : { split: splitName },
  };
}

export const ogb: Reader = {
  name: "ogb",
  summary: "Open Graph Benchmark's CSV layout, a folder: raw/edge.csv.gz, num-node-list.csv.gz, ..., split/",
  source: "Hu et al. 2020, arXiv:2005.00687",
  params,
  sniff: (input) => folderOf(input) !== null,
  read,
};
