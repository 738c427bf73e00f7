/** multilevel by communication volume: what it promises beside the same by cut. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { GraphParts } from "../_graphs.ts";
import { partitionMultilevel, partitionStatistics } from "../../../ffi/native_partition.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { drawnRows, generated, graphOf, naive, partitioned, shapes } from "./_partitions.ts";

const volume = { params: { objective: "volume" } };

describe.each(Object.keys(shapes))("by volume, a %s", (name) => {
  const parts = shapes[name]!, n = parts.rows.length, graph = graphOf(parts);
  test("has parts within the limit, none empty, and no more volume than by cut", () => {
    for (const k of [1, 2, 7, Math.min(n, 40)].filter((k) => k <= n)) {
      for (const [scheme, imbalance] of [["kway", 1], ["kway", 1.03], ["bisection", 1.5]] as const) {
        const made = (objective: string) =>
          partitioned(graph, "multilevel", k, { imbalance, params: { scheme, objective } });
        const { part, meta } = made("volume");
        expect(new Set(part).size).toBe(k);
        expect(meta.balance).toBeLessThanOrEqual(imbalance);
        expect(meta.halo).toBe(naive(parts, part, k).halo);
        expect(meta.halo).toBeLessThanOrEqual(made("cut").meta.halo);
      }
    }
  });
});

/** Whether no single move within the limit to a part next to the node lowers the volume, by counting it anew. */
function isLocallyBest(parts: GraphParts, part: readonly number[], k: number, imbalance: number): boolean {
  const even = Math.ceil(part.length / k), limit = Math.max(even, Math.floor(even * imbalance));
  const size = (p: number) => part.filter((q) => q === p).length;
  const { halo } = naive(parts, part, k);
  return part.every((own, v) =>
    size(own) === 1 ||
    [...new Set(parts.rows[v]!.map((u) => part[u]!))].every((to) =>
      to === own || size(to) >= limit || naive(parts, part.with(v, to), k).halo >= halo
    )
  );
}

test("by volume, small graphs end where no single move of a node to a part next to it lowers the volume", () => {
  const graphs = fc.record({
    n: fc.integer({ min: 2, max: 24 }),
    edges: fc.integer({ min: 0, max: 60 }),
    seed: fc.nat(1000),
  }).chain((g) => fc.integer({ min: 2, max: Math.min(g.n, 5) }).map((k) => ({ ...g, k })));
  fc.assert(fc.property(graphs, ({ n, edges, seed, k }) => {
    const parts = { rows: drawnRows(n, edges, seed) };
    const { part } = partitioned(graphOf(parts), "multilevel", k, { imbalance: 1.3, ...volume });
    expect(isLocallyBest(parts, part, k, 1.3)).toBeTrue();
  }));
});

test("a given partition never gets more volume, whatever its parts are", () => {
  const rows = drawnRows(60, 150), graph = graphOf({ rows });
  fc.assert(fc.property(fc.array(fc.nat(3), { minLength: 60, maxLength: 60 }), (given) => {
    const refine = NativeArray.from<"I32">(Int32Array.from(given));
    const { csr, meta: { directed } } = graph;
    // Room for everything, so that the given parts are within the limits.
    const part = partitionMultilevel(csr, directed, 4, {
      imbalance: 4,
      effort: "default",
      scheme: "kway",
      objective: "volume",
      seed: 0,
      refine,
    });
    const halo = (parts: NativeArray<"I32">) => partitionStatistics(csr, directed, parts, 4).halo;
    expect(halo(part)).toBeLessThanOrEqual(halo(refine));
  }));
});

test("by volume, graphs whose cut says little about it get less, the same on any number of threads", () => {
  const graph = generated("rmat", { scale: 12, edgeFactor: 8, features: 0 });
  const one = partitioned(graph, "multilevel", 16, { threads: 1, ...volume });
  expect(partitioned(graph, "multilevel", 16, { threads: 3, ...volume }).part).toEqual(one.part);
  const { halo } = partitioned(graph, "multilevel", 16).meta;
  expect(one.meta.halo).toBeLessThan(0.95 * halo);
});
