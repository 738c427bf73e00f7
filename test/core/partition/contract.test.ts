/** What every partitioner owes, whatever its method. */
import { describe, expect, test } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { partitioners } from "../../../core/partition/mod.ts";
import { generated, graphOf, hasMetis, naive, partitioned, shapes } from "./_partitions.ts";

describe.each(partitioners.names)("partitioner %s", (method) => {
  const lacking = method === "metis" && !hasMetis;
  const owes = (what: string, body: () => void) =>
    test.skipIf(lacking)(lacking ? `${what} (skipped: no program gpmetis)` : what, body);

  for (const [name, parts] of Object.entries(shapes)) {
    const n = parts.rows.length;
    const graph = graphOf(parts);

    owes(`splits a ${name} into parts of at most imbalance * ceil(n / k) nodes, none empty`, () => {
      for (const k of [1, 2, 3, 8, n].filter((k) => k <= n)) {
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
    expect(partitioned(graph, method, 6, { threads: 2, seed: 4 }).part).not.toEqual(one);
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
