/** Partition documents: the parts, the nodes grouped by part, and statistics. */
import { NativeArray } from "../../ffi/native.ts";
import { partitionStatistics } from "../../ffi/native_partition.ts";
import { GustError } from "../errors.ts";
import type { NewDocument, ProvenanceRecord } from "../format/document.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { PartitionerEntry, PartitionRequest } from "./partitioner.ts";

export interface PartitionMeta {
  readonly k: number;
  readonly method: string;
  readonly num_nodes: number;
  /** Edges between parts, each undirected edge once. */
  readonly cut: number;
  /** Weight of those edges, where edges have weights. */
  readonly cut_weight?: number;
  /** Heaviest part over ceil(n / k). */
  readonly balance: number;
  /** Sum over parts of distinct neighbours outside. */
  readonly halo: number;
  /** Mean over parts of the entropy of their labels, in nats; null without labels. */
  readonly label_entropy: number | null;
  readonly graph: string;
}

/** Elements per window. */
const PIECE = 2 ** 24;

/** Walk an array through windows. */
function each(array: NativeArray<"I32">, visit: (value: number, i: number) => void): void {
  for (let at = 0; at < array.length;) {
    const window = array.window(at, Math.min(array.length - at, PIECE));
    window.forEach((value, i) => visit(value, at + i));
    at += window.length;
  }
}

/** Nodes grouped by part, ascending inside: part p holds order[ptr[p] .. ptr[p + 1]). */
export function groupByPart(
  part: NativeArray<"I32">,
  k: number,
): { ptr: BigInt64Array; order: NativeArray<"I64"> } {
  const starts = new Float64Array(k + 1);
  each(part, (p) => starts[p + 1]!++);
  for (let p = 0; p < k; p++) starts[p + 1]! += starts[p]!;
  const ptr = BigInt64Array.from(starts, BigInt);
  const order = NativeArray.allocate("I64", part.length, false);
  const pieces = Math.ceil(part.length / PIECE);
  const windows = Array.from(
    { length: pieces },
    (_, i) => order.window(i * PIECE, Math.min(PIECE, part.length - i * PIECE)),
  );
  each(part, (p, v) => {
    const at = starts[p]!++;
    windows[Math.floor(at / PIECE)]![at % PIECE] = BigInt(v);
  });
  return { ptr, order };
}

/**
 * Mean over parts with labelled nodes of -sum q ln q, q the share of each class; labels outside 0 .. numClasses - 1 do
 * not count. To 9 decimals, which are the same whatever logarithm the machine has. O(n + k * classes seen).
 */
export function labelEntropy(
  part: NativeArray<"I32">,
  labels: NativeArray<"I32">,
  k: number,
  numClasses: number,
): number {
  const counts = Array.from({ length: k }, () => new Map<number, number>());
  const windows = (at: number) => labels.window(at, Math.min(PIECE, labels.length - at));
  let known = labels.length > 0 ? windows(0) : null;
  each(part, (p, v) => {
    if (v % PIECE === 0) known = windows(v);
    const label = known![v % PIECE]!;
    if (label >= 0 && label < numClasses) counts[p]!.set(label, (counts[p]!.get(label) ?? 0) + 1);
  });
  let sum = 0, parts = 0;
  for (const row of counts) {
    if (row.size === 0) continue;
    parts++;
    let total = 0;
    for (const count of row.values()) total += count;
    for (const count of row.values()) sum -= count / total * Math.log(count / total);
  }
  return parts === 0 ? 0 : Number(Math.max(0, sum / parts).toFixed(9));
}

/** What a partition of a graph is worth. */
export function statistics(
  graph: Graph,
  part: NativeArray<"I32">,
  k: number,
): Omit<PartitionMeta, "k" | "method" | "num_nodes" | "graph"> {
  const { cut, halo, weight } = partitionStatistics(graph.csr, graph.meta.directed, part, k);
  const sizes = new Float64Array(k);
  each(part, (p) => sizes[p]!++);
  const labels = graph.labels();
  return {
    cut,
    ...(graph.csr.values ? { cut_weight: weight } : {}),
    balance: sizes.reduce((a, b) => Math.max(a, b), 0) / Math.max(1, Math.ceil(part.length / k)),
    halo,
    label_entropy: labels && graph.numClasses > 0 ? labelEntropy(part, labels, k, graph.numClasses) : null,
  };
}

/**
 * Partition a graph.
 * @throws {GustError} (usage) for more parts than nodes, (data) for a graph whose arcs lead outside.
 */
export function partitionDocument(
  graph: Graph,
  partitioner: PartitionerEntry,
  request: PartitionRequest,
  params: Record<string, unknown>,
  provenance: readonly ProvenanceRecord[],
): NewDocument & { readonly meta: PartitionMeta & Record<string, unknown> } {
  const { k } = request, n = graph.numNodes;
  // A graph without nodes has one part, which is empty.
  if (k > Math.max(n, 1)) {
    throw new GustError(
      "usage",
      `-k ${k}: ${graph.document.label} has ${n} nodes, expected at most as many parts`,
    );
  }
  checkArcs(graph);
  const part = partitioner.partition(graph, request, params);
  const { ptr, order } = groupByPart(part, k);
  const meta = {
    k,
    method: partitioner.name,
    num_nodes: n,
    ...statistics(graph, part, k),
    graph: graph.digest,
  };
  return {
    kind: "partition",
    meta,
    tensors: [
      { name: "part", dtype: "I32", shape: [n], data: part },
      { name: "part_ptr", dtype: "I64", shape: [k + 1], data: ptr },
      { name: "order", dtype: "I64", shape: [n], data: order },
    ],
    provenance,
  };
}
