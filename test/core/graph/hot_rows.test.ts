import { expect, test } from "bun:test";
import { arcsFrom } from "../../../core/graph/hot_rows.ts";
import { openTestDevice } from "../../_device.ts";
import { graphOf, randomRows } from "../sampling/_graphs.ts";

await openTestDevice();

test("arcs are counted where they come from, in directed graphs and others", () => {
  const directed = [[1, 2], [2], [], [2, 1]];
  expect([...arcsFrom(graphOf(directed))]).toEqual([0, 2, 3, 0]);
  const drawn = randomRows(300, 6).map((row) => [...new Set(row)]);
  const both = drawn.map((
    row,
    v,
  ) => [...new Set([...row, ...drawn.flatMap((other, u) => other.includes(v) ? [u] : [])])]);
  expect([...arcsFrom(graphOf(both, { meta: { directed: false } }))]).toEqual(both.map((row) => row.length));
  expect([...arcsFrom(graphOf([]))]).toEqual([]);
});
