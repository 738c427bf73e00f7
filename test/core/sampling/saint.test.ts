/** GraphSAINT's samplers: how often nodes and arcs are in a batch, against enumeration, and what their weights are. */
import { describe, expect, test } from "bun:test";
import { setThreads } from "../../../ffi/engine.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { openTestDevice } from "../../_device.ts";
import { onEveryIsa } from "../../cu/_ops.ts";
import { arcsOf, batchesOf, draw, epochsOf, graphOf, randomRows } from "./_graphs.ts";

await openTestDevice();

/** A directed graph with a self-loop (0), nodes that nobody has an arc from (5, 6), an isolated one (6), and no way back. */
const rows = [[0, 1, 2], [0], [1, 3, 4], [2], [0, 3], [1, 4], []];
const N = rows.length;
const degree = rows.map((row) => row.length);
const DRAWS = 3, COVERAGE = 40_000;

/** Probability of each set of nodes that one walk visits, by enumeration: sets are bits. */
function visits(length: number, roots: readonly number[]): Map<number, number> {
  const sets = new Map<number, number>();
  const go = (at: number, left: number, seen: number, p: number) => {
    const now = seen | 1 << at;
    if (left === 0 || degree[at] === 0) sets.set(now, (sets.get(now) ?? 0) + p);
    else for (const u of rows[at]!) go(u, left - 1, now, p / degree[at]!);
  };
  roots.forEach((p, v) => go(v, length, 0, p));
  return sets;
}

/** P(all of `nodes` in a batch of DRAWS walks), by inclusion and exclusion over sets that are missed. */
function inBatch(sets: Map<number, number>, nodes: readonly number[]): number {
  let total = 0;
  for (let missed = 0; missed < 1 << nodes.length; missed++) {
    const bits = nodes.reduce((all, v, i) => missed >> i & 1 ? all | 1 << v : all, 0);
    const avoids = [...sets].reduce((sum, [set, p]) => (set & bits) === 0 ? sum + p : sum, 0);
    const sign = [...missed.toString(2)].filter((c) => c === "1").length % 2 ? -1 : 1;
    total += sign * avoids ** DRAWS;
  }
  return total;
}

const uniform = new Array<number>(N).fill(1 / N);
/** |column u of (D + I)^-1 (A + I)|^2, shares of the sum. */
const columns = (() => {
  const sums = rows.map((_, u) =>
    rows.reduce((sum, row, v) => sum + row.filter((x) => x === u).length / (degree[v]! + 1) ** 2, 0) +
    1 / (degree[u]! + 1) ** 2
  );
  const all = sums.reduce((a, b) => a + b, 0);
  return sums.map((s) => s / all);
})();

const degrees = degree.map((d) =>
  Math.max(1, d) / degree.reduce((sum, other) => sum + Math.max(1, other), 0)
);

const cases = [
  ["saint-node", { nodesPerBatch: DRAWS }, visits(0, columns)],
  ["saint-node", { nodesPerBatch: DRAWS, drawnBy: "degrees" }, visits(0, degrees)],
  ["saint-edge", { edgesPerBatch: DRAWS }, visits(1, uniform)],
  ["saint-walk", { roots: DRAWS, walkLength: 1 }, visits(1, uniform)],
  ["saint-walk", { roots: DRAWS, walkLength: 3, coverage: epochsOf(COVERAGE) }, visits(3, uniform)],
] as const;
/**
 * Closed forms are float32 numbers of float64 formulas. Estimates are off by 1 / sqrt(P * subgraphs), less than 1 % of each
 * probability with COVERAGE: six times that.
 */
const toleranceOf = (params: object) =>
  "coverage" in params ? 0.06 * Math.sqrt(COVERAGE / epochsOf(COVERAGE)) : 1e-6;
const BATCHES = epochsOf(10_000);

describe.each(cases)("%s %j", (method, params, sets) => {
  const graph = graphOf(rows);
  const batches = batchesOf(draw(graph, method, { ...params, batchesPerEpoch: BATCHES }));

  test("has each node and each arc as often as enumeration says", () => {
    const nodes = new Map<number, number>(), arcs = new Map<string, number>();
    for (const batch of batches) {
      for (const v of batch.nodes.toNumbers()) nodes.set(v, (nodes.get(v) ?? 0) + 1);
      for (const arc of arcsOf(batch, 0)) arcs.set(String(arc), (arcs.get(String(arc)) ?? 0) + 1);
    }
    expect(batches.length).toBe(BATCHES);
    // Each count is binomial: 5 standard deviations are one false alarm in 1.7 million, and the draws never change.
    const off = (count: number, p: number) =>
      Math.abs(count - BATCHES * p) - 5 * Math.sqrt(BATCHES * p * Math.max(0, 1 - p)) - 1e-6 * BATCHES;
    for (let v = 0; v < N; v++) expect(off(nodes.get(v) ?? 0, inBatch(sets, [v]))).toBeLessThan(0);
    rows.forEach((row, v) =>
      row.forEach((u) => {
        expect(off(arcs.get(`${v},${u}`) ?? 0, inBatch(sets, u === v ? [v] : [v, u]))).toBeLessThan(0);
      })
    );
  });

  test("has each set of nodes as often as enumeration says (chi-square)", () => {
    // Sets of nodes that DRAWS walks visit together.
    let union = new Map([[0, 1]]);
    for (let i = 0; i < DRAWS; i++) {
      const next = new Map<number, number>();
      for (const [a, p] of union) for (const [b, q] of sets) next.set(a | b, (next.get(a | b) ?? 0) + p * q);
      union = next;
    }
    const seen = new Map<number, number>();
    for (const { nodes } of batches) {
      const bits = nodes.toNumbers().reduce((all, v) => all | 1 << v, 0);
      seen.set(bits, (seen.get(bits) ?? 0) + 1);
    }
    for (const bits of seen.keys()) expect(union.has(bits)).toBe(true);
    // Sets that are expected less than 5 times count together.
    let chi = 0, cells = 0, rare = 0, rareSeen = 0;
    for (const [bits, p] of union) {
      const wanted = p * BATCHES, got = seen.get(bits) ?? 0;
      if (wanted < 5) {
        rare += wanted;
        rareSeen += got;
      } else {
        chi += (got - wanted) ** 2 / wanted;
        cells++;
      }
    }
    if (rare > 0) chi += (rareSeen - rare) ** 2 / rare;
    // Mean cells - 1, standard deviation sqrt(2 cells): five of them.
    expect(cells).toBeGreaterThan(5);
    expect(chi).toBeLessThan(cells + 5 * Math.sqrt(2 * cells));
  });

  test("weighs nodes by 1 / P(v) and arcs by P(v) / P(u and v)", () => {
    const tolerance = toleranceOf(params);
    for (const batch of batches.slice(0, 300)) {
      const nodes = batch.nodes.toNumbers();
      batch.nodeWeight!.toNumbers().forEach((w, i) => {
        expect(Math.abs(w * inBatch(sets, [nodes[i]!]) - 1)).toBeLessThan(tolerance);
      });
      const weights = batch.blocks[0]!.arcWeight!.toNumbers();
      arcsOf(batch, 0).forEach(([v, u], e) => {
        const alpha = u === v ? 1 : inBatch(sets, [v, u]) / inBatch(sets, [v]);
        expect(Math.abs(weights[e]! * alpha - 1)).toBeLessThan(tolerance);
      });
    }
  });
});

describe("weights", () => {
  // Small probabilities take a series, the hub's and many draws the functions it stands for; rows fill whole vectors and not.
  test.each([
    ["saint-node", { nodesPerBatch: 200 }],
    ["saint-node", { nodesPerBatch: 200, drawnBy: "degrees" }],
    ["saint-node", { nodesPerBatch: 20_000 }],
    ["saint-edge", { edgesPerBatch: 200 }],
    ["saint-edge", { edgesPerBatch: 20_000 }],
  ])(
    "of a graph of a thousand nodes are the closed form, with any instruction set: %s %j",
    (method, params) => {
      const n = 1000, many = randomRows(n, 16), m = Object.values(params)[0] as number;
      const arcs = many.map((row) => row.length);
      const roots = many.map((_, v) => "drawnBy" in params ? Math.max(1, arcs[v]!) : 1 / (arcs[v]! + 1) ** 2);
      if (!("drawnBy" in params)) {
        many.forEach((row, v) => row.forEach((u) => roots[u]! += 1 / (arcs[v]! + 1) ** 2));
      }
      const all = roots.reduce((a, b) => a + b, 0);
      const one = method === "saint-node" ? roots.map((root) => root / all) : many.map(() => 1 / n);
      if (method === "saint-edge") {
        many.forEach((row, v) => row.filter((u) => u !== v).forEach((u) => one[u]! += 1 / (n * arcs[v]!)));
      }
      const step = (v: number, u: number) => many[v]!.includes(u) ? 1 / (n * arcs[v]!) : 0;
      const both = (v: number, u: number) => method === "saint-node" ? 0 : step(v, u) + step(u, v);
      const P = (p: number) => -Math.expm1(m * Math.log1p(-p));
      const digests: string[][] = [];
      onEveryIsa(() => {
        const documents = draw(graphOf(many), method, { ...params, batchesPerEpoch: 4 });
        for (const batch of batchesOf(documents)) {
          const nodes = batch.nodes.toNumbers(), weights = batch.blocks[0]!.arcWeight!.toNumbers();
          batch.nodeWeight!.toNumbers().forEach((w, i) =>
            expect(Math.abs(w * P(one[nodes[i]!]!) - 1)).toBeLessThan(1e-6)
          );
          arcsOf(batch, 0).forEach(([v, u], e) => {
            const [pv, pu] = [one[v]!, one[u]!];
            const joint = P(pv) + P(pu) - P(pv + pu - both(v, u));
            expect(Math.abs(weights[e]! * (u === v ? 1 : joint / P(pv)) - 1)).toBeLessThan(2e-6);
          });
        }
        digests.push(documents.map(({ digest }) => digest));
      });
      for (const digest of digests) expect(digest).toEqual(digests[0]!);
    },
  );

  test("are the same on 1 and 2 threads", () => {
    const n = 300, random = new Random({ seed: 3, stream: "test.saint" });
    const many = Array.from(
      { length: n },
      (_, v) =>
        [...new Set(Array.from({ length: 1 + v % 9 }, (_, i) => random.below(v, i, n)))].sort((a, b) =>
          a - b
        ),
    );
    const several = { batchesPerEpoch: 50, epochs: 2 };
    for (
      const [method, params] of [
        ["saint-node", { nodesPerBatch: 20 }],
        ["saint-edge", { edgesPerBatch: 20 }],
        ["saint-walk", { roots: 10, walkLength: 3 }],
      ] as const
    ) {
      const [one, two] = [1, 2].map((threads) => {
        setThreads(threads);
        return draw(graphOf(many), method, { ...params, ...several }).map((d) => d.digest);
      });
      setThreads(0);
      expect(two).toEqual(one!);
    }
  });

  test("of a graph of one node, and of nodes without arcs, are those of drawing them", () => {
    for (const [method, params] of cases) {
      const own = { ...params, batchesPerEpoch: 20 };
      for (const { nodes, nodeWeight } of batchesOf(draw(graphOf([[]]), method, own))) {
        expect([nodes.toNumbers(), nodeWeight!.toNumbers()]).toEqual([[0], [1]]);
      }
      const lonely = batchesOf(draw(graphOf([[], [], [], []]), method, own));
      expect(new Set(lonely.flatMap(({ nodes }) => nodes.toNumbers())).size).toBe(4);
      const p = 1 - (3 / 4) ** DRAWS;
      for (const { nodeWeight } of lonely) {
        for (const w of nodeWeight!.toNumbers()) {
          expect(Math.abs(w * p - 1)).toBeLessThan(toleranceOf(params));
        }
      }
    }
  });
});
