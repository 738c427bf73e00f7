/** The numbers that a partition is judged by, each by a name: `gust eval PARTITION GRAPH --metric NAME`. */
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import { type Entry, registry } from "../registry.ts";
import { requireNodeParts } from "./edges.ts";
import { type PartitionStatistics, statistics } from "./statistics.ts";

export interface PartitionMetric extends Entry {
  /** null where the graph lacks what it counts. */
  value(s: PartitionStatistics): number | null;
}

const metric = (
  name: string,
  summary: string,
  source: string,
  value: PartitionMetric["value"],
): PartitionMetric => ({ name, summary, source, value });

const METIS = "Karypis and Kumar 1998";

export const partitionMetrics = registry<PartitionMetric>("partition metric", [
  metric("cut", "edges between parts, each undirected edge once", METIS, (s) => s.cut),
  metric("cut-weight", "weight of the edges between parts", METIS, (s) => s.cut_weight ?? null),
  metric(
    "volume",
    "communication volume: sum over parts of the distinct neighbours outside (halo)",
    METIS,
    (s) => s.halo,
  ),
  metric("balance", "nodes of the largest part over ceil(nodes / k)", METIS, (s) => s.balance),
  metric(
    "balance-edges",
    "the same of stored entries in the rows of a part",
    "gust",
    (s) => s.balances.edges,
  ),
  metric("balance-train", "the same of training nodes", "gust", (s) => s.balances.train ?? null),
  metric("balance-features", "the same of stored features", "gust", (s) => s.balances.features ?? null),
  metric(
    "replication",
    "nodes that the parts hold with their halos, over those of the graph",
    "gust",
    (s) => s.replication,
  ),
  metric(
    "block-density",
    "share of the stored entries in the diagonal blocks",
    "Chiang et al. 2019, arXiv:1905.07953, section 3.1",
    (s) => s.block_density,
  ),
  metric(
    "label-entropy",
    "mean over parts of the entropy of their labels, in nats",
    "Chiang et al. 2019, arXiv:1905.07953, figure 2",
    (s) => s.label_entropy,
  ),
]);

/**
 * Count anew what a partition is worth on its graph.
 * @throws {GustError} (mismatch) for a partition of another graph or of edges, (data) for arcs that lead outside;
 * @throws {NativeError} (data) for parts out of range.
 */
export function evaluatePartition(
  graph: Graph,
  partition: Document,
): { readonly statistics: PartitionStatistics; readonly metrics: Record<string, number | null> } {
  requireNodeParts(partition);
  checkMadeFrom(partition, graph.document);
  checkArcs(graph);
  const counted = statistics(graph, partition.tensor("part", "I32"), partition.meta["k"] as number);
  return {
    statistics: counted,
    metrics: Object.fromEntries([...partitionMetrics].map(({ name, value }) => [name, value(counted)])),
  };
}
