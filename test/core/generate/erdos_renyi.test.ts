import { describe, expect, test } from "bun:test";
import { edges, make, pairs } from "./_graphs.ts";

describe("erdos-renyi", () => {
  test("all pairs asked for are the complete graph, for even and odd sizes", () => {
    for (const n of [2, 3, 4, 5, 6, 17, 64, 101]) {
      const all = Array.from({ length: n }, (_, v) => v);
      const complete = all.map((v) => all.filter((u) => u !== v));
      const undirected = make("erdos-renyi", { nodes: n, edges: n * (n - 1) / 2 });
      expect(undirected.rows).toEqual(complete);
      expect(undirected.duplicates).toBe(0);
      const directed = make("erdos-renyi", { nodes: n, edges: n * (n - 1), directed: true });
      expect(directed.rows).toEqual(complete);
      expect(directed.duplicates).toBe(0);
    }
  });

  test("edges are exactly as many as asked for", () => {
    for (const m of [0, 1, 1000, 49_000]) {
      expect(pairs(make("erdos-renyi", { nodes: 400, edges: m }, m).rows).length).toBe(m);
    }
  });

  test("every pair is as likely as any other, and so is every pair of pairs", () => {
    // 4000 graphs of 3 of the 15 pairs of 6 nodes.
    const single = new Map<string, number>(), joint = new Map<string, number>(), runs = 4000;
    for (let seed = 0; seed < runs; seed++) {
      const names = edges("erdos-renyi", { nodes: 6, edges: 3 }, seed).map(([u, v]) =>
        `${Math.min(u, v)}-${Math.max(u, v)}`
      );
      names.sort();
      for (const name of names) single.set(name, (single.get(name) ?? 0) + 1);
      for (let i = 0; i < 3; i++) {
        for (let j = i + 1; j < 3; j++) {
          joint.set(`${names[i]} ${names[j]}`, (joint.get(`${names[i]} ${names[j]}`) ?? 0) + 1);
        }
      }
    }
    // Chi-square over k cells has mean k - 1 and variance 2 (k - 1): six deviations.
    const chiSquare = (counts: Map<string, number>, cells: number, total: number) => {
      expect(counts.size).toBe(cells);
      return [...counts.values()].reduce((sum, n) => sum + (n - total / cells) ** 2 / (total / cells), 0);
    };
    expect(chiSquare(single, 15, 3 * runs)).toBeLessThan(14 + 6 * Math.sqrt(28));
    expect(chiSquare(joint, 105, 3 * runs)).toBeLessThan(104 + 6 * Math.sqrt(208));
  });

  test("more edges than pairs are refused", () => {
    expect(() => make("erdos-renyi", { nodes: 5, edges: 11 })).toThrow("expected at most 10 distinct pairs");
    expect(() => make("erdos-renyi", { nodes: 0, edges: 1 })).toThrow("expected at most 0 distinct pairs");
  });
});
