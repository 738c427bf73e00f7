/** Documents of partitions of edges, where a node is in every part that one of its edges is in. */
import { edgeStatistics } from "../../ffi/native_edges.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, ProvenanceRecord } from "../format/document.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { PartitionerEntry, PartitionRequest } from "./partitioner.ts";

export interface EdgePartitionMeta {
  readonly of: "edges";
  readonly k: number;
  readonly method: string;
  readonly num_nodes: number;
  /** Stored arcs. */
  readonly num_edges: number;
  /** Edges of the largest part over ceil(edges / k), an undirected edge counted once. */
  readonly balance: number;
  /** Mean number of parts that a node with edges is in; 0 without edges. */
  readonly replication_factor: number;
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
  const part = partitioner.partition(graph, request, params);
  const { edges, largest, replicas, nodes } = edgeStatistics(csr, graph.meta.directed, part, k);
  const meta = {
    of: "edges" as const,
    k,
    method: partitioner.name,
    num_nodes: graph.numNodes,
    num_edges: arcs,
    balance: largest / Math.max(1, Math.ceil(edges / k)),
    replication_factor: replicas / Math.max(1, nodes),
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
