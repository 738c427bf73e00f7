/** Partitions of edges: hdrf and dbh by their definitions, and what a document of them holds. */
import { describe, expect, test } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { edgePartitionDocument, type EdgePartitionMeta } from "../../../core/partition/edges.ts";
import { edgePartitionStatistics } from "../../../core/partition/edge_statistics.ts";
import { partitioners } from "../../../core/partition/mod.ts";
import { edgePartitionMetrics, evaluatePartition } from "../../../core/partition/quality.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import type { GraphParts } from "../_graphs.ts";
import { directedRows, drawnRows, graphOf, shapes } from "./_partitions.ts";

interface Options {
  readonly imbalance?: number;
  readonly seed?: number;
  readonly lambda?: number;
}

function partitionedEdges(graph: Graph, method: string, k: number, o: Options = {}): {
  part: number[];
  meta: EdgePartitionMeta & Record<string, unknown>;
  document: ReturnType<typeof edgePartitionDocument>;
} {
  const entry = partitioners.get(method);
  const params = entry.params?.parse(o.lambda === undefined ? {} : { lambda: o.lambda }) ?? {};
  const request = { k, imbalance: o.imbalance ?? 1.03, seed: o.seed ?? 0 };
  const document = edgePartitionDocument(graph, entry, request, params, []);
  const part = (document.tensors[0]!.data as { toNumbers(): number[] }).toNumbers();
  return { part, meta: document.meta, document };
}

interface Edge {
  readonly v: number;
  readonly u: number;
  readonly part: number;
}

/** Edges in the order of the stream, an undirected one at its lower end; checks that its copy is in the same part. */
function streamed({ rows, directed }: GraphParts, part: readonly number[]): Edge[] {
  const found: Edge[] = [], placed = new Map<string, number>();
  let at = 0;
  rows.forEach((row, v) =>
    row.forEach((u) => {
      const p = part[at++]!;
      if (!directed && u < v) expect(p).toBe(placed.get(`${u} ${v}`)!);
      else found.push({ v, u, part: p });
      placed.set(`${v} ${u}`, p);
    })
  );
  return found;
}

const cases: Record<string, GraphParts> = {
  ...shapes,
  "directed multigraph": { rows: directedRows(120, 5, true), directed: true },
  "graph whose rows are not sorted": {
    rows: drawnRows(80, 300).map((row, v) => v % 2 ? row.toReversed() : row),
  },
};

describe.each(["hdrf", "dbh"])("partitioner %s", (method) => {
  test.each(Object.keys(cases))("reports what a naive count of a %s gives", (name) => {
    const parts = cases[name]!, graph = graphOf(parts);
    for (const k of [1, 2, 7, 70]) {
      if (k > Math.max(1, parts.rows.flat().length)) continue;
      const { part, meta, document } = partitionedEdges(graph, method, k);
      const edges = streamed(parts, part), sizes = Array.from({ length: k }, () => 0);
      const places = parts.rows.map(() => new Set<number>());
      for (const { v, u, part: p } of edges) {
        sizes[p]!++;
        places[v]!.add(p);
        places[u]!.add(p);
      }
      const touched = places.filter(({ size }) => size > 0);
      const nodes = sizes.map((_, p) => places.filter((set) => set.has(p)).length);
      const copies = nodes.reduce((a, b) => a + b, 0);
      const over = (shares: readonly number[], sum: number) =>
        Math.max(0, ...shares) / Math.max(1, Math.ceil(sum / k));
      expect(meta).toMatchObject({
        of: "edges",
        k,
        method,
        num_nodes: parts.rows.length,
        num_edges: part.length,
        mirrors: copies - touched.length,
        cut_nodes: places.filter(({ size }) => size > 1).length,
        part_edges: [Math.min(...sizes), Math.max(...sizes)],
        part_nodes: [Math.min(...nodes), Math.max(...nodes)],
        graph: graph.digest,
      });
      expect(meta.balance).toBeCloseTo(over(sizes, edges.length), 12);
      expect(meta.balances.nodes).toBeCloseTo(over(nodes, copies), 12);
      expect(meta.replication_factor).toBeCloseTo(copies / Math.max(1, touched.length), 12);
      const written = buildDocument(document);
      expect(checkDocument(written)).toEqual([]);
      const { statistics, metrics } = evaluatePartition(graph, written);
      expect(meta).toMatchObject({ ...statistics } as Record<string, unknown>);
      expect(Object.keys(metrics)).toEqual(edgePartitionMetrics.names);
      expect(metrics).toEqual({
        replication: meta.replication_factor,
        mirrors: meta.mirrors,
        "cut-nodes": meta.cut_nodes,
        balance: meta.balance,
        "balance-nodes": meta.balances.nodes,
      });
    }
  });

  test("gives the same parts for any number of threads", () => {
    const graph = graphOf({ rows: drawnRows(900, 4000) });
    setThreads(1);
    const one = partitionedEdges(graph, method, 9).part;
    setThreads(3);
    expect(partitionedEdges(graph, method, 9).part).toEqual(one);
    setThreads(0);
  });

  test("refuses more parts than edges, and an undirected graph that lacks the reverse of an arc", () => {
    expect(() => partitionedEdges(graphOf({ rows: [[1], [0]] }), method, 3)).toThrow("-k 3: ");
    const asymmetric = () => partitionedEdges(graphOf({ rows: [[], [0], []] }), method, 1);
    expect(asymmetric).toThrow(
      /^Cannot partition .*: tensor "indices": row 1 holds 0, but row 0 does not hold 1, in an undirected graph$/,
    );
    expect(asymmetric).toThrow(
      expect.objectContaining({ hint: '"gust import --symmetrize" adds the missing arcs' }),
    );
  });
});

test("edgePartitionStatistics() refuses parts out of range, and an edge whose arcs are in two parts", () => {
  const count = (rows: number[][], parts: readonly number[], directed = false) =>
    edgePartitionStatistics(graphOf({ rows, directed }), NativeArray.from<"I32">(Int32Array.from(parts)), 3);
  const path = [[1], [0, 2], [1]];
  expect(() => count(path, [0, 0, 3, 1])).toThrow(
    'tensor "edge_part" holds 3 at position 2, expected parts below 3',
  );
  expect(() => count(path, [0, 0, 2, 1])).toThrow(
    'tensor "edge_part" puts arc 2 -> 1 into part 1, but 1 -> 2 into part 2',
  );
  // Of a directed graph every arc is an edge of its own.
  expect(count(path, [0, 0, 2, 1], true)).toMatchObject({ part_edges: [1, 2], mirrors: 3, cut_nodes: 2 });
});

test("evaluatePartition() refuses a partition of another graph's edges", () => {
  const { document } = partitionedEdges(graphOf(shapes["grid"]!), "dbh", 4);
  expect(() => evaluatePartition(graphOf(shapes["star"]!), buildDocument(document))).toThrow(
    /was made from a graph with digest .*, not from/,
  );
});

test("hdrf takes the part of the best score at every step, within the limit", () => {
  for (const parts of [{ rows: drawnRows(90, 400) }, { rows: directedRows(60, 4), directed: true }]) {
    for (const lambda of [0, 1.1, 20]) {
      for (const [k, imbalance] of [[2, 1], [5, 1.03], [17, 1.5]] as const) {
        const { part } = partitionedEdges(graphOf(parts), "hdrf", k, { lambda, imbalance });
        const edges = streamed(parts, part), even = Math.ceil(edges.length / k);
        const limit = Math.max(even, Math.floor(even * imbalance));
        const degree = parts.rows.map(() => 0), sizes = Array.from({ length: k }, () => 0);
        const places = parts.rows.map(() => new Set<number>());
        for (const { v, u, part: taken } of edges) {
          degree[v]!++;
          degree[u]!++;
          const most = Math.max(...sizes), least = Math.min(...sizes);
          const share = (x: number) => degree[x]! / (degree[v]! + degree[u]!);
          const g = (x: number, p: number) => places[x]!.has(p) ? 1 + (1 - share(x)) : 0;
          const scores = sizes.map((size, p) =>
            size >= limit ? -Infinity : g(v, p) + g(u, p) + lambda * (most - size) / (1 + most - least)
          );
          expect(scores[taken]!).toBeCloseTo(Math.max(...scores), 9);
          sizes[taken]!++;
          places[v]!.add(taken);
          places[u]!.add(taken);
        }
        expect(Math.max(...sizes)).toBeLessThanOrEqual(limit);
      }
    }
  }
});

test("dbh keeps all edges of a leaf, and of the lower end, together", () => {
  const rows = drawnRows(200, 700), parts = { rows }, { part } = partitionedEdges(graphOf(parts), "dbh", 6);
  const of = new Map<number, number>();
  for (const { v, u, part: p } of streamed(parts, part)) {
    const dv = rows[v]!.length, du = rows[u]!.length, low = du < dv || (du === dv && u < v) ? u : v;
    expect(of.get(low) ?? p).toBe(p);
    of.set(low, p);
  }
  expect(new Set(part).size).toBe(6);
  expect(partitionedEdges(graphOf(parts), "dbh", 6, { seed: 1 }).part).not.toEqual(part);
});
