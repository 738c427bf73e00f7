import { expect, test } from "bun:test";
import { openNative } from "../../../ffi/native.ts";
import { fixture, importContent, importFile, messageOf, rowsOf } from "./_import.ts";

await openNative();

test("metis reads comments, blank lines of isolated vertices and blank lines at the end", () => {
  const imported = importContent("% header follows\n4 2\n2\n% inside\n1 4\n\n2\n\n\n");
  expect(imported.format).toBe("metis");
  expect(rowsOf(imported)).toEqual([[1], [0, 3], [], [1]]);
  expect(imported.report.isolated).toBe(1);
});

test("metis keeps vertex weights, sizes and edge weights", () => {
  const imported = importContent("3 2 111 2\n9 1 2  2 5\n8 3 4  1 5 3 6\n7 5 6  2 6\n");
  const { document } = imported;
  expect(rowsOf(imported)).toEqual([[1], [0, 2], [1]]);
  expect(document.tensor("edge_weight", "F32").toNumbers()).toEqual([5, 5, 6, 6]);
  expect(document.tensor("node_weight", "I64").toNumbers()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(document.spec("node_weight").shape).toEqual([3, 2]);
  expect(document.tensor("extra/node_size", "I64").toNumbers()).toEqual([9, 8, 7]);
});

test("metis keeps vertex weights with their nodes in the largest component", () => {
  const { document } = importContent("5 3 010\n10 2\n20 1\n30 4\n40 3 5\n50 4\n", { largestComponent: true });
  expect(document.tensor("node_weight", "I64").toNumbers()).toEqual([30, 40, 50]);
  expect(document.tensor("node_ids", "I64").toNumbers()).toEqual([2, 3, 4]);
});

test("metis takes asymmetric lists as out-neighbours with --directed", () => {
  const imported = importFile(fixture("bad/asymmetric.graph"), { directed: true });
  expect(rowsOf(imported)).toEqual([[1], [0, 2, 3], [1], [2]]);
  expect(imported.meta.directed).toBe(true);
});

test("metis repairs asymmetric lists with --symmetrize, and counts what it added", () => {
  const imported = importFile(fixture("bad/asymmetric.graph"), { symmetrize: true });
  expect(rowsOf(imported)).toEqual([[1], [0, 2, 3], [1, 3], [1, 2]]);
  expect(imported.report.arcsAdded).toBe(2);
});

test("metis reads files that count from 0 when told so", () => {
  expect(rowsOf(importFile(fixture("bad/neighbour_zero.graph"), { indexBase: 0 }))).toEqual([[1], [0, 2], [
    1,
  ]]);
});

test("metis refuses a header that asks for more vertices than the file has bytes", () => {
  expect(messageOf(() => importContent("1000000000000 1\n2\n1\n", { format: "metis" }))).toContain(
    "more than the file has bytes",
  );
});

test("metis reads lists of many chunks as the edges they stand for", () => {
  // A ring with chords: 9 MB of lists, cut at 4 MiB by the parallel parser.
  const n = 150_000, steps = [1, 2, 5, 1000];
  const neighbours = (v: number) => steps.flatMap((s) => [(v + s) % n, (v + n - s) % n]);
  const lines = Array.from({ length: n }, (_, v) => neighbours(v).map((u) => u + 1).join(" "));
  const imported = importContent(`${n} ${n * steps.length}\n${lines.join("\n")}\n`);
  expect(imported.meta).toMatchObject({ num_nodes: n, num_edges: 2 * n * steps.length, directed: false });
  const { document } = imported;
  for (const v of [0, 1, 74_999, 75_000, n - 1]) {
    const row = document.tensor("indices", "I32").window(8 * v, 8);
    expect(Array.from(row)).toEqual(neighbours(v).sort((a, b) => a - b));
  }
});
