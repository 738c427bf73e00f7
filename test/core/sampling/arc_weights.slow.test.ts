/** Samplers whose arcs have weights: what is drawn how often, and what sums over it average to. */
import { describe, expect, test } from "bun:test";
import type { Graph } from "../../../core/graph/graph.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import { arcsOf, batchesOf, draw, graphOf, randomRows, rowSums } from "./_graphs.ts";

await openTestDevice();

const N = 60;
const rows = randomRows(N, 8);
/** Rows that weigh their arcs from 0 to 3.75. */
const weights = rows.map((row, v) => row.map((u) => ((3 * u + v) % 16) / 4));
const x = (u: number) => 1 + Math.sin(u);
const all = { split: "all", batchSize: 20 };
const T = 3000;

/** Mean and standard error of rowSums() over the epochs, per node. */
function average(graph: Graph, method: string, params: Record<string, unknown>, epochs = T) {
  const sum = Array<number>(N).fill(0), squares = Array<number>(N).fill(0);
  for (const batch of batchesOf(draw(graph, method, { ...all, ...params, epochs }))) {
    for (const [v, value] of rowSums(batch, x)) {
      sum[v]! += value;
      squares[v]! += value * value;
    }
  }
  const mean = sum.map((s) => s / epochs);
  const variance = squares.map((s, v) => Math.max(0, s / epochs - mean[v]! ** 2));
  return { mean, variance, error: variance.map((s) => Math.sqrt(s / epochs)) };
}

const exact = (weighted: boolean) =>
  rows.map((row, v) => row.reduce((sum, u, i) => sum + (weighted ? weights[v]![i]! : 1) * x(u), 0));

/** How often each of `names` was drawn, against T p: chi-square over its degrees of freedom. */
function chiSquare(counts: readonly number[], expected: readonly number[]): number {
  return counts.reduce((sum, count, i) => sum + (count - expected[i]!) ** 2 / expected[i]!, 0);
}
/** Five standard deviations above its mean. */
const most = (freedom: number) => freedom + 5 * Math.sqrt(2 * freedom);

/** A node with `degree` in-neighbours, the last one. */
const star = (degree: number, given?: readonly number[]) =>
  graphOf([...Array.from({ length: degree }, () => []), Array.from({ length: degree }, (_, u) => u)], {
    train: [degree],
    ...(given ? { weights: [...Array.from({ length: degree }, () => []), [...given]] } : {}),
  });
const drawnOf = (graph: Graph, method: string, params: Record<string, unknown>, degree: number) => {
  const counts = Array<number>(degree).fill(0), sizes: number[] = [];
  for (const batch of batchesOf(draw(graph, method, params))) {
    const arcs = arcsOf(batch, 0);
    for (const [, u] of arcs) counts[u]!++;
    sizes.push(arcs.length);
  }
  return { counts, sizes };
};

describe.skipIf(testDevice !== "cpu")("arc weights", () => {
  const unbiased: [string, string, Record<string, unknown>, boolean][] = [
    ["ladies, rows as they are", "ladies", { layerSize: [12], normalize: false }, false],
    ["ladies of a weighted graph", "ladies", { layerSize: [25], normalize: false }, true],
    ["fastgcn", "fastgcn", { layerSize: [20] }, false],
    ["fastgcn of a weighted graph", "fastgcn", { layerSize: [20] }, true],
    ["neighbor with replacement", "neighbor", { fanout: [3], replace: true }, false],
    ["neighbor with replacement, edge weights besides", "neighbor", { fanout: [3], replace: true }, true],
    ["neighbor by weight", "neighbor", { fanout: [3], weighted: true }, true],
    ["neighbor by weight with replacement", "neighbor", { fanout: [3], weighted: true, replace: true }, true],
  ];
  test.each(unbiased)("make row sums average to those of all arcs: %s", (_, method, params, weighted) => {
    const graph = graphOf(rows, weighted ? { weights } : {});
    const { mean, error } = average(graph, method, params), want = exact(weighted);
    // Five standard errors, and Float32 rounding.
    const off = mean.map((m, v) => Math.abs(m - want[v]!) - 5 * error[v]! - 1e-4);
    expect(off.findIndex((d) => d > 0)).toBe(-1);
    // The draws vary, and a bias of an eighth would be seen at the average node.
    expect(Math.max(...error)).toBeGreaterThan(1e-3);
    expect(error.reduce((a, b) => a + b) / want.reduce((a, b) => a + b)).toBeLessThan(0.025);
  }, 60_000);

  const scaled: [string, string, Record<string, unknown>, number][] = [
    ["labor", "labor", { fanout: [6] }, 0.03],
    ["labor, 3 iterations", "labor", { fanout: [6], importance: 3 }, 0.06],
    ["ladies", "ladies", { layerSize: [30] }, 0.06],
  ];
  test.each(scaled)("that are scaled to a row's arcs are nearly unbiased: %s", (_, method, params, bound) => {
    const { mean } = average(graphOf(rows), method, params), want = exact(false);
    const total = want.reduce((a, b) => a + b);
    expect(Math.abs(mean.reduce((a, b) => a + b) - total) / total).toBeLessThan(bound);
    for (const batch of batchesOf(draw(graphOf(rows), method, { ...all, ...params, epochs: 20 }))) {
      const ptr = batch.blocks[0]!.indptr.toNumbers(), counts = batch.blocks[0]!.arcWeight!.toNumbers();
      batch.nodes.toNumbers().slice(0, batch.levelSizes[0]).forEach((v, r) => {
        const row = counts.slice(ptr[r], ptr[r + 1]);
        if (row.length) expect(row.reduce((a, b) => a + b) / rows[v]!.length).toBeCloseTo(1, 5);
      });
    }
  }, 60_000);
});

describe.skipIf(testDevice !== "cpu")("labor", () => {
  test("keeps each arc with probability fanout / degree, independently of the others", () => {
    const degree = 40, fanout = 8, epochs = 10_000, p = fanout / degree;
    const { counts, sizes } = drawnOf(star(degree), "labor", { fanout: [fanout], epochs }, degree);
    // Binomial: (1 - p) times the variance of a Poisson count.
    expect(chiSquare(counts, counts.map(() => epochs * p)) / (1 - p)).toBeLessThan(most(degree));
    const mean = sizes.reduce((a, b) => a + b) / epochs;
    const variance = sizes.reduce((s, k) => s + (k - mean) ** 2, 0) / epochs;
    const own = degree * p * (1 - p);
    expect(Math.abs(mean - fanout)).toBeLessThan(5 * Math.sqrt(own / epochs));
    // The variance of a sample variance is about 2 sigma^4 / n.
    expect(Math.abs(variance - own)).toBeLessThan(5 * own * Math.sqrt(2 / epochs));
  });

  test("keeps the same arcs in rows that have the same in-neighbours", () => {
    const shared = Array.from({ length: 30 }, (_, u) => u);
    const graph = graphOf([...shared.map(() => []), shared, shared], { train: [30, 31] });
    for (const batch of batchesOf(draw(graph, "labor", { fanout: [6], epochs: 50 }))) {
      const arcs = arcsOf(batch, 0), of = (v: number) => arcs.filter(([w]) => w === v).map(([, u]) => u);
      expect(of(30)).toEqual(of(31));
    }
  });

  test(
    "reaches fewer nodes than neighbour sampling, with iterations fewer still, at about the same variance",
    () => {
      const dense = randomRows(N, 25), graph = graphOf(dense);
      const reached = (method: string, params: Record<string, unknown>) => {
        const batches = batchesOf(draw(graph, method, { ...all, batchSize: 30, epochs: 200, ...params }));
        return batches.reduce((sum, { nodes }) => sum + nodes.length, 0) / batches.length;
      };
      const fanout = [3];
      const usual = reached("neighbor", { fanout }), fewer = reached("labor", { fanout });
      expect(fewer).toBeLessThan(0.95 * usual);
      expect(reached("labor", { fanout, importance: 5 })).toBeLessThan(fewer);
      const both = { fanout: [3, 3] };
      expect(reached("labor", { ...both, dependent: true })).toBeLessThan(reached("labor", both));

      const given = { fanout: [6] };
      const own = average(graphOf(rows), "labor", given).variance.reduce((a, b) => a + b);
      const other = average(graphOf(rows), "neighbor", { ...given, replace: true }).variance.reduce((a, b) =>
        a + b
      );
      expect(own).toBeLessThan(other);
    },
    60_000,
  );
});

describe.skipIf(testDevice !== "cpu")("ladies", () => {
  test("draws as many distinct nodes as it is told, in-neighbours of the rows alone", () => {
    for (const batch of batchesOf(draw(graphOf(rows), "ladies", { ...all, layerSize: [7, 5], epochs: 20 }))) {
      [7, 5].forEach((size, hop) => {
        const reached = batch.nodes.toNumbers().slice(0, batch.levelSizes[hop]);
        const candidates = new Set(reached.flatMap((v) => rows[v]!));
        const drawn = new Set(arcsOf(batch, hop).map(([, u]) => u));
        expect(drawn.size).toBe(Math.min(size, candidates.size));
        // Every arc between them is there.
        const wanted = reached.flatMap((v) => rows[v]!.filter((u) => drawn.has(u)).map((u) => `${v},${u}`));
        expect(arcsOf(batch, hop).map(String).sort()).toEqual(wanted.sort());
      });
    }
  });

  test("draws the more important of two nodes with probability 1 - b / 2a", () => {
    // Node 0 has no in-arcs, node 1 two: D + 1 = 1 and 3. Importance 1 : 1/3 of U_0 / 1 < U_1 / (1/3): 1 - 1/6.
    const graph = graphOf([[], [2, 3], [], [], [0, 1]], { train: [4] }), epochs = 10_000;
    const { counts, sizes } = drawnOf(graph, "ladies", { layerSize: [1], epochs }, 4);
    expect(new Set(sizes)).toEqual(new Set([1]));
    expect(Math.abs(counts[0]! / epochs - 5 / 6)).toBeLessThan(5 * Math.sqrt(5 / 36 / epochs));
  });
});

describe.skipIf(testDevice !== "cpu")("fastgcn", () => {
  test("draws each node by the square of its column of the normalised adjacency", () => {
    const degree = rows.map((row) => row.length + 1), q = Array<number>(N).fill(0);
    rows.forEach((row, v) => row.forEach((u) => q[u]! += 1 / degree[v]! / degree[u]!));
    const total = q.reduce((a, b) => a + b), drawn = Array<number>(N).fill(0), epochs = 10_000;
    // One batch of all nodes has every arc of the node that is drawn.
    for (
      const batch of batchesOf(
        draw(graphOf(rows), "fastgcn", { ...all, batchSize: N, layerSize: [1], epochs }),
      )
    ) {
      const sources = new Set(arcsOf(batch, 0).map(([, u]) => u));
      expect(sources.size).toBe(1);
      for (const u of sources) drawn[u]!++;
    }
    const known = [...q.keys()].filter((u) => q[u]! > 0);
    expect(drawn.reduce((a, b) => a + b)).toBe(known.reduce((sum, u) => sum + drawn[u]!, 0));
    const expected = known.map((u) => epochs * q[u]! / total);
    expect(chiSquare(known.map((u) => drawn[u]!), expected)).toBeLessThan(most(known.length - 1));
  });
});

describe.skipIf(testDevice !== "cpu")("neighbor", () => {
  const given = [0, 1, 2, 3, 4, 0, 6, 7, 8, 9];
  test.each([false, true])("draws one arc in proportion to its weight, replace = %p", (replace) => {
    const epochs = 10_000, params = { fanout: [1], weighted: true, replace, epochs };
    const { counts } = drawnOf(star(10, given), "neighbor", params, 10);
    const some = given.flatMap((w, u) => w > 0 ? [u] : []), total = given.reduce((a, b) => a + b);
    expect(counts.filter((_, u) => given[u] === 0)).toEqual([0, 0]);
    expect(chiSquare(some.map((u) => counts[u]!), some.map((u) => epochs * given[u]! / total)))
      .toBeLessThan(most(some.length - 1));
  });

  test("draws by weight without replacement as one after another would", () => {
    // Of weights 1, 2, 3: P(1 is left out) = P(2 then 3) + P(3 then 2) = 2/6 3/4 + 3/6 2/3 = 7/12.
    const epochs = 10_000;
    const { counts } = drawnOf(star(3, [1, 2, 3]), "neighbor", { fanout: [2], weighted: true, epochs }, 3);
    const left = [7 / 12, 4 / 15, 3 / 20];
    expect(chiSquare(counts.map((c) => epochs - c), left.map((p) => epochs * p))).toBeLessThan(most(2));
  });

  test("with replacement draws an arc m times with the odds of m / fanout of the row", () => {
    const epochs = 4000, degree = 5, fanout = 3;
    const counts = Array<number>(degree).fill(0);
    for (
      const batch of batchesOf(draw(star(degree), "neighbor", { fanout: [fanout], replace: true, epochs }))
    ) {
      const arcs = arcsOf(batch, 0), counted = batch.blocks[0]!.arcWeight!.toNumbers();
      const times = counted.map((w) => w * fanout / degree);
      for (const m of times) expect(m).toBeCloseTo(Math.round(m), 5);
      expect(times.reduce((a, b) => a + b)).toBeCloseTo(fanout, 5);
      arcs.forEach(([, u], i) => counts[u]! += Math.round(times[i]!));
    }
    expect(chiSquare(counts, counts.map(() => epochs * fanout / degree))).toBeLessThan(most(degree - 1));
  });

  test("refuses to draw by weights that are not there, or below 0", () => {
    expect(() => draw(star(3), "neighbor", { weighted: true })).toThrow(/stores no edge weights to draw by/);
    expect(() => draw(star(3, [1, -2, 3]), "neighbor", { weighted: true, fanout: [1] })).toThrow(
      /"edge_weight" holds -2 at position 1, expected weights of 0 to/,
    );
  });
});
