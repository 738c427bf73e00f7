/** What every partitioner owes, whatever its method. */
import { describe, expect, test } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { partitioners } from "../../../core/partition/mod.ts";
import { generated, graphOf, hasMetis, naive, partitioned, shapes } from "./_partitions.ts";

const named = (parts: "given" | "found") =>
  [...partitioners].filter((entry) => entry.parts === parts && entry.of === "nodes").map(({ name }) => name);
/** Methods without a draw. */
const fixed = new Set(["range", "label"]);

describe.each(named("given"))("partitioner %s", (method) => {
  const lacking = method === "metis" && !hasMetis;
  const owes = (what: string, body: () => void) =>
    test.skipIf(lacking)(lacking ? `${what} (skipped: no program gpmetis)` : what, body);

  for (const [name, parts] of Object.entries(shapes)) {
    const n = parts.rows.length;
    const graph = graphOf(parts);

    owes(`splits a ${name} into parts of at most imbalance * ceil(n / k) nodes, none empty`, () => {
      for (const k of [1, 2, 3, 8, Math.min(n, 200)].filter((k) => k <= n)) {
        for (const imbalance of [1, 1.03, 1.5]) {
          const { part } = partitioned(graph, method, k, { imbalance });
          expect(part).toHaveLength(n);
          const sizes = Array.from({ length: k }, () => 0);
          for (const p of part) sizes[p]!++;
          expect(sizes).toHaveLength(k);
          expect(Math.min(...sizes)).toBeGreaterThan(0);
          expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.max(1, imbalance) * Math.ceil(n / k));
        }
      }
    });

    owes(`reports what a naive count of a ${name} gives`, () => {
      for (const k of [1, 2, 5].filter((k) => k <= n)) {
        const { part, meta } = partitioned(graph, method, k);
        const { cut, balance, halo, entropy } = naive(parts, part, k);
        expect(meta).toMatchObject({ k, method, num_nodes: n, cut, balance, halo, graph: graph.digest });
        if (entropy === null) expect(meta.label_entropy).toBeNull();
        else expect(meta.label_entropy).toBeCloseTo(entropy, 8);
      }
    });
  }

  owes("keeps its promise under weights that are equal, zero, tiny or huge, and counts their cut", () => {
    const { rows } = shapes["many components"]!;
    for (const weight of [2.5, 0, 2 ** -100, 2 ** 100]) {
      const parts = { rows, weights: rows.map((row) => row.map(() => weight)) };
      const { part, meta } = partitioned(graphOf(parts), method, 8);
      expect(new Set(part).size).toBe(8);
      expect(meta.balance).toBeLessThanOrEqual(1.03);
      const { cut, cutWeight } = naive(parts, part, 8);
      expect(meta.cut).toBe(cut);
      expect(meta.cut_weight).toBe(cutWeight);
    }
  });

  owes("makes documents that pass every check", () => {
    const { document } = partitioned(graphOf(shapes["random graph"]!), method, 7);
    expect(checkDocument(buildDocument(document))).toEqual([]);
  });

  owes("gives the same bytes for any number of threads, and others for another seed", () => {
    // Past the size of one chunk, so that threads do share work.
    const graph = generated("grid", { rows: 190, cols: 190, features: 0 });
    const one = partitioned(graph, method, 6, { threads: 1, seed: 3 }).part;
    expect(partitioned(graph, method, 6, { threads: 2, seed: 3 }).part).toEqual(one);
    expect(partitioned(graph, method, 6, { threads: 5, seed: 3 }).part).toEqual(one);
    const other = partitioned(graph, method, 6, { threads: 2, seed: 4 }).part;
    if (fixed.has(method)) expect(other).toEqual(one);
    else expect(other).not.toEqual(one);
  });

  owes("puts all nodes into one part for k = 1 and refuses more parts than nodes", () => {
    const graph = graphOf(shapes["path"]!);
    expect(new Set(partitioned(graph, method, 1).part)).toEqual(new Set([0]));
    expect(() => partitioned(graph, method, 201)).toThrow("-k 201");
  });

  owes("gives a graph without nodes one empty part", () => {
    const { part, meta } = partitioned(graphOf({ rows: [] }), method, 1);
    expect(part).toEqual([]);
    expect(meta).toMatchObject({ cut: 0, balance: 0, halo: 0 });
  });
});

describe.each(named("found"))("partitioner %s, which finds the parts,", (method) => {
  for (const [name, parts] of Object.entries(shapes)) {
    const n = parts.rows.length, labels = parts.labels ?? Array.from({ length: n }, (_, v) => v % 4 - 1);
    const graph = graphOf({ ...parts, labels });

    test(`numbers the parts of a ${name} without a gap and reports what a naive count gives`, () => {
      const { part, meta, document } = partitioned(graph, method, 0);
      expect(new Set(part)).toEqual(new Set(Array.from({ length: meta.k }, (_, p) => p)));
      const { cut, balance, halo, entropy } = naive({ ...parts, labels }, part, meta.k);
      expect(meta).toMatchObject({ method, num_nodes: n, cut, balance, halo, graph: graph.digest });
      expect(meta.label_entropy).toBeCloseTo(entropy!, 8);
      expect(checkDocument(buildDocument(document))).toEqual([]);
    });
  }

  test("gives the same bytes for any number of threads", () => {
    const graph = generated("sbm", { nodes: 40000, classes: 5, degree: 6, features: 0 });
    const one = partitioned(graph, method, 0, { threads: 1, seed: 3 }).part;
    expect(partitioned(graph, method, 0, { threads: 3, seed: 3 }).part).toEqual(one);
  });

  test("gives a graph without nodes one empty part", () => {
    const { part, meta } = partitioned(graphOf({ rows: [], labels: [] }), method, 0);
    expect(part).toEqual([]);
    expect(meta).toMatchObject({ k: 1, cut: 0, balance: 0, halo: 0 });
  });
});
