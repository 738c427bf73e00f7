/** For tests of generated graphs: one entry's graph as plain arrays, its edge list, and the reference for both. */
import { buildDocument, type Document } from "../../../core/format/document.ts";
import { edgeListText } from "../../../core/generate/edge_list.ts";
import { generateGraph } from "../../../core/generate/graph.ts";
import { generators } from "../../../core/generate/mod.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { openNative } from "../../../ffi/native.ts";

await openNative();

export interface Made {
  readonly document: Document;
  readonly graph: Graph;
  /** rows[v] = in-neighbours of v. */
  readonly rows: number[][];
  readonly duplicates: number;
  readonly selfLoops: number;
}

/** Options of an entry with its defaults filled in. */
export function resolve(name: string, params: Record<string, unknown>): Record<string, unknown> {
  return generators.get(name).params.parse(params);
}

export function make(name: string, params: Record<string, unknown>, seed = 0): Made {
  const made = generateGraph(generators.get(name), resolve(name, params), seed, []);
  const document = buildDocument(made.document);
  const graph = new Graph(document);
  return { document, graph, rows: rowsOf(graph), duplicates: made.duplicates, selfLoops: made.selfLoops };
}

function rowsOf(graph: Graph): number[][] {
  const indptr = graph.csr.indptr.toNumbers(), indices = graph.csr.indices.toNumbers();
  return Array.from({ length: graph.numNodes }, (_, v) => indices.slice(indptr[v], indptr[v + 1]));
}

/** The edges [from, to] in the order in which the counter gives them. */
export function edges(name: string, params: Record<string, unknown>, seed = 0): [number, number][] {
  const generator = generators.get(name).open(resolve(name, params), seed);
  let text = "";
  for (const piece of edgeListText(generator)) text += new TextDecoder().decode(piece.text.window());
  return text.split("\n").slice(0, -1).map((line) => line.split(" ").map(Number) as [number, number]);
}

/** The adjacency of an edge list by the plainest means: row = destination, ascending, without duplicates. */
export function rowsFromEdges(
  n: number,
  list: readonly (readonly [number, number])[],
  directed: boolean,
): number[][] {
  const rows = Array.from({ length: n }, () => new Set<number>());
  for (const [from, to] of list) {
    rows[to]!.add(from);
    if (!directed) rows[from]!.add(to);
  }
  return rows.map((row) => [...row].sort((a, b) => a - b));
}

/** Pairs {u, v} with u < v. */
export function pairs(rows: readonly (readonly number[])[]): [number, number][] {
  return rows.flatMap((row, v) => row.filter((u) => u < v).map((u) => [u, v] as [number, number]));
}
