/** Pictures of matrices against a count entry by entry. */
import { expect, test } from "bun:test";
import { buildDocument } from "../../../core/format/document.ts";
import { spyOf } from "../../../core/inspect/spy.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { spyCounts } from "../../../ffi/native_order.ts";
import { directedRows, drawnRows, graphOf, partitioned } from "../partition/_partitions.ts";

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

test.each([["undirected", drawnRows(700, 3000), false], ["directed", directedRows(300, 5, true), true]])(
  "spyOf() counts every entry of an %s matrix in its cell, before and after",
  (_, rows, directed) => {
    const graph = graphOf({ rows, directed }), n = rows.length, side = Math.min(256, n);
    const document = buildDocument(partitioned(graph, "multilevel", 5).document);
    const order = document.tensor("order", "I64").toNumbers();
    const place = order.reduce<number[]>((at, v, i) => (at[v] = i, at), []);
    const naive = (at: (v: number) => number) => {
      const counts = Array.from({ length: side * side }, () => 0),
        cell = (v: number) => Math.floor(v * side / n);
      rows.forEach((row, v) => row.forEach((u) => counts[cell(at(v)) * side + cell(at(u))]!++));
      return counts;
    };
    const { before, after } = spyOf(graph.document, document);
    expect(before).toEqual(naive((v) => v));
    expect(after).toEqual(naive((v) => place[v]!));
    expect(sum(after)).toBe(rows.flat().length);
    setThreads(1);
    expect(spyOf(graph.document, document)).toEqual({ before, after });
    setThreads(0);
  },
);

test("spyCounts() takes matrices without rows, and spyOf() refuses a partition of another graph", () => {
  expect(spyCounts(graphOf({ rows: [] }).csr, null, 0)).toEqual([]);
  const graph = graphOf({ rows: drawnRows(20, 30) }), other = graphOf({ rows: drawnRows(20, 60) });
  const document = buildDocument(partitioned(graph, "random", 2).document);
  expect(() => spyOf(other.document, document)).toThrow("was made from a graph");
});
