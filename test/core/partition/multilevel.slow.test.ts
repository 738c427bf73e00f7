import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openFile } from "../../../core/format/read.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { dataPath, dataTest, freshDir, gustOk } from "../../helpers.ts";
import { statistics } from "../../../core/partition/statistics.ts";
import type { PartitionMeta } from "../../../core/partition/document.ts";
import { partitioners } from "../../../core/partition/mod.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { directedRows, drawnRows, generated, graphOf, grid, naive, partitioned } from "./_partitions.ts";

const symmetric = (rows: readonly (readonly number[])[], weight: (u: number, v: number) => number) =>
  rows.map((row, v) => row.map((u) => weight(Math.min(u, v), Math.max(u, v))));

describe("multilevel", () => {
  test("finds the obvious cut: two cliques joined by one edge", () => {
    const clique = (from: number) =>
      Array.from(
        { length: 20 },
        (_, v) => Array.from({ length: 20 }, (_, u) => from + u).filter((u) => u !== from + v),
      );
    const rows = [...clique(0), ...clique(20)];
    rows[3] = [...rows[3]!, 25];
    rows[25] = [3, ...rows[25]!];
    const { part, meta } = partitioned(graphOf({ rows }), "multilevel", 2);
    expect(meta.cut).toBe(1);
    expect(new Set(part.slice(0, 20)).size).toBe(1);
    expect(part[0]).not.toBe(part[20]);
  });

  test("cuts a 64 x 64 grid into 4 parts within 1.25 of the 128 edges that four squares cut", () => {
    for (const seed of [0, 1, 2]) {
      expect(partitioned(graphOf({ rows: grid(64, 64) }), "multilevel", 4, { seed }).meta.cut)
        .toBeLessThanOrEqual(160);
    }
  });

  test("keeps planted communities together: at most 1.2 of the edges between them are cut", () => {
    const graph = generated("sbm", { nodes: 4000, classes: 8, degree: 16, homophily: 0.9, features: 0 });
    const labels = graph.labels()!.toNumbers();
    const rows = rowsOf(graph);
    const planted = naive({ rows }, labels, 8).cut;
    expect(partitioned(graph, "multilevel", 8).meta.cut).toBeLessThanOrEqual(1.2 * planted);
  });

  test("more effort cuts less", () => {
    const graph = graphOf({ rows: drawnRows(3000, 9000) });
    const [fast, usual, best] = ["fast", "default", "best"].map((effort) =>
      partitioned(graph, "multilevel", 8, { params: { effort } }).meta.cut
    ) as [number, number, number];
    expect(usual).toBeLessThan(fast);
    expect(best).toBeLessThan(usual);
  });

  test("refining a partition within the balance lowers its cut, and never raises that of a good one", () => {
    const graph = graphOf({ rows: drawnRows(3000, 9000) });
    const request = { k: 8, imbalance: 1.03, seed: 0 };
    const cutOf = (part: NativeArray<"I32">) => statistics(graph, part, 8).cut;
    const random = partitioners.get("random").partition(graph, request, {});
    const entry = partitioners.get("multilevel");
    const params = entry.params!.parse({});
    const once = entry.partition(graph, { ...request, refine: random }, params);
    const twice = entry.partition(graph, { ...request, refine: once }, params);
    expect(cutOf(once)).toBeLessThan(0.8 * cutOf(random));
    expect(cutOf(twice)).toBeLessThanOrEqual(cutOf(once));
    expect(sizesOf(twice.toNumbers(), 8)).toBeLessThanOrEqual(1.03 * 375);
  });

  test("recursive bisection keeps the balance too and cuts about as much", () => {
    const graph = graphOf({ rows: grid(40, 40) });
    const [kway, bisection] = ["kway", "bisection"].map((scheme) =>
      partitioned(graph, "multilevel", 6, { params: { scheme } }).meta
    ) as unknown as [PartitionMeta, PartitionMeta];
    expect(bisection.balance).toBeLessThanOrEqual(1.03);
    expect(bisection.cut).toBeLessThanOrEqual(1.2 * kway.cut);
  });

  test("merges clusters around hubs: a graph of hubs with leaves falls apart at its few links", () => {
    // 40 hubs in a ring, each with 60 leaves of its own.
    const rows: number[][] = Array.from({ length: 40 * 61 }, () => []);
    const link = (u: number, v: number) => {
      rows[u]!.push(v);
      rows[v]!.push(u);
    };
    for (let hub = 0; hub < 40; hub++) {
      link(hub, (hub + 1) % 40);
      for (let leaf = 0; leaf < 60; leaf++) link(hub, 40 + hub * 60 + leaf);
    }
    expect(
      partitioned(graphOf({ rows: rows.map((row) => row.sort((a, b) => a - b)) }), "multilevel", 4).meta.cut,
    ).toBe(4);
  });

  test("cuts light edges rather than heavy ones, whole, fractional or tiny", () => {
    const rows = grid(20, 20);
    // Columns 0..9 and 10..19 hang together by light edges: the cut between them has 20.
    const heavy = (u: number, v: number) => !(u % 20 === 9 && v === u + 1);
    for (const [light, dear] of [[1, 1000], [0.25, 3.5], [1e-9, 1e-6]] as const) {
      const g = {
        rows,
        weights: symmetric(rows, (u, v) => heavy(u, v) ? dear : light),
        weightType: "F64" as const,
      };
      const { part, meta } = partitioned(graphOf(g), "multilevel", 2);
      expect(meta.cut).toBe(20);
      expect(meta.cut_weight).toBeCloseTo(20 * light, 12);
      expect(naive(g, part, 2).cutWeight).toBeCloseTo(20 * light, 12);
    }
  });

  test("reports the weight of the cut of directed and undirected weighted graphs", () => {
    const rows = drawnRows(200, 600);
    const weights = symmetric(rows, (u, v) => 1 + (u * 7 + v) % 5);
    const arcs = directedRows(200, 5, true);
    for (
      const g of [{ rows, weights }, {
        rows: arcs,
        weights: arcs.map((row, v) => row.map((u) => 1 + (3 * u + v) % 4)),
        directed: true,
      }]
    ) {
      const { part, meta } = partitioned(graphOf(g), "multilevel", 5);
      const { cut, cutWeight, halo } = naive(g, part, 5);
      expect(meta).toMatchObject({ cut, halo });
      expect(meta.cut_weight).toBeCloseTo(cutWeight, 6);
    }
  });

  test("partitions a directed graph as its undirected simple version", () => {
    const arcs = directedRows(400, 4, true);
    const both = Array.from({ length: 400 }, () => new Set<number>());
    arcs.forEach((row, v) =>
      row.forEach((u) => {
        if (u === v) return;
        both[u]!.add(v);
        both[v]!.add(u);
      })
    );
    const rows = both.map((row) => [...row].sort((a, b) => a - b));
    expect(partitioned(graphOf({ rows: arcs, directed: true }), "multilevel", 6).part)
      .toEqual(partitioned(graphOf({ rows }), "multilevel", 6).part);
  });

  test("survives a graph that says it is undirected and is not", () => {
    const rows = directedRows(300, 4);
    const { part, meta } = partitioned(graphOf({ rows, directed: false }), "multilevel", 6);
    const { cut, halo } = naive({ rows }, part, 6);
    expect(meta).toMatchObject({ cut, halo });
  });

  test("refuses weights that are negative or not finite, naming the place", () => {
    const rows = grid(3, 3);
    for (const bad of [-1, NaN, Infinity]) {
      const weights = symmetric(rows, (u, v) => u === 4 && v === 5 ? bad : 1);
      expect(() => partitioned(graphOf({ rows, weights }), "multilevel", 2))
        .toThrow(
          bad === -1
            ? /tensor "edge_weight" holds -1 at position 12, expected finite weights of at least 0/
            : /tensor "edge_weight" holds 2 infinite or not-a-number elements, the first in position 12/,
        );
    }
  });

  test("balances hubs: a star of stars has no part above the limit", () => {
    const edges: [number, number][] = [];
    for (let hub = 1; hub <= 20; hub++) {
      edges.push([0, hub]);
      for (let leaf = 0; leaf < 50; leaf++) edges.push([hub, 20 + (hub - 1) * 50 + leaf + 1]);
    }
    const rows: number[][] = Array.from({ length: 1021 }, () => []);
    for (const [u, v] of edges) {
      rows[u]!.push(v);
      rows[v]!.push(u);
    }
    const { meta } = partitioned(graphOf({ rows }), "multilevel", 4);
    expect(meta.balance).toBeLessThanOrEqual(1.03);
    // Five hubs each with their leaves, and the centre: 15 edges to hubs elsewhere, and what levelling costs.
    expect(meta.cut).toBeLessThanOrEqual(45);
  });

  test("takes any number of parts up to the number of nodes", () => {
    const graph = graphOf({ rows: grid(20, 20) });
    for (const k of [7, 57, 133, 200, 399, 400]) {
      const { part, meta } = partitioned(graph, "multilevel", k);
      expect(new Set(part).size).toBe(k);
      expect(meta.balance).toBeLessThanOrEqual(
        Math.max(1, Math.floor(1.03 * Math.ceil(400 / k)) / Math.ceil(400 / k)),
      );
    }
  });
});

/** Nodes of the largest part. */
function sizesOf(part: readonly number[], k: number): number {
  return Math.max(...Array.from({ length: k }, (_, p) => part.filter((q) => q === p).length));
}

function rowsOf(graph: Graph): number[][] {
  const ptr = graph.csr.indptr.toNumbers(), indices = graph.csr.indices.toNumbers();
  return Array.from({ length: graph.numNodes }, (_, v) => indices.slice(ptr[v], ptr[v + 1]));
}

/** Cuts of gpmetis 5 with its default options (k-way, 3 % imbalance): k = 8 and 32. */
const METIS: Readonly<Record<string, readonly [number, number]>> = {
  "walshaw/add20.graph": [1842, 2921],
  "walshaw/3elt.graph": [366, 1048],
  "walshaw/uk.graph": [105, 299],
  "walshaw/whitaker3.graph": [691, 1773],
  "walshaw/cti.graph": [2135, 4752],
  "metis/4elt.graph": [636, 1737],
  "cora/cora.npz": [548, 1008],
  "citeseer/citeseer.npz": [151, 423],
};

dataTest(
  "multilevel cuts real graphs at most as METIS does, in geometric mean, within 1.03",
  () => {
    const cwd = freshDir();
    let logs = 0, count = 0;
    for (const [name, cuts] of Object.entries(METIS)) {
      gustOk(["import", dataPath(name), "-o", "g", "--force"], { cwd });
      const graph = new Graph(openFile(join(cwd, "g")));
      for (const [i, k] of [8, 32].entries()) {
        const { meta } = partitioned(graph, "multilevel", k);
        expect(meta.balance).toBeLessThanOrEqual(1.03);
        logs += Math.log(meta.cut / cuts[i]!);
        count++;
      }
    }
    expect(Math.exp(logs / count)).toBeLessThanOrEqual(1);
  },
  60_000,
);

test("multilevel keeps its books through climbs that come back: sparse graphs of many shapes and k", () => {
  for (let seed = 1; seed <= 24; seed++) {
    const n = 150 + 60 * seed, k = 2 + seed % 9;
    const rows = drawnRows(n, Math.floor(n * (1 + seed % 3 / 2)), seed);
    const { part, meta } = partitioned(graphOf({ rows }), "multilevel", k, { seed });
    expect(meta.cut).toBe(naive({ rows }, part, k).cut);
    expect(meta.balance).toBeLessThanOrEqual(1.03);
    expect(new Set(part).size).toBe(k);
  }
}, 60_000);

describe("weights of nodes", () => {
  const graph = generated("sbm", { nodes: 3000, classes: 6, degree: 12, homophily: 0.8, features: 8 });
  const degrees = rowsOf(graph).map((row) => row.length);
  // Heavy nodes come together: what balances nodes alone puts them into few parts.
  const skewed = degrees.map((_, v) => v % 6 === 0 ? 5 : 0);
  const weight = (name: string, values: readonly number[]) => ({
    name,
    values: NativeArray.from(BigInt64Array.from(values, BigInt)) as NativeArray<"I64">,
  });
  const entry = partitioners.get("multilevel");
  const parts = (weights: ReturnType<typeof weight>[], params = {}) =>
    entry.partition(graph, { k: 7, imbalance: 1.05, seed: 0, weights }, entry.params!.parse(params))
      .toNumbers();
  const balance = (part: readonly number[], values: readonly number[]) => {
    const sums = Array.from({ length: 7 }, () => 0);
    part.forEach((p, v) => sums[p]! += values[v]!);
    return Math.max(...sums) / Math.ceil(sums.reduce((a, b) => a + b) / 7);
  };
  const ones = degrees.map(() => 1);

  test("are each within the imbalance, one or several at once, by every scheme and effort", () => {
    for (const lists of [[degrees], [ones, skewed], [ones, degrees, skewed]]) {
      for (const params of [{}, { effort: "fast" }, { scheme: "bisection" }]) {
        const part = parts(lists.map((values, i) => weight(String(i), values)), params);
        for (const values of lists) expect(balance(part, values)).toBeLessThanOrEqual(1.05);
        expect(new Set(part).size).toBe(7);
      }
    }
  });

  test("of 1 for every node give what no weights give", () => {
    expect(parts([weight("nodes", ones)])).toEqual(parts([]));
  });

  test("may all be 0: every partition is in balance then", () => {
    const part = parts([weight("zero", degrees.map(() => 0))]);
    expect(new Set(part).size).toBe(7);
  });

  test("that sum to 2^31, and negative ones, are refused with the node's number", () => {
    expect(() => parts([weight("much", degrees.map(() => 2 ** 20))])).toThrow(
      /weight 0 of node 2047 is 1048576/,
    );
    expect(() => parts([weight("less", degrees.map((_, v) => v === 9 ? -1 : 1))])).toThrow(
      /weight 0 of node 9 is -1/,
    );
  });
});
