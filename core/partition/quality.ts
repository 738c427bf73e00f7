/** The numbers that a partition is judged by, each by a name: `gust eval PARTITION GRAPH --metric NAME`. */
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import { type Entry, type Registry, registry } from "../registry.ts";
import { type EdgePartitionStatistics, edgePartitionStatistics } from "./edge_statistics.ts";
import { type PartitionStatistics, statistics } from "./statistics.ts";

export interface PartitionMetric<S> extends Entry {
  /** null where the graph lacks what it counts. */
  value(s: S): number | null;
}

const define = <S>() =>
(
  name: string,
  summary: string,
  source: string,
  value: PartitionMetric<S>["value"],
): PartitionMetric<S> => ({ name, summary, source, value });
const metric = define<PartitionStatistics>(), edgeMetric = define<EdgePartitionStatistics>();

const METIS = "Karypis and Kumar 1998";

export const partitionMetrics = registry<PartitionMetric<PartitionStatistics>>("partition metric", [
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

export const edgePartitionMetrics = registry<PartitionMetric<EdgePartitionStatistics>>(
  "edge partition metric",
  [
    edgeMetric(
      "replication",
      "mean number of parts that a node with edges is in",
      "Gonzalez et al. 2012, OSDI (PowerGraph)",
      (s) => s.replication_factor,
    ),
    edgeMetric("mirrors", "copies of nodes beside the first", "Gonzalez et al. 2012, OSDI", (s) => s.mirrors),
    edgeMetric("cut-nodes", "nodes in several parts", "gust", (s) => s.cut_nodes),
    edgeMetric(
      "balance",
      "edges of the largest part over ceil(edges / k)",
      "Petroni et al. 2015, CIKM",
      (s) => s.balance,
    ),
    edgeMetric("balance-nodes", "the same of the nodes that they touch", "gust", (s) => s.balances.nodes),
  ],
);

const isOfEdges = (partition: Document) => partition.meta["of"] === "edges";

/** The metrics that a partition has, the usual one first. */
export const metricsOf = (partition: Document) =>
  isOfEdges(partition) ? edgePartitionMetrics : partitionMetrics;

/** What was counted, and each metric of it by name. */
export interface EvaluatedPartition {
  readonly statistics: PartitionStatistics | EdgePartitionStatistics;
  readonly metrics: Readonly<Record<string, number | null>>;
}

/**
 * Count anew what a partition of nodes or edges is worth on its graph.
 * @throws {GustError} (mismatch) for a partition of another graph, (data) for arcs that lead outside;
 * @throws {NativeError} (data) for parts out of range, and for an undirected edge whose arcs are in two parts.
 */
export function evaluatePartition(graph: Graph, partition: Document): EvaluatedPartition {
  checkMadeFrom(partition, graph.document);
  checkArcs(graph);
  const k = partition.meta["k"] as number;
  return isOfEdges(partition)
    ? valued(edgePartitionMetrics, edgePartitionStatistics(graph, partition.tensor("edge_part", "I32"), k))
    : valued(partitionMetrics, statistics(graph, partition.tensor("part", "I32"), k));
}

function valued<S extends EvaluatedPartition["statistics"]>(
  metrics: Registry<PartitionMetric<S>>,
  statistics: S,
): EvaluatedPartition {
  return {
    statistics,
    metrics: Object.fromEntries([...metrics].map(({ name, value }) => [name, value(statistics)])),
  };
}
