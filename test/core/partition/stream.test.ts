/** ldg and fennel: their scores by definition, on small graphs, and their cuts beside random parts. */
import { describe, expect, test } from "bun:test";
import type { GraphParts } from "../_graphs.ts";
import { drawnRows, graphOf, grid, partitioned } from "./_partitions.ts";

/**
 * Follow a stream in node order: is every choice one of those with the best score, and among these with the fewest
 * nodes? Looks at all parts, where the native loop looks at near ones.
 */
function followStream(
  parts: GraphParts,
  k: number,
  imbalance: number,
  part: readonly number[],
  before: readonly number[] | null,
  score: (links: number, size: number, limit: number) => number,
): void {
  const n = parts.rows.length, even = Math.ceil(n / k), limit = Math.max(even, Math.floor(even * imbalance));
  const sizes = Array.from({ length: k }, () => 0);
  parts.rows.forEach((row, v) => {
    const links = Array.from({ length: k }, () => 0);
    row.forEach((u, i) => {
      const of = u < v ? part[u]! : before?.[u];
      if (u !== v && of !== undefined) links[of]! += parts.weights?.[v]?.[i] ?? 1;
    });
    const empty = sizes.filter((size) => size === 0).length;
    const open = sizes.map((size, p) => ({ p, size })).filter(({ size }) =>
      size < limit && (empty < n - v || size === 0)
    );
    const scores = open.map(({ p, size }) => score(links[p]!, size, limit));
    const best = Math.max(...scores);
    const tied = open.filter((_, i) => scores[i] === best);
    const least = Math.min(...tied.map(({ size }) => size));
    expect(tied.filter(({ size }) => size === least).map(({ p }) => p)).toContain(part[v]!);
    sizes[part[v]!]!++;
  });
}

const rows = drawnRows(120, 400);
const cases: Record<string, GraphParts> = {
  plain: { rows },
  weighted: { rows, weights: rows.map((row, v) => row.map((u) => (u * v) % 4)) },
  directed: { rows: rows.map((row, v) => row.filter((u) => u % 3 !== v % 3)), directed: true },
};

describe.each(Object.keys(cases))("a stream of a %s graph", (name) => {
  const parts = cases[name]!, n = parts.rows.length;
  const graph = graphOf(parts);
  const total = parts.rows.flatMap((row, v) => row.map((_, i) => parts.weights?.[v]?.[i] ?? 1))
    .reduce((a, b) => a + b, 0) / (parts.directed ? 1 : 2);
  const scores = (k: number) => ({
    ldg: (links: number, size: number, limit: number) => links * (1 - size / limit),
    fennel: (links: number, size: number) =>
      links - Math.sqrt(k) * total / (n * Math.sqrt(n)) * 1.5 * Math.sqrt(size),
  });

  test.each(["ldg", "fennel"] as const)("%s takes the best part at every step of every pass", (method) => {
    for (const k of [1, 2, 7, 60, 120]) {
      for (const imbalance of [1, 1.2]) {
        let before: readonly number[] | null = null;
        for (const passes of [1, 2, 3]) {
          const { part } = partitioned(graph, method, k, { imbalance, seed: 5, params: { passes } });
          followStream(parts, k, imbalance, part, before, scores(k)[method]);
          before = part;
        }
      }
    }
  });
});

test.each(["ldg", "fennel"])("%s in random order cuts a grid less when it streams again", (method) => {
  const graph = graphOf({ rows: grid(60, 60) });
  const cut = (passes: number) =>
    partitioned(graph, method, 8, { params: { passes, streamOrder: "random" } }).meta.cut;
  const once = cut(1), random = partitioned(graph, "random", 8).meta.cut;
  expect(once).toBeLessThan(0.75 * random);
  expect(cut(10)).toBeLessThan(0.8 * once);
});

test("range cuts the nodes into runs of equal size", () => {
  const { part } = partitioned(graphOf({ rows: grid(1, 10) }), "range", 4);
  expect(part).toEqual([0, 0, 0, 1, 1, 2, 2, 2, 3, 3]);
});

test("label gives a part per class that occurs, and one for nodes without", () => {
  const { part, meta } = partitioned(
    graphOf({ rows: grid(1, 6), labels: [5, 0, -1, 5, 0, 2], numClasses: 7 } as GraphParts),
    "label",
    0,
  );
  expect(part).toEqual([2, 0, 3, 2, 0, 1]);
  expect(meta.k).toBe(4);
  expect(() => partitioned(graphOf({ rows: grid(1, 6) }), "label", 0)).toThrow("it has no labels");
});

test("buffered keeps the limits and all parts in use whatever its buffers are", () => {
  for (const parts of [{ rows: drawnRows(150, 450) }, { rows: grid(15, 12) }, cases["directed"]!]) {
    const n = parts.rows.length, graph = graphOf(parts);
    for (const k of [2, 7, n]) {
      for (const buffer of [1, 13, 0.5, 1000]) {
        const { part, meta } = partitioned(graph, "buffered", k, {
          imbalance: 1,
          params: { buffer, passes: 2, cycles: 2 },
        });
        expect(new Set(part).size).toBe(k);
        expect(meta.balance).toBe(1);
      }
    }
  }
});

test("buffered without cycles is fennel, and cycles and passes better it", () => {
  const graph = graphOf({ rows: drawnRows(600, 1800) });
  const fennel = partitioned(graph, "fennel", 6),
    cut = (params: Record<string, unknown>) =>
      partitioned(graph, "buffered", 6, { params: { buffer: 150, ...params } });
  expect(cut({ cycles: 0 }).part).toEqual(fennel.part);
  const once = cut({}).meta.cut;
  expect(once).toBeLessThan(fennel.meta.cut);
  expect(cut({ passes: 3 }).meta.cut).toBeLessThan(once);
});

test("buffered weighs an edge the same inside a buffer and to the parts so far", () => {
  // Two heavy pairs in separate buffers, tied by light edges.
  const rows = [[2, 3], [3], [0, 3], [0, 1, 2]], weights = [[9, 1], [8], [9, 1], [1, 8, 1]];
  const { part } = partitioned(graphOf({ rows, weights }), "buffered", 2, {
    imbalance: 1,
    params: { buffer: 2, passes: 2 },
  });
  expect(part[0]).toBe(part[2]!);
  expect(part[1]).toBe(part[3]!);
});
