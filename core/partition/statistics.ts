/** What a partition of a graph is worth: counted from the parts, by definitions that name no method. */
import type { NativeArray } from "../../ffi/native.ts";
import { partitionStatistics } from "../../ffi/native_partition.ts";
import type { Graph } from "../graph/graph.ts";

export interface PartitionStatistics {
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

/** Nodes of each part. */
export function partSizes(part: NativeArray<"I32">, k: number): Float64Array {
  const sizes = new Float64Array(k);
  each(part, (p) => sizes[p]!++);
  return sizes;
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
): PartitionStatistics {
  const { cut, halo, weight } = partitionStatistics(graph.csr, graph.meta.directed, part, k);
  const sizes = partSizes(part, k);
  const labels = graph.labels();
  return {
    cut,
    ...(graph.csr.values ? { cut_weight: weight } : {}),
    balance: sizes.reduce((a, b) => Math.max(a, b), 0) / Math.max(1, Math.ceil(part.length / k)),
    halo,
    label_entropy: labels && graph.numClasses > 0 ? labelEntropy(part, labels, k, graph.numClasses) : null,
  };
}
