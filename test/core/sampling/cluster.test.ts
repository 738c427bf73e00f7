import { describe, expect, test } from "bun:test";
import { openTestDevice } from "../../_device.ts";
import { arcsOf, batchesOf, draw, epochsOf, graphOf, partitionOf, randomRows } from "./_graphs.ts";

await openTestDevice();

const N = 160;
const rows = randomRows(N, 6);
const graph = graphOf(rows);
const part = Array.from({ length: N }, (_, v) => (v * 3) % 8);

describe("cluster", () => {
  test("of one part is the full graph", () => {
    const one = draw(graph, "cluster", {}, { partition: partitionOf(graph, rows.map(() => 0), 1) });
    const [batch] = batchesOf(one), [whole] = batchesOf(draw(graph, "full", {}));
    expect(batch!.nodes.toNumbers()).toEqual(whole!.nodes.toNumbers());
    expect(batch!.blocks[0]!.indptr.toNumbers()).toEqual(whole!.blocks[0]!.indptr.toNumbers());
    expect(batch!.blocks[0]!.indices.toNumbers()).toEqual(rows.flat());
  });

  test("of all parts at once is the full graph", () => {
    const [batch] = batchesOf(
      draw(graph, "cluster", { partsPerBatch: 8 }, { partition: partitionOf(graph, part, 8) }),
    );
    expect(arcsOf(batch!, 0)).toEqual(rows.flatMap((row, v) => row.map((u): [number, number] => [v, u])));
  });

  test("equals dense slicing A[B, B], with the links between the q parts", () => {
    const dense = rows.map((row) => Array.from({ length: N }, (_, u) => row.includes(u) ? 1 : 0));
    const batches = batchesOf(
      draw(graph, "cluster", { partsPerBatch: 3, epochs: 2 }, { partition: partitionOf(graph, part, 8) }),
    );
    let between = 0;
    for (const batch of batches) {
      const nodes = batch.nodes.toNumbers();
      const { numRows, indptr, indices } = batch.blocks[0]!;
      const ptr = indptr.toNumbers(), columns = indices.toNumbers();
      const got = Array.from({ length: numRows }, (_, r) => {
        const row = Array<number>(numRows).fill(0);
        for (const c of columns.slice(ptr[r], ptr[r + 1])) row[c]!++;
        return row;
      });
      expect(got).toEqual(nodes.map((v) => nodes.map((u) => dense[v]![u]!)));
      between += arcsOf(batch, 0).filter(([v, u]) => part[v] !== part[u]).length;
    }
    expect(between).toBeGreaterThan(0);
  });

  test("takes q parts per batch, the last batch what is left, each part once per epoch", () => {
    const batches = batchesOf(
      draw(graph, "cluster", { partsPerBatch: 3, epochs: 4 }, { partition: partitionOf(graph, part, 8) }),
    );
    for (let epoch = 0; epoch < 4; epoch++) {
      const groups = batches.filter((b) => b.epoch === epoch).map((
        b,
      ) => [...new Set(b.nodes.toNumbers().map((v) => part[v]!))]);
      expect(groups.map((g) => g.length)).toEqual([3, 3, 2]);
      expect(groups.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
  });

  test("makes no batch of empty parts", () => {
    const sparse = partitionOf(graph, part.map((p) => p * 2), 16);
    const batches = batchesOf(draw(graph, "cluster", {}, { partition: sparse }));
    expect(batches.length).toBe(8);
    expect(batches.map((b) => b.nodes.length).reduce((a, b) => a + b)).toBe(N);
  });

  test("refuses a partition of another graph, saying how both were made", () => {
    const other = graphOf(randomRows(N, 6, 2));
    expect(() => draw(graph, "cluster", {}, { partition: partitionOf(other, part, 8) })).toThrow(
      /was made from a graph with digest [0-9a-f]{12}, not from/,
    );
  });

  test("refuses more parts per batch than there are", () => {
    const partition = partitionOf(graph, part, 8);
    expect(() => draw(graph, "cluster", { partsPerBatch: 9 }, { partition })).toThrow(
      /has 8 parts, expected at most 8/,
    );
  });
});

describe("node", () => {
  test("equals dense slicing of uniformly drawn nodes", () => {
    for (const batch of batchesOf(draw(graph, "node", { batchSize: 60 }))) {
      const inside = new Set(batch.nodes.toNumbers());
      const wanted = [...inside].flatMap((v) =>
        rows[v]!.filter((u) => inside.has(u)).map((u): [number, number] => [v, u])
      );
      expect(arcsOf(batch, 0)).toEqual(wanted);
    }
  });

  test("puts each pair of nodes together equally often", () => {
    // 6 nodes in batches of 2: 15 pairs, 3 batches per epoch. Chi-square over pairs of T * 3 / 15 each; counts are
    // negatively correlated, so 14 degrees of freedom bound it: mean 14, deviation 5.3, the bound 5 of these above.
    const T = epochsOf(3000);
    const small = graphOf(Array.from({ length: 6 }, () => []));
    const counts = new Map<string, number>();
    for (const { nodes } of batchesOf(draw(small, "node", { batchSize: 2, epochs: T }))) {
      const pair = nodes.toNumbers().join();
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    expect(counts.size).toBe(15);
    const mean = T / 5;
    expect([...counts.values()].reduce((sum, c) => sum + (c - mean) ** 2 / mean, 0)).toBeLessThan(
      14 + 5 * Math.sqrt(28),
    );
  });
});
