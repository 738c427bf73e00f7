/** What a partition of a graph is worth: counted from the parts, by definitions that name no method. */
import type { NativeArray } from "../../ffi/native.ts";
import { partitionStatistics } from "../../ffi/native_partition.ts";
import { log } from "../arithmetic.ts";
import type { Graph } from "../graph/graph.ts";

export interface Balances {
  readonly edges: number;
  readonly train?: number;
  readonly features?: number;
}

export interface PartitionStatistics {
  /** Edges between parts, each undirected edge once. */
  readonly cut: number;
  /** Weight of those edges, where edges have weights. */
  readonly cut_weight?: number;
  /** Heaviest part over ceil(n / k). */
  readonly balance: number;
  /** The same for what else parts hold: stored entries in their rows, training nodes of the first split, stored features. */
  readonly balances: Balances;
  /** Sum over parts of distinct neighbours outside: what METIS calls the communication volume. */
  readonly halo: number;
  /** Nodes that the parts hold with their halos, over those of the graph; 1 for a graph without nodes. */
  readonly replication: number;
  /** Share of the stored entries that lie in the diagonal blocks; null without entries. */
  readonly block_density: number | null;
  /** Stored entries in the rows of the part that has fewest, and of the one that has most. */
  readonly part_edges: readonly [number, number];
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
    for (const count of row.values()) sum -= count / total * log(count / total);
  }
  return parts === 0 ? 0 : Number(Math.max(0, sum / parts).toFixed(9));
}

/** Largest of k shares over an even one; 0 where there is nothing to share. */
export function balanceOf(shares: Float64Array): number {
  const total = shares.reduce((a, b) => a + b, 0);
  return shares.reduce((a, b) => Math.max(a, b), 0) / Math.max(1, Math.ceil(total / shares.length));
}

/** The smallest and the largest of k shares. */
export const extremes = (shares: Float64Array): [number, number] => [
  shares.reduce((a, b) => Math.min(a, b), Infinity),
  shares.reduce((a, b) => Math.max(a, b), 0),
];

/** Lengths of the rows of a pointer, summed up by part. */
function rowsByPart(ptr: NativeArray<"I64">, part: NativeArray<"I32">, k: number): Float64Array {
  const sums = new Float64Array(k);
  let ends = ptr.window(0, 0), from = 0;
  each(part, (p, v) => {
    if (v % PIECE === 0) {
      ends = ptr.window(v, Math.min(PIECE, part.length - v) + 1);
      from = v;
    }
    sums[p]! += Number(ends[v - from + 1]! - ends[v - from]!);
  });
  return sums;
}

/** What a partition of a graph is worth. The graph's arcs must be inside it (checkArcs). */
export function statistics(
  graph: Graph,
  part: NativeArray<"I32">,
  k: number,
): PartitionStatistics {
  const { cut, halo, weight, inside } = partitionStatistics(graph.csr, graph.meta.directed, part, k);
  const n = part.length, sizes = partSizes(part, k), edges = rowsByPart(graph.csr.indptr, part, k);
  const labels = graph.labels(), train = graph.numSplits > 0 ? graph.split("train") : null;
  const features = graph.features();
  const trained = new Float64Array(k);
  if (train) {
    const parts = part.read();
    for (const v of train) trained[parts[Number(v)]!]!++;
  }
  return {
    cut,
    ...(graph.csr.values ? { cut_weight: weight } : {}),
    balance: balanceOf(sizes),
    balances: {
      edges: balanceOf(edges),
      ...(train ? { train: balanceOf(trained) } : {}),
      ...(features?.kind === "csr" ? { features: balanceOf(rowsByPart(features.csr.indptr, part, k)) } : {}),
    },
    halo,
    replication: n === 0 ? 1 : (n + halo) / n,
    block_density: graph.numEdges === 0 ? null : inside / graph.numEdges,
    part_edges: extremes(edges),
    label_entropy: labels && graph.numClasses > 0 ? labelEntropy(part, labels, k, graph.numClasses) : null,
  };
}
