/** What every order owes, and what each promises, against naive counts. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { orders } from "../../../core/order/mod.ts";
import { partitionDocument, reorderPartition } from "../../../core/partition/document.ts";
import { partitioners } from "../../../core/partition/mod.ts";
import { whole } from "../../../core/partition/whole.ts";
import { drawnRows, edgesOf, graphOf, grid, shapes } from "../partition/_partitions.ts";

type Rows = readonly (readonly number[])[];

const chosen = (name: string) => {
  const entry = orders.get(name);
  return { entry, params: entry.params?.parse({}) ?? {} };
};

function ordered(graph: Graph, name: string): number[] {
  const document = partitionDocument(
    graph,
    whole,
    { k: 1, imbalance: 1, seed: 0 },
    {},
    [],
    chosen(name),
  );
  const built = buildDocument(document);
  expect(checkDocument(built)).toEqual([]);
  return built.tensor("order", "I64").toNumbers();
}

function neighbours(rows: Rows): number[][] {
  const sets = rows.map(() => new Set<number>());
  for (const [u, v] of edgesOf(rows)) {
    sets[u]!.add(v);
    sets[v]!.add(u);
  }
  return sets.map((set) => [...set].sort((a, b) => a - b));
}

const bandwidth = (rows: Rows, order: readonly number[]) => {
  const place = order.reduce<number[]>((at, v, i) => (at[v] = i, at), []);
  return edgesOf(rows).reduce((most, [u, v]) => Math.max(most, Math.abs(place[u]! - place[v]!)), 0);
};

/** The same graph with its nodes in a drawn order. */
function mixed(rows: Rows): number[][] {
  const n = rows.length, to = Array.from({ length: n }, (_, v) => (v * 7919 + 13) % n);
  const out = Array.from({ length: n }, () => [] as number[]);
  rows.forEach((row, v) => out[to[v]!] = row.map((u) => to[u]!).sort((a, b) => a - b));
  return out;
}

describe.each(orders.names)("order %s", (name) => {
  for (const [shape, parts] of Object.entries(shapes)) {
    test(`names every node of a ${shape} once, grouped by part`, () => {
      const graph = graphOf(parts), n = parts.rows.length;
      for (const k of [1, 3].filter((k) => k <= n)) {
        const partition = buildDocument(
          partitionDocument(graph, partitioners.get("random"), { k, imbalance: 1.03, seed: 2 }, {}, []),
        );
        const document = buildDocument(reorderPartition(graph, partition, chosen(name), []));
        expect(checkDocument(document)).toEqual([]);
        expect(document.meta).toMatchObject({ order: name, k, method: "random", cut: partition.meta["cut"] });
        expect(document.tensor("part", "I32").toNumbers()).toEqual(
          partition.tensor("part", "I32").toNumbers(),
        );
      }
    });
  }

  test("takes a graph without nodes", () => {
    expect(ordered(graphOf({ rows: [] }), name)).toEqual([]);
  });
});

test("checks find an order that leaves its part, or names a node twice", () => {
  const graph = graphOf(shapes["path"]!);
  const made = partitionDocument(graph, partitioners.get("random"), { k: 2, imbalance: 1, seed: 0 }, {}, []);
  const damaged = (change: (order: BigInt64Array) => void) => {
    const data = buildDocument(made).tensor("order", "I64").read();
    change(data);
    const tensors = made.tensors.map((t) => t.name === "order" ? { ...t, data } : t);
    return checkDocument(buildDocument({ ...made, tensors })).join();
  };
  expect(damaged((order) => [order[0], order[199]] = [order[199]!, order[0]!])).toContain("in another part");
  expect(damaged((order) => order[0] = order[1]!)).toContain("there twice");
});

test("rcm finds the band of a path and of a grid, from any numbering and in every component", () => {
  expect(bandwidth(mixed(grid(1, 200)), ordered(graphOf({ rows: mixed(grid(1, 200)) }), "rcm"))).toBe(1);
  const rows = mixed(grid(11, 29));
  expect(bandwidth(rows, ordered(graphOf({ rows }), "rcm"))).toBeLessThanOrEqual(12);
  expect(bandwidth(rows, rows.map((_, v) => v))).toBeGreaterThan(100);
  const many = shapes["many components"]!.rows;
  expect(bandwidth(many, ordered(graphOf({ rows: many }), "rcm"))).toBeLessThanOrEqual(2);
});

const drawn = fc.record({ n: fc.integer({ min: 1, max: 60 }), edges: fc.integer({ min: 0, max: 150 }) })
  .chain(({ n, edges }) => fc.integer({ min: 1, max: 1000 }).map((seed) => drawnRows(n, edges, seed)));

test("bfs is a queue, degree falls, hub-cluster moves hubs alone: by their definitions", () => {
  fc.assert(fc.property(drawn, (rows) => {
    const near = neighbours(rows), n = rows.length, graph = graphOf({ rows });
    const queue: number[] = [], seen = new Set<number>();
    for (let start = 0; start < n; start++) {
      if (seen.has(start)) continue;
      seen.add(start);
      queue.push(start);
      for (let at = queue.length - 1; at < queue.length; at++) {
        for (const u of near[queue[at]!]!) {
          if (seen.has(u)) continue;
          seen.add(u);
          queue.push(u);
        }
      }
    }
    expect(ordered(graph, "bfs")).toEqual(queue);
    const degree = (v: number) => near[v]!.length, all = rows.map((_, v) => v);
    expect(ordered(graph, "degree")).toEqual(all.toSorted((a, b) => degree(b) - degree(a) || a - b));
    const mean = near.flat().length / n, isHub = (v: number) => degree(v) > mean;
    expect(ordered(graph, "hub-cluster")).toEqual([...all.filter(isHub), ...all.filter((v) => !isHub(v))]);
  }));
});

test("every node that gorder places scores as much as any other would", () => {
  fc.assert(
    fc.property(drawn, (rows) => {
      const near = neighbours(rows), n = rows.length, most = Math.ceil(Math.sqrt(n));
      const score = (u: number, v: number) =>
        (near[u]!.includes(v) ? 1 : 0) +
        near[u]!.filter((x) => near[x]!.length <= most && near[v]!.includes(x)).length;
      const order = ordered(graphOf({ rows }), "gorder");
      order.forEach((v, i) => {
        const window = order.slice(Math.max(0, i - 5), i);
        const total = (u: number) => window.reduce((sum, w) => sum + score(u, w), 0);
        expect(total(v)).toBe(order.slice(i).reduce((best, u) => Math.max(best, total(u)), 0));
      });
    }),
    { numRuns: 40 },
  );
});
