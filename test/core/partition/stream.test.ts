/** ldg and fennel: their scores by definition, on small graphs, and their cuts beside random parts. */
import { describe, expect, test } from "bun:test";
import type { GraphParts } from "../_graphs.ts";
import { drawnRows, graphOf, grid, partitioned, shapes } from "./_partitions.ts";

/** The nodes breadth first along rows, from the lowest node that was not reached yet. */
function breadthFirst(rows: GraphParts["rows"]): number[] {
  const order: number[] = [], seen = new Set<number>();
  rows.forEach((_, start) => {
    const queue = seen.has(start) ? [] : [start];
    seen.add(start);
    for (let v = queue.shift(); v !== undefined; v = queue.shift()) {
      order.push(v);
      for (const u of rows[v]!) if (!seen.has(u)) queue.push(u), seen.add(u);
    }
  });
  return order;
}

/**
 * Follow a stream of nodes in an order: is every choice one of those with the best score, and among these with the fewest
 * nodes? Looks at all parts, where the native loop looks at near ones.
 */
function followStream(
  parts: GraphParts,
  k: number,
  imbalance: number,
  part: readonly number[],
  before: readonly number[] | null,
  score: (links: number, size: number, limit: number) => number,
  order: readonly number[] = [...parts.rows.keys()],
): void {
  const n = parts.rows.length, even = Math.ceil(n / k), limit = Math.max(even, Math.floor(even * imbalance));
  const sizes = Array.from({ length: k }, () => 0);
  const at = order.map(() => 0);
  order.forEach((v, i) => at[v] = i);
  order.forEach((v, placed) => {
    const links = Array.from({ length: k }, () => 0);
    parts.rows[v]!.forEach((u, i) => {
      const of = at[u]! < placed ? part[u]! : before?.[u];
      if (u !== v && of !== undefined) links[of]! += parts.weights?.[v]?.[i] ?? 1;
    });
    const empty = sizes.filter((size) => size === 0).length;
    const open = sizes.map((size, p) => ({ p, size })).filter(({ size }) =>
      size < limit && (empty < n - placed || size === 0)
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

test.each(Object.keys(cases))(
  "a stream in bfs order takes the nodes of a %s graph along its rows",
  (name) => {
    const parts = cases[name]!, graph = graphOf(parts), order = breadthFirst(parts.rows);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
    for (const k of [2, 7, 60]) {
      const params = { streamOrder: "bfs", passes: 1 };
      const { part } = partitioned(graph, "ldg", k, { imbalance: 1.2, params });
      followStream(parts, k, 1.2, part, null, (links, size, limit) => links * (1 - size / limit), order);
    }
  },
);

test("a stream in bfs order reaches every node of a graph in pieces, and cuts a shuffled grid less", () => {
  for (const name of ["many components", "nodes without edges", "directed graph with self-loops"]) {
    const { part, meta } = partitioned(graphOf(shapes[name]!), "fennel", 5, {
      params: { streamOrder: "bfs" },
    });
    expect(new Set(part).size).toBe(5);
    expect(meta.balance).toBeLessThanOrEqual(1.03);
  }
  // 7 and the number of nodes have no common divisor.
  const rows = grid(60, 60), to = rows.map((_, v) => v * 7 % rows.length);
  const shuffled: number[][] = rows.map(() => []);
  rows.forEach((row, v) => shuffled[to[v]!] = row.map((u) => to[u]!).sort((a, b) => a - b));
  const cut = (streamOrder: string) =>
    partitioned(graphOf({ rows: shuffled }), "ldg", 8, { params: { streamOrder } }).meta.cut;
  expect(cut("bfs")).toBeLessThan(0.6 * cut("random"));
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

test("buffered finds near-best parts where neighbours come together, in their order or breadth first", () => {
  // A 12 x 40 grid, numbered along its short side; four buffers of ten lines each. Best cuts: 12 and 36.
  const rows = grid(40, 12), n = rows.length;
  const shuffled = Array.from({ length: n }, (_, v) => (v * 77 + 13) % n);
  const mixed: number[][] = rows.map(() => []);
  rows.forEach((row, v) => mixed[shuffled[v]!] = row.map((u) => shuffled[u]!).sort((a, b) => a - b));
  const cut = (of: readonly (readonly number[])[], k: number, streamOrder: string) =>
    partitioned(graphOf({ rows: of }), "buffered", k, { params: { streamOrder } }).meta.cut;
  expect(cut(rows, 2, "natural")).toBeLessThanOrEqual(15);
  expect(cut(rows, 4, "natural")).toBeLessThanOrEqual(45);
  expect(cut(mixed, 2, "bfs")).toBeLessThanOrEqual(20);
  expect(cut(mixed, 4, "bfs")).toBeLessThanOrEqual(70);
  expect(cut(mixed, 4, "natural")).toBeGreaterThan(cut(mixed, 4, "bfs"));
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
