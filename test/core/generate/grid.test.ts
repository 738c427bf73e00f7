import { describe, expect, test } from "bun:test";
import { make } from "./_graphs.ts";

/** Neighbours by trying all nodes: close in rows and columns, across the border on a torus. */
function reference(rows: number, cols: number, diagonal: boolean, torus: boolean): number[][] {
  const nodes = Array.from({ length: rows * cols }, (_, v) => [Math.floor(v / cols), v % cols] as const);
  const apart = (i: number, j: number, size: number) =>
    Math.min(Math.abs(i - j), torus ? size - Math.abs(i - j) : size);
  return nodes.map(([r, c]) =>
    nodes.flatMap(([s, d], u) => {
      const dr = apart(r, s, rows), dc = apart(c, d, cols);
      const near = diagonal ? Math.max(dr, dc) === 1 : dr + dc === 1;
      return near ? [u] : [];
    })
  );
}

describe("grid", () => {
  test("joins neighbours, by hand", () => {
    expect(make("grid", { rows: 2, cols: 3 }).rows).toEqual([[1, 3], [0, 2, 4], [1, 5], [0, 4], [1, 3, 5], [
      2,
      4,
    ]]);
  });

  test("matches the definition for all small sizes, open and closed, with 4 and 8 neighbours", () => {
    for (let rows = 1; rows <= 5; rows++) {
      for (let cols = 1; cols <= 5; cols++) {
        for (const diagonal of [false, true]) {
          for (const torus of [false, true]) {
            const made = make("grid", { rows, cols, diagonal, torus });
            expect(made.rows).toEqual(reference(rows, cols, diagonal, torus));
            expect(made.duplicates).toBe(0);
          }
        }
      }
    }
  });
});
