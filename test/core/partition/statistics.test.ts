/** Statistics of drawn partitions against their definitions, over sets. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { buildDocument } from "../../../core/format/document.ts";
import { evaluatePartition, partitionMetrics } from "../../../core/partition/quality.ts";
import { statistics } from "../../../core/partition/statistics.ts";
import { NativeArray } from "../../../ffi/native.ts";
import type { GraphParts } from "../_graphs.ts";
import { directedRows, drawnRows, graphOf, naive, partitioned, shapes } from "./_partitions.ts";

const even = (shares: readonly number[]) =>
  Math.max(...shares) / Math.max(1, Math.ceil(shares.reduce((a, b) => a + b, 0) / shares.length));

/** What naive() leaves out. */
function definitions(g: GraphParts, part: readonly number[], k: number) {
  const byPart = (weight: (v: number) => number) =>
    Array.from({ length: k }, (_, p) => part.reduce((sum, q, v) => sum + (q === p ? weight(v) : 0), 0));
  const edges = byPart((v) => g.rows[v]!.length), all = g.rows.flat().length;
  const inside = g.rows.reduce((sum, row, v) => sum + row.filter((u) => part[u] === part[v]).length, 0);
  const { halo } = naive(g, part, k);
  return {
    balances: {
      edges: even(edges),
      ...(g.split?.train ? { train: even(byPart((v) => g.split!.train!.includes(v) ? 1 : 0)) } : {}),
      ...(g.sparse ? { features: even(byPart((v) => g.features![v]!.filter((x) => x !== 0).length)) } : {}),
    },
    replication: (part.length + halo) / part.length,
    block_density: all === 0 ? null : inside / all,
    part_edges: [Math.min(...edges), Math.max(...edges)],
  };
}

test("statistics() counts what the definitions say, of any graph and any parts, empty ones too", () => {
  const graphs = fc.record({
    n: fc.integer({ min: 1, max: 50 }),
    degree: fc.integer({ min: 0, max: 5 }),
    k: fc.integer({ min: 1, max: 9 }),
    directed: fc.boolean(),
    rich: fc.boolean(),
  }).chain((g) =>
    fc.array(fc.nat(g.k - 1), { minLength: g.n, maxLength: g.n }).map((part) => ({ ...g, part }))
  );
  fc.assert(fc.property(graphs, ({ n, degree, k, directed, rich, part }) => {
    const rows = directed ? directedRows(n, degree, true) : drawnRows(n, n * degree, n);
    const parts: GraphParts = {
      rows,
      directed,
      ...(rich
        ? {
          weights: rows.map((row, v) => row.map((u) => 1 + u + v)),
          labels: rows.map((_, v) => v % 3 - 1),
          numClasses: 2,
          features: rows.map((_, v) => [v % 2, v % 3, 1]),
          sparse: true,
          split: { train: [0, n >> 1].filter((v, i, all) => all.indexOf(v) === i) },
        }
        : {}),
    };
    const said = statistics(graphOf(parts), NativeArray.from<"I32">(Int32Array.from(part)), k);
    const { cut, cutWeight, balance, halo, entropy } = naive(parts, part, k);
    expect(said).toMatchObject({ cut, balance, halo, ...definitions(parts, part, k) });
    if (rich) expect(said.cut_weight).toBeCloseTo(cutWeight, 6);
    if (entropy === null) expect(said.label_entropy).toBeNull();
    else expect(said.label_entropy).toBeCloseTo(entropy, 8);
  }));
});

test("evaluatePartition() finds in the parts what the document says, and refuses those of another graph", () => {
  const graph = graphOf(shapes["random graph"]!), { document, meta } = partitioned(graph, "multilevel", 7);
  const { metrics, statistics: counted } = evaluatePartition(graph, buildDocument(document));
  expect(meta).toMatchObject({ ...counted });
  expect(Object.keys(metrics)).toEqual(partitionMetrics.names);
  expect(metrics).toMatchObject({
    cut: meta.cut,
    volume: meta.halo,
    "cut-weight": null,
    "balance-train": null,
  });
  expect(() => evaluatePartition(graphOf(shapes["star"]!), buildDocument(document))).toThrow(
    /was made from a graph with digest .*, not from/,
  );
});
