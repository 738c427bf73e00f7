import { expect, test } from "bun:test";
import { graphOf, grid, partitioned } from "./_partitions.ts";

test("random follows original ids, not the order of nodes", () => {
  const ids = [50, 7, 3, 90, 12, 4, 8, 61];
  const rows = ids.map(() => []);
  const first = partitioned(graphOf({ rows, ids }), "random", 3, { seed: 5 }).part;
  const order = [3, 1, 7, 0, 2, 6, 5, 4];
  const second =
    partitioned(graphOf({ rows, ids: order.map((v) => ids[v]!) }), "random", 3, { seed: 5 }).part;
  expect(second).toEqual(order.map((v) => first[v]!));
});

test("random cuts about (k - 1) / k of the edges", () => {
  // 7,800 edges, each cut with probability 0.9: 5 standard deviations are 133.
  const { meta } = partitioned(graphOf({ rows: grid(60, 66) }), "random", 10);
  const edges = 59 * 66 + 60 * 65;
  expect(Math.abs(meta.cut - 0.9 * edges)).toBeLessThan(133);
});
