/** Louvain and Leiden: modularity by its definition, connected communities, known graphs. */
import { describe, expect, test } from "bun:test";
import { modularity } from "../../../ffi/native_communities.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { drawnRows, edgesOf, generated, graphOf, partitioned, shapes } from "./_partitions.ts";

type Rows = readonly (readonly number[])[];

/** sum over pairs in one part of A[u][v] / 2m - resolution * d[u] d[v] / (2m)^2, pair by pair. */
function naiveModularity(rows: Rows, part: readonly number[], resolution: number): number {
  const n = rows.length, edges = edgesOf(rows), twoM = 2 * edges.length;
  if (twoM === 0) return 0;
  const degree = Array.from({ length: n }, () => 0);
  let sum = 0;
  for (const [u, v] of edges) {
    degree[u]!++;
    degree[v]!++;
    if (part[u] === part[v]) sum += 2 / twoM;
  }
  for (let u = 0; u < n; u++) {
    for (let v = 0; v < n; v++) {
      if (part[u] === part[v]) sum -= resolution * degree[u]! * degree[v]! / twoM ** 2;
    }
  }
  return sum;
}

/** Whether every part is connected by edges inside it. */
function areConnected(rows: Rows, part: readonly number[]): boolean {
  const root = rows.map((_, v) => v);
  const find = (v: number): number => root[v] === v ? v : root[v] = find(root[v]!);
  for (const [u, v] of edgesOf(rows)) if (part[u] === part[v]) root[find(u)] = find(v);
  const first = new Map<number, number>();
  return part.every((p, v) => {
    if (!first.has(p)) first.set(p, find(v));
    return first.get(p) === find(v);
  });
}

describe.each(["louvain", "leiden"])("%s", (method) => {
  test.each(Object.keys(shapes))("reports the modularity of a %s, and no single move betters it", (name) => {
    const parts = shapes[name]!, n = parts.rows.length;
    for (const resolution of [0.5, 1, 2]) {
      const { part, meta } = partitioned(graphOf(parts), method, 0, { params: { resolution } });
      const value = naiveModularity(parts.rows, part, resolution);
      expect(meta.modularity!).toBeCloseTo(value, 9);
      if (method === "leiden") expect(areConnected(parts.rows, part)).toBeTrue();
      if (n > 120) continue;
      for (let v = 0; v < n; v++) {
        for (const p of [...new Set(part), meta.k]) {
          const moved = part.map((q, u) => u === v ? p : q);
          expect(naiveModularity(parts.rows, moved, resolution)).toBeLessThanOrEqual(value + 1e-9);
        }
      }
    }
  });

  test("finds cliques on a ring, and leaves isolated nodes alone", () => {
    // 12 cliques of 5 nodes, each tied to the next by an edge, then 3 nodes without edges.
    const rows = Array.from({ length: 63 }, (_, v) => {
      if (v >= 60) return [];
      const clique = Math.floor(v / 5), own = Array.from({ length: 5 }, (_, i) => clique * 5 + i);
      const ring = v % 5 === 0 ? [(v + 56) % 60] : v % 5 === 1 ? [(v + 4) % 60] : [];
      return [...own.filter((u) => u !== v), ...ring].sort((a, b) => a - b);
    });
    const { part, meta } = partitioned(graphOf({ rows }), method, 0, { params: { resolution: 1.5 } });
    expect(meta.k).toBe(15);
    expect(part).toEqual(rows.map((_, v) => v < 60 ? Math.floor(v / 5) : v - 48));
  });

  test("finds more communities at a higher resolution", () => {
    const graph = graphOf({ rows: drawnRows(400, 1200) });
    const found = [0.1, 1, 4].map((resolution) =>
      partitioned(graph, method, 0, { params: { resolution } }).meta.k
    );
    expect(found[0]!).toBeLessThan(found[1]!);
    expect(found[1]!).toBeLessThan(found[2]!);
  });

  test("counts edge weights", () => {
    // A square whose heavy sides lie opposite each other.
    const rows = [[1, 3], [0, 2], [1, 3], [0, 2]], weights = [[9, 1], [9, 1], [1, 9], [1, 9]];
    const { part, meta } = partitioned(graphOf({ rows, weights }), method, 0);
    expect(part).toEqual([0, 0, 1, 1]);
    expect(meta.modularity!).toBeCloseTo(36 / 40 - 0.5, 12);
  });

  test("finds the classes of a stochastic block model", () => {
    const graph = generated("sbm", { nodes: 3000, classes: 5, degree: 20, features: 0 });
    const classes = partitioned(graph, "label", 0).meta.modularity!;
    expect(partitioned(graph, method, 0).meta.modularity!).toBeGreaterThan(classes - 0.01);
  });
});

test("modularity refuses parts out of range", () => {
  const graph = graphOf({ rows: [[1], [0]] }), part = NativeArray.from(Int32Array.from([0, 2]), "I32");
  expect(() => modularity(graph.csr, false, part, 2, 1)).toThrow('tensor "part" holds 2 at position 1');
});
