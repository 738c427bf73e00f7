/** Subgraphs around seeds (shadow, ppr): which nodes they have, by breadth-first search, enumeration and dense PageRank. */
import { describe, expect, test } from "bun:test";
import { NativeArray } from "../../../ffi/native.ts";
import { nativeSampler } from "../../../core/sampling/native.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import { arcsOf, batchesOf, draw, graphOf, permutation, placesOf, randomRows } from "./_graphs.ts";

await openTestDevice();

const N = 120;
const rows = randomRows(N, 5);
/** Every arc both ways. */
const undirected = rows.map((row, v) =>
  [...new Set([...row, ...rows.flatMap((other, u) => other.includes(v) ? [u] : [])])].sort((a, b) => a - b)
);
const all = { split: "all", batchSize: 10 };
const longs = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
const induced = (nodes: readonly number[]) =>
  nodes.flatMap((v) => rows[v]!.filter((u) => nodes.includes(u)).map((u) => `${v},${u}`)).sort();

/** The subgraph of each seed of a disjoint union: its nodes, seed first, and the arcs among them. */
function parts(batch: ReturnType<typeof batchesOf>[number]): { nodes: number[]; arcs: string[] }[] {
  const nodes = batch.nodes.toNumbers(), places = placesOf(batch, 0);
  const near = Array.from(nodes, (): number[] => []);
  for (const [r, c] of places) {
    near[r]!.push(c);
    near[c]!.push(r);
  }
  return Array.from({ length: batch.numSeeds }, (_, seed) => {
    const own = new Set([seed]);
    for (const at of own) for (const next of near[at]!) own.add(next);
    return {
      nodes: [...own].map((at) => nodes[at]!),
      arcs: places.filter(([r]) => own.has(r)).map(([r, c]) => `${nodes[r]},${nodes[c]}`).sort(),
    };
  });
}

/** Personalised PageRank of every seed, by the series of its walks: the walk ends where there are no in-neighbours. */
function dense(graphRows: readonly (readonly number[])[], teleport: number): number[][] {
  return graphRows.map((_, seed) => {
    let mass = graphRows.map((_, v) => Number(v === seed));
    const rank = mass.map(() => 0);
    for (let step = 0; step < 200; step++) {
      const next = mass.map(() => 0);
      mass.forEach((m, v) => {
        const { length } = graphRows[v]!;
        rank[v]! += length === 0 ? m : teleport * m;
        for (const u of graphRows[v]!) next[u]! += (1 - teleport) * m / length;
      });
      mass = next;
    }
    return rank;
  });
}

const pageRank = (graph: Graph, params: { teleport: number; epsilon: number; topk: number }) =>
  nativeSampler(graph).pageRank(longs([...Array(graph.numNodes).keys()]), params);

describe.skipIf(testDevice !== "cpu")("shadow", () => {
  test("has all nodes within the hops for -1, once for every seed, and all arcs between them", () => {
    for (const batch of batchesOf(draw(graphOf(rows), "shadow", { ...all, fanout: [-1, -1] }))) {
      const found = parts(batch), seeds = batch.nodes.toNumbers().slice(0, batch.numSeeds);
      seeds.forEach((seed, i) => {
        const ball = new Set([seed, ...rows[seed]!, ...rows[seed]!.flatMap((u) => rows[u]!)]);
        expect(sorted(found[i]!.nodes)).toEqual(sorted(ball));
        expect(found[i]!.arcs).toEqual(induced([...ball]));
      });
      // Nothing else is in the batch.
      expect(found.reduce((sum, { nodes }) => sum + nodes.length, 0)).toBe(batch.nodes.length);
    }
  });

  test("has seeds first, and the nodes around each in the order of their ids", () => {
    for (const batch of batchesOf(draw(graphOf(rows), "shadow", { ...all, fanout: [3, 2] }))) {
      const nodes = batch.nodes.toNumbers();
      let at = batch.numSeeds;
      parts(batch).forEach(({ nodes: own, arcs }, i) => {
        const others = own.slice(1);
        expect(own[0]).toBe(nodes[i]!);
        expect(nodes.slice(at, at += others.length)).toEqual(sorted(others));
        expect(arcs).toEqual(induced(own));
        expect(others.length).toBeLessThanOrEqual(3 + 3 * 2);
      });
      expect(at).toBe(nodes.length);
    }
  });

  test("draws each in-neighbour of a seed with probability fanout / degree, every set of them alike", () => {
    // Node 0 has 5 in-neighbours without any of their own: 2 of them are 10 sets.
    const star = graphOf([[1, 2, 3, 4, 5], [], [], [], [], []], { train: [0] });
    const EPOCHS = 10_000, counts = new Map<string, number>();
    for (const batch of batchesOf(draw(star, "shadow", { fanout: [2, 2], epochs: EPOCHS }))) {
      const set = String(batch.nodes.toNumbers().slice(1));
      counts.set(set, (counts.get(set) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    const wanted = EPOCHS / 10;
    const chiSquare = [...counts.values()].reduce((sum, c) => sum + (c - wanted) ** 2 / wanted, 0);
    expect(chiSquare).toBeLessThan(27.88); // 9 degrees of freedom, p = 0.001; the draws never change
  });

  test("reaches what the second hop finds with the product of both probabilities", () => {
    // 0 <- one of 1, 2; 1 <- one of 3, 4, 5.
    const tree = graphOf([[1, 2], [3, 4, 5], [], [], [], []], { train: [0] });
    const EPOCHS = 10_000, counts = new Array<number>(6).fill(0);
    for (const batch of batchesOf(draw(tree, "shadow", { fanout: [1, 1], epochs: EPOCHS }))) {
      for (const v of batch.nodes.toNumbers()) counts[v]!++;
    }
    [1, 1 / 2, 1 / 2, 1 / 6, 1 / 6, 1 / 6].forEach((p, v) =>
      expect(Math.abs(counts[v]! - EPOCHS * p)).toBeLessThanOrEqual(4 * Math.sqrt(EPOCHS * p * (1 - p)))
    );
  });

  test("draws the same around a seed whoever the other seeds of its batch are", () => {
    const sampler = nativeSampler(graphOf(rows)), key = { seed: 1, epoch: 0, firstStep: 0 };
    const count = (seeds: number[]) =>
      sampler.around(longs(seeds), [0, seeds.length], { fanout: [3, 3] }, true, key).sizes[0]!.levels[0]!;
    const together = count([5, 17, 30, 31]);
    expect([5, 17, 30, 31].map((seed) => count([seed])).reduce((a, b) => a + b)).toBe(together);
  });

  test("by PageRank has the nodes of the largest scores", () => {
    const params = { teleport: 0.2, epsilon: 1e-5, topk: 7 };
    const scores = pageRank(graphOf(rows), { ...params, topk: N });
    for (const batch of batchesOf(draw(graphOf(rows), "shadow", { ...all, extractor: "ppr", ...params }))) {
      const nodes = batch.nodes.toNumbers(), seeds = nodes.slice(0, batch.numSeeds);
      const around = seeds.map((s) => sorted(scores[s]!.nodes.filter((u) => u !== s).slice(0, 7)));
      expect(nodes.slice(seeds.length)).toEqual(around.flat());
      const arcs = seeds.flatMap((s, i) => induced([s, ...around[i]!]));
      expect(arcsOf(batch, 0).map(String).sort()).toEqual(arcs.sort());
    }
  });
});

describe.skipIf(testDevice !== "cpu")("approximate PageRank", () => {
  /** Small graphs: the exact scores of all pairs are compared. */
  const few = 60;
  const small = (list: readonly number[][]) => list.slice(0, few).map((row) => row.filter((u) => u < few));
  const lists = [["directed", small(rows)], ["undirected", small(undirected)]] as const;

  test.each(lists)("of a %s graph is below the exact one by less than its residuals allow", (name, list) => {
    for (const [teleport, epsilon] of [[0.15, 1e-3], [0.15, 1e-7], [0.5, 1e-2], [1, 1e-3]] as const) {
      const exact = dense(list, teleport), found = pageRank(graphOf(list), { teleport, epsilon, topk: few });
      const degree = list.map((row) => Math.max(1, row.length));
      // Above the exact one only as the probability is an integer of 2^-32.
      const above = 2 ** -32 / teleport + 1e-15;
      let worst = 0, least = 0;
      exact.forEach((rank, seed) => {
        const p = new Map(found[seed]!.nodes.map((u, i) => [u, found[seed]!.scores[i]!]));
        rank.forEach((value, u) => {
          const short = value - (p.get(u) ?? 0);
          // Every residual is below epsilon d, and counts as often as a walk from its node ends at u.
          const bound = name === "undirected"
            ? epsilon * degree[u]!
            : epsilon * degree.reduce((sum, d, w) => sum + d * exact[w]![u]!, 0);
          least = Math.min(least, short);
          worst = Math.max(worst, (short - above) / bound);
        });
      });
      expect(least).toBeGreaterThanOrEqual(-above);
      expect(worst).toBeLessThanOrEqual(1);
      if (teleport < 1) expect(worst).toBeGreaterThan(0.05); // the bound is not far off
    }
  });

  test("lists scores as they fall, the largest topk of them", () => {
    const whole = pageRank(graphOf(rows), { teleport: 0.25, epsilon: 1e-4, topk: N });
    const some = pageRank(graphOf(rows), { teleport: 0.25, epsilon: 1e-4, topk: 4 });
    whole.forEach(({ nodes, scores }, seed) => {
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(some[seed]).toEqual({ nodes: nodes.slice(0, 4), scores: scores.slice(0, 4) });
      expect(scores.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(1);
    });
  });

  test("is the same however nodes are numbered, to the last bit", () => {
    const to = permutation(N, 3), ids: number[] = [], movedRows: number[][] = [];
    to.forEach((w, v) => {
      ids[w] = v;
      movedRows[w] = sorted(rows[v]!.map((u) => to[u]!));
    });
    const params = { teleport: 0.25, epsilon: 1e-5, topk: 9 };
    const here = pageRank(graphOf(rows), params), there = pageRank(graphOf(movedRows, { ids }), params);
    here.forEach(({ nodes, scores }, v) => {
      expect(there[to[v]!]!.nodes.map((u) => ids[u]!)).toEqual(nodes);
      expect(there[to[v]!]!.scores).toEqual(scores);
    });
  });

  test("stays at a node without in-neighbours, and refuses what is no probability", () => {
    const graph = graphOf([[], [0]]), params = { teleport: 0.25, epsilon: 1e-4, topk: 3 };
    expect(pageRank(graph, params)).toEqual([
      { nodes: [0], scores: [1] },
      { nodes: [0, 1], scores: [0.75, 0.25] },
    ]);
    expect(pageRank(graph, { ...params, topk: 0 })).toEqual([
      { nodes: [], scores: [] },
      { nodes: [], scores: [] },
    ]);
    expect(() => pageRank(graph, { ...params, teleport: 0 })).toThrow("teleport 0");
    expect(() => pageRank(graph, { ...params, epsilon: 0 })).toThrow("epsilon 0");
  });
});

describe.skipIf(testDevice !== "cpu")("ppr", () => {
  const params = { teleport: 0.25, epsilon: 1e-5, topk: 6 };

  test("has seeds first, then the nodes of the largest scores of any of them, and all arcs between them", () => {
    const scores = pageRank(graphOf(rows), { ...params, topk: N });
    for (const batch of batchesOf(draw(graphOf(rows), "ppr", { ...all, ...params }))) {
      const nodes = batch.nodes.toNumbers(), seeds = nodes.slice(0, batch.numSeeds);
      const near = new Set(seeds.flatMap((s) => scores[s]!.nodes.filter((u) => u !== s).slice(0, 6)));
      expect(nodes.slice(seeds.length)).toEqual(sorted(near).filter((u) => !seeds.includes(u)));
      expect(arcsOf(batch, 0).map(String).sort()).toEqual(induced(nodes));
    }
  });

  test("refuses a seed that a batch has twice", () => {
    const sampler = nativeSampler(graphOf(rows)), key = { seed: 1, epoch: 0, firstStep: 0 };
    expect(() => sampler.around(longs([3, 4, 3]), [0, 3], params, false, key)).toThrow(
      "node 3 is twice in one batch",
    );
    expect(() => sampler.around(longs([3, N]), [0, 2], params, true, key)).toThrow(`node ${N}`);
  });
});
