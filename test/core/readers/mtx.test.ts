import { expect, test } from "bun:test";
import { openNative } from "../../../ffi/native.ts";
import { importContent, messageOf, rowsOf } from "./_import.ts";

await openNative();

const banner = (words: string) => `%%MatrixMarket matrix coordinate ${words}\n`;

test("mtx takes entry i j of a general matrix as the arc i -> j", () => {
  const imported = importContent(banner("real general") + "% comment\n\n3 3 3\n1 2 0.5\n3 2 2\n2 2 -1\n");
  expect(imported.format).toBe("mtx");
  expect(rowsOf(imported)).toEqual([[], [0, 1, 2], []]);
  expect(imported.document.tensor("edge_weight", "F32").toNumbers()).toEqual([0.5, -1, 2]);
  expect(imported.meta).toMatchObject({ directed: true, self_loops: 1 });
});

test("mtx takes entries of a symmetric matrix in both directions", () => {
  const imported = importContent(banner("integer symmetric") + "3 3 2\n2 1 7\n3 3 4\n");
  expect(rowsOf(imported)).toEqual([[1], [0], [2]]);
  expect(imported.document.tensor("edge_weight", "F32").toNumbers()).toEqual([7, 7, 4]);
  expect(imported.meta.directed).toBe(false);
  expect(imported.report.arcsAdded).toBe(1);
});

test("mtx takes entries of a symmetric matrix as arcs with --directed", () => {
  const imported = importContent(banner("pattern symmetric") + "2 2 1\n2 1\n", { directed: true });
  expect(rowsOf(imported)).toEqual([[1], []]);
  expect(imported.meta.directed).toBe(true);
});

test("mtx reads banners in any case, and keeps nodes without entries", () => {
  const imported = importContent("%%matrixmarket MATRIX Coordinate Pattern GENERAL\n4 4 1\n1 2\n");
  expect(imported.meta).toMatchObject({ num_nodes: 4, num_edges: 1 });
  expect(imported.report.isolated).toBe(2);
});

test("mtx reads a file that counts from 0 when told so", () => {
  expect(rowsOf(importContent(banner("pattern general") + "2 2 1\n0 1\n", { indexBase: 0 }))).toEqual([[], [
    0,
  ]]);
});

test("mtx refuses another number of nodes than its size line says", () => {
  const message = messageOf(() => importContent(banner("pattern general") + "2 2 1\n1 2\n", { numNodes: 3 }));
  expect(message).toContain("has 2 nodes, but --num-nodes says 3");
});

test("mtx merges entries given twice and counts them", () => {
  const imported = importContent(banner("pattern general") + "2 2 2\n1 2\n1 2\n");
  expect(imported.report.duplicatesMerged).toBe(1);
  expect(imported.document.has("edge_weight")).toBe(false);
});
