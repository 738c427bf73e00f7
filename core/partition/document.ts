/** Partition documents: the parts, the nodes grouped by part in an order, and what the partition is worth. */
import type { NativeArray } from "../../ffi/native.ts";
import { modularity } from "../../ffi/native_communities.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, ProvenanceRecord } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import { orders } from "../order/mod.ts";
import type { OrderEntry } from "../order/order.ts";
import { explained } from "./explain.ts";
import type { PartitionerEntry, PartitionRequest } from "./partitioner.ts";
import { type PartitionStatistics, partSizes, statistics } from "./statistics.ts";

export interface PartitionMeta extends PartitionStatistics {
  readonly k: number;
  readonly method: string;
  /** How the nodes of each part are ordered. */
  readonly order: string;
  readonly num_nodes: number;
  /** At the resolution of the method (1 where it has none), of methods that find the parts. */
  readonly modularity?: number;
  readonly graph: string;
}

/** An order of nodes and its own options. */
export interface ChosenOrder {
  readonly entry: OrderEntry;
  readonly params: Record<string, unknown>;
}
const usualOrder: ChosenOrder = { entry: orders.get("partition"), params: {} };

/** Where the nodes of each part begin in the order, and where the last one ends. */
function pointerOf(sizes: Float64Array): BigInt64Array {
  const ptr = new BigInt64Array(sizes.length + 1);
  sizes.forEach((size, p) => ptr[p + 1] = ptr[p]! + BigInt(size));
  return ptr;
}

/** Parts that were found: the highest number and one; 1 of no nodes. */
function countParts(part: NativeArray<"I32">): number {
  let most = 0;
  for (let at = 0; at < part.length;) {
    const window = part.window(at, Math.min(part.length - at, 2 ** 24));
    for (const p of window) most = Math.max(most, p);
    at += window.length;
  }
  return most + 1;
}

type PartitionDocument = NewDocument & { readonly meta: PartitionMeta & Record<string, unknown> };

/** The document of given parts. */
function documentOf(
  graph: Graph,
  part: NativeArray<"I32">,
  k: number,
  method: string,
  { entry, params }: ChosenOrder,
  provenance: readonly ProvenanceRecord[],
  modularity?: number,
): PartitionDocument {
  const n = graph.numNodes;
  const meta = {
    k,
    method,
    order: entry.name,
    num_nodes: n,
    ...statistics(graph, part, k),
    ...(modularity === undefined ? {} : { modularity }),
    graph: graph.digest,
  };
  return {
    kind: "partition",
    meta,
    tensors: [
      { name: "part", dtype: "I32", shape: [n], data: part },
      { name: "part_ptr", dtype: "I64", shape: [k + 1], data: pointerOf(partSizes(part, k)) },
      { name: "order", dtype: "I64", shape: [n], data: entry.order(graph, part, k, params) },
    ],
    provenance,
  };
}

/**
 * A partition with the nodes of each part in another order. What it is worth is counted anew.
 * @throws {GustError} (mismatch) for a partition of another graph, (data) for a graph whose arcs lead outside.
 */
export function reorderPartition(
  graph: Graph,
  partition: Document,
  order: ChosenOrder,
  provenance: readonly ProvenanceRecord[],
): PartitionDocument {
  checkMadeFrom(partition, graph.document);
  checkArcs(graph);
  const { k, method } = partition.meta as unknown as PartitionMeta;
  return documentOf(graph, partition.tensor("part", "I32"), k, method, order, provenance);
}

/**
 * Partition a graph.
 *
 * @param order  of the nodes of each part; by default by number.
 * @throws {GustError} (usage) for more parts than nodes, (data) for a graph whose arcs lead outside.
 */
export function partitionDocument(
  graph: Graph,
  partitioner: PartitionerEntry,
  request: PartitionRequest,
  params: Record<string, unknown>,
  provenance: readonly ProvenanceRecord[],
  order: ChosenOrder = usualOrder,
): PartitionDocument {
  const n = graph.numNodes, isFound = partitioner.parts === "found";
  // A graph without nodes has one part, which is empty.
  if (request.k > Math.max(n, 1)) {
    throw new GustError(
      "usage",
      `-k ${request.k}: ${graph.document.label} has ${n} nodes, expected at most as many parts`,
    );
  }
  checkArcs(graph);
  const part = explained(graph, () => partitioner.partition(graph, request, params));
  const k = isFound ? countParts(part) : request.k;
  const resolution = Number(params["resolution"] ?? 1);
  return explained(graph, () => {
    const quality = isFound ? modularity(graph.csr, graph.meta.directed, part, k, resolution) : undefined;
    return documentOf(graph, part, k, partitioner.name, order, provenance, quality);
  });
}
