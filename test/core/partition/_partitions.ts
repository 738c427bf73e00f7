/** Graphs, partitions and naive statistics for tests of partitioners. */
import { spawnSync } from "node:child_process";
import { generateGraph } from "../../../core/generate/graph.ts";
import { generators } from "../../../core/generate/mod.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { partitionDocument, type PartitionMeta } from "../../../core/partition/document.ts";
import { partitioners } from "../../../core/partition/mod.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { openNative } from "../../../ffi/native.ts";
import { type GraphParts, makeGraph } from "../_graphs.ts";

await openNative();

/** Whether the program gpmetis is there: tests of the method "metis" need it. */
export const hasMetis = spawnSync("gpmetis", ["-help"], { stdio: "ignore" }).error === undefined;

export interface Options {
  readonly imbalance?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly params?: Record<string, unknown>;
}

/** Partition a graph as the command does. */
export function partitioned(graph: Graph, method: string, k: number, o: Options = {}): {
  part: number[];
  meta: PartitionMeta & Record<string, unknown>;
  document: ReturnType<typeof partitionDocument>;
} {
  const entry = partitioners.get(method);
  const params = entry.params?.parse(o.params ?? {}) ?? {};
  setThreads(o.threads ?? 0);
  const request = { k, imbalance: o.imbalance ?? 1.03, seed: o.seed ?? 0 };
  const document = partitionDocument(graph, entry, request, params, []);
  setThreads(0);
  const part = document.tensors.find(({ name }) => name === "part")!.data as { toNumbers(): number[] };
  return { part: part.toNumbers(), meta: document.meta, document };
}

type Rows = readonly (readonly number[])[];

/** Distinct unordered pairs {u, v}, u < v, of the arcs. */
export function edgesOf(rows: Rows): [number, number][] {
  const n = rows.length, seen = new Set<number>();
  rows.forEach((row, v) => row.forEach((u) => u !== v && seen.add(Math.min(u, v) * n + Math.max(u, v))));
  return [...seen].sort((a, b) => a - b).map((x) => [Math.floor(x / n), x % n]);
}

/** The statistics by their definitions, over sets and maps. */
export function naive(g: GraphParts, part: readonly number[], k: number) {
  const n = g.rows.length, edges = edgesOf(g.rows);
  const sizes = Array.from({ length: k }, (_, p) => part.filter((q) => q === p).length);
  const outside = Array.from({ length: k }, () => new Set<number>());
  for (const [u, v] of edges) {
    if (part[u] === part[v]) continue;
    outside[part[u]!]!.add(v);
    outside[part[v]!]!.add(u);
  }
  let weight = 0;
  g.rows.forEach((row, v) =>
    row.forEach((u, i) => {
      if (part[u] !== part[v]) weight += g.weights?.[v]?.[i] ?? 1;
    })
  );
  const entropies = Array.from({ length: k }, (_, p) => {
    const labels = (g.labels ?? []).filter((label, v) => part[v] === p && label >= 0);
    const shares = [...new Set(labels)].map((c) =>
      labels.filter((label) => label === c).length / labels.length
    );
    return labels.length === 0 ? null : -shares.reduce((sum, q) => sum + q * Math.log(q), 0);
  }).filter((h) => h !== null);
  return {
    cut: edges.filter(([u, v]) => part[u] !== part[v]).length,
    cutWeight: g.directed ? weight : weight / 2,
    balance: Math.max(0, ...sizes) / Math.max(1, Math.ceil(n / k)),
    halo: outside.reduce((sum, set) => sum + set.size, 0),
    entropy: g.labels ? entropies.reduce((a, b) => a + b, 0) / Math.max(1, entropies.length) : null,
  };
}

const fromEdges = (n: number, edges: readonly (readonly [number, number])[]): number[][] => {
  const rows = Array.from({ length: n }, () => new Set<number>());
  for (const [u, v] of edges) {
    rows[u]!.add(v);
    rows[v]!.add(u);
  }
  return rows.map((row) => [...row].sort((a, b) => a - b));
};

/** A graph of n nodes with `count` drawn edges, both arcs of each. */
export function drawnRows(n: number, count: number, seed = 1): number[][] {
  const random = new Random({ seed, stream: "test" });
  const node = (draw: number) => Math.floor(random.f64(draw, 0) * n);
  return fromEdges(
    n,
    Array.from({ length: count }, (_, i) => [node(2 * i), node(2 * i + 1)] as const).filter(([u, v]) =>
      u !== v
    ),
  );
}

/** Rows with arcs in one direction alone, self-loops and, where `duplicates`, every third arc twice. */
export function directedRows(n: number, degree: number, duplicates = false): number[][] {
  const random = new Random({ seed: 7, stream: "test" });
  return Array.from(
    { length: n },
    (_, v) =>
      Array.from({ length: degree }, (_, i) => Math.floor(random.f64(v, i) * n))
        .flatMap((u, i) => duplicates && i % 3 === 0 ? [u, u] : [u]).sort((a, b) => a - b),
  );
}

const grid = (rows: number, cols: number) =>
  fromEdges(
    rows * cols,
    Array.from({ length: rows * cols }, (_, v) => v).flatMap((v) => [
      ...((v + 1) % cols ? [[v, v + 1] as const] : []),
      ...(v + cols < rows * cols ? [[v, v + cols] as const] : []),
    ]),
  );

/** Shapes that trip partitioners. */
export const shapes: Readonly<Record<string, GraphParts>> = {
  "one node": { rows: [[]] },
  "nodes without edges": { rows: Array.from({ length: 40 }, () => []) },
  star: { rows: fromEdges(101, Array.from({ length: 100 }, (_, i) => [0, i + 1] as const)) },
  "complete graph": {
    rows: Array.from({ length: 30 }, (_, v) => [...Array(30).keys()].filter((u) => u !== v)),
  },
  path: { rows: grid(1, 200) },
  grid: { rows: grid(30, 40), labels: Array.from({ length: 1200 }, (_, v) => Math.floor(v / 400) - 1) },
  "random graph": { rows: drawnRows(500, 1500), labels: Array.from({ length: 500 }, (_, v) => v % 5) },
  "many components": {
    rows: fromEdges(
      300,
      Array.from({ length: 100 }, (_, i) => [[3 * i, 3 * i + 1], [3 * i, 3 * i + 2]] as const).flat(),
    ),
  },
  "directed graph with self-loops": { rows: directedRows(300, 4), directed: true },
};

/** A graph of the generators. */
export function generated(name: string, params: Record<string, unknown>, seed = 1): Graph {
  const entry = generators.get(name);
  return new Graph(buildDocument(generateGraph(entry, entry.params.parse(params), seed, []).document));
}

export const graphOf = (parts: GraphParts): Graph => makeGraph(parts);
export { grid };
