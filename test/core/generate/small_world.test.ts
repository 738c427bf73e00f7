import { describe, expect, test } from "bun:test";
import { edges, make } from "./_graphs.ts";

describe("small-world", () => {
  const rows = 40, cols = 50, params = { rows, cols, degree: 30, reach: 3 };
  const apart = (i: number, j: number, size: number) => Math.min(Math.abs(i - j), size - Math.abs(i - j));
  const distance = (u: number, v: number) =>
    Math.max(
      apart(Math.floor(u / cols), Math.floor(v / cols), rows),
      apart(u % cols, v % cols, cols),
    );

  test("edges go to every place of the square around a node, equally often", () => {
    const list = edges("small-world", { ...params, rewired: 0 }, 3);
    expect(list.length).toBe(rows * cols * 15);
    const counts = new Map<string, number>();
    for (const [u, v] of list) {
      expect(distance(u, v)).toBeGreaterThan(0);
      expect(distance(u, v)).toBeLessThanOrEqual(3);
      const around = (d: number, size: number) => ((d % size) + size + Math.floor(size / 2)) % size;
      const place = [
        around(Math.floor(v / cols) - Math.floor(u / cols), rows),
        around(v % cols - u % cols, cols),
      ];
      counts.set(place.join(), (counts.get(place.join()) ?? 0) + 1);
    }
    expect(counts.size).toBe(48);
    // 30,000 edges at 48 places: 625 each, with a deviation of 25.
    for (const count of counts.values()) expect(Math.abs(count - 625)).toBeLessThan(5 * 25);
  });

  test("as many edges as asked for lead anywhere", () => {
    const list = edges("small-world", { ...params, rewired: 0.3 }, 3);
    const far = list.filter(([u, v]) => distance(u, v) > 3).length;
    // 48 of the 1,999 other nodes are near.
    const expected = list.length * 0.3 * (1 - 48 / 1999);
    expect(Math.abs(far - expected)).toBeLessThan(5 * Math.sqrt(expected));
    expect(edges("small-world", { ...params, rewired: 1 }).every(([u, v]) => u !== v)).toBe(true);
  });

  test("a square that leads around the torus is refused", () => {
    expect(() => make("small-world", { rows: 6, cols: 50, reach: 3 })).toThrow(
      "--reach 3: on 6 x 50 nodes it leads around the torus, expected --rows and --cols of 7 at least",
    );
    expect(make("small-world", { rows: 3, cols: 3, reach: 1, degree: 0 }).graph.numEdges).toBe(0);
  });
});
