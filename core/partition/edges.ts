/** Documents of partitions of edges, where a node is in every part that one of its edges is in. */
import { GustError } from "../errors.ts";
import type { Document, NewDocument, ProvenanceRecord } from "../format/document.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import { type EdgePartitionStatistics, edgePartitionStatistics } from "./edge_statistics.ts";
import { explained } from "./explain.ts";
import type { PartitionerEntry, PartitionRequest } from "./partitioner.ts";

export interface EdgePartitionMeta extends EdgePartitionStatistics {
  readonly of: "edges";
  readonly k: number;
  readonly method: string;
  readonly num_nodes: number;
  /** Stored arcs. */
  readonly num_edges: number;
  readonly graph: string;
}

/**
 * Partition a graph's edges: tensor edge_part, [e], in the order of the graph's indices.
 * @throws {GustError} (usage) for more parts than stored edges, (data) for a graph whose arcs lead outside.
 */
export function edgePartitionDocument(
  graph: Graph,
  partitioner: PartitionerEntry,
  request: PartitionRequest,
  params: Record<string, unknown>,
  provenance: readonly ProvenanceRecord[],
): NewDocument & { readonly meta: EdgePartitionMeta & Record<string, unknown> } {
  const { k } = request, { csr } = graph, arcs = csr.indices.length;
  // A graph without edges has one part, which is empty.
  if (k > Math.max(arcs, 1)) {
    throw new GustError(
      "usage",
      `-k ${k}: ${graph.document.label} stores ${arcs} edges, expected at most as many parts`,
    );
  }
  checkArcs(graph);
  const part = explained(graph, () => partitioner.partition(graph, request, params));
  const meta = {
    of: "edges" as const,
    k,
    method: partitioner.name,
    num_nodes: graph.numNodes,
    num_edges: arcs,
    ...edgePartitionStatistics(graph, part, k),
    graph: graph.digest,
  };
  const tensors = [{ name: "edge_part", dtype: "I32" as const, shape: [arcs], data: part }];
  return { kind: "partition", meta, tensors, provenance };
}

/**
 * Refuse a partition of edges where nodes must be in one part.
 * @throws {GustError} (mismatch)
 */
export function requireNodeParts(partition: Document): void {
  if (partition.meta["of"] !== "edges") return;
  throw new GustError(
    "mismatch",
    `${partition.label} is a partition of edges (${partition.meta["method"]}), expected one of nodes`,
    'make one with a method of nodes, such as "gust partition GRAPH -k 32 --method multilevel"',
  );
}
