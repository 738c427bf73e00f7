/** What a partition of a graph's edges is worth, where a node is in every part that one of its edges is in. */
import type { NativeArray } from "../../ffi/native.ts";
import { edgeStatistics } from "../../ffi/native_edges.ts";
import type { Graph } from "../graph/graph.ts";
import { balanceOf, extremes } from "./statistics.ts";

export interface EdgePartitionStatistics {
  /** Edges of the largest part over ceil(edges / k), an undirected edge counted once. */
  readonly balance: number;
  /** The same of the nodes that the edges of a part touch. */
  readonly balances: { readonly nodes: number };
  /** Mean number of parts that a node with edges is in; 0 without edges. */
  readonly replication_factor: number;
  /** Copies of nodes beside the first: what has to be kept equal between parts. */
  readonly mirrors: number;
  /** Nodes in several parts. */
  readonly cut_nodes: number;
  /** Edges of the part that has fewest, and of the one that has most; the same of the nodes that they touch. */
  readonly part_edges: readonly [number, number];
  readonly part_nodes: readonly [number, number];
}

/**
 * Count a partition of edges: [e] parts of the stored arcs. The graph's arcs must be inside it (checkArcs).
 * @throws {NativeError} (data) for parts out of range, and for an undirected edge whose arcs are in two parts.
 */
export function edgePartitionStatistics(
  graph: Graph,
  part: NativeArray<"I32">,
  k: number,
): EdgePartitionStatistics {
  const { edges, nodes, touched, cut } = edgeStatistics(graph.csr, graph.meta.directed, part, k);
  const copies = nodes.reduce((a, b) => a + b, 0);
  return {
    balance: balanceOf(edges),
    balances: { nodes: balanceOf(nodes) },
    replication_factor: copies / Math.max(1, touched),
    mirrors: copies - touched,
    cut_nodes: cut,
    part_edges: extremes(edges),
    part_nodes: extremes(nodes),
  };
}
