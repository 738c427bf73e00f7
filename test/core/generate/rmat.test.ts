import { describe, expect, test } from "bun:test";
import { edges, make } from "./_graphs.ts";

describe("rmat", () => {
  test.each([[5, [0.57, 0.19, 0.19]], [4, [0.1, 0.2, 0.3]], [18, [0.25, 0.25, 0.25]]] as const)(
    "chooses quadrants with the asked probabilities at every one of %d levels",
    (scale, [a, b, c]) => {
      const list = edges("rmat", { scale, a, b, c, edges: 40_000, directed: true }, 9);
      const p = [a, b, c, 1 - a - b - c];
      // Self-loops do not come: the edges that took only the diagonal quadrants are missing from all counts alike.
      const diagonal = (p[0]! + p[3]!) ** scale, missing = 40_000 * diagonal;
      expect(Math.abs(40_000 - list.length - missing)).toBeLessThan(
        5 * Math.sqrt(missing * (1 - diagonal)) + 1,
      );
      for (let level = 0; level < scale; level++) {
        const counts = [0, 0, 0, 0];
        for (const [from, to] of list) counts[(from >> level & 1) * 2 + (to >> level & 1)]!++;
        counts.forEach((count, quadrant) => {
          const onDiagonal = quadrant === 0 || quadrant === 3;
          const lost = onDiagonal ? p[quadrant]! * (p[0]! + p[3]!) ** (scale - 1) : 0;
          const expected = 40_000 * (p[quadrant]! - lost);
          expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected));
        });
      }
    },
  );

  test("levels are independent, within one draw and across draws", () => {
    // Bits of the source at two levels: P(both 1) = (c + d)^2.
    const list = edges("rmat", { scale: 12, a: 0.4, b: 0.3, c: 0.2, edges: 40_000, directed: true }, 4);
    for (const [i, j] of [[11, 10], [8, 9], [7, 8], [0, 11]] as const) {
      const both = list.filter(([from]) => (from >> i & 1) && (from >> j & 1)).length;
      expect(Math.abs(both - 40_000 * 0.09)).toBeLessThan(5 * Math.sqrt(40_000 * 0.09));
    }
  });

  test("certain quadrants leave one edge, or only self-loops", () => {
    const corner = make("rmat", { scale: 6, a: 0, b: 1, c: 0, edges: 100, directed: true });
    expect(corner.rows[63]).toEqual([0]);
    expect(corner).toMatchObject({ duplicates: 99, selfLoops: 0 });
    const loops = make("rmat", { scale: 6, a: 1, b: 0, c: 0, edges: 100 });
    expect(loops.graph.numEdges).toBe(0);
    expect(loops.selfLoops).toBe(100);
  });

  test("--permute renames the nodes of the same graph", () => {
    const params = { scale: 9, edgeFactor: 8 };
    const degrees = (permute: boolean) =>
      make("rmat", { ...params, permute }, 2).rows.map((row) => row.length);
    const plain = degrees(false), shuffled = degrees(true);
    expect(shuffled).not.toEqual(plain);
    expect(shuffled.toSorted((x, y) => x - y)).toEqual(plain.toSorted((x, y) => x - y));
    // Without it, node 0 has the largest degree.
    expect(plain[0]).toBe(Math.max(...plain));
  });

  test("probabilities that sum to more than 1 are refused", () => {
    expect(() => make("rmat", { a: 0.5, b: 0.4, c: 0.2 })).toThrow("expected at most 1");
  });
});
