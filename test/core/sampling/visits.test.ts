/** pinsage: which nodes walks visit, against transition probabilities, and what they weigh. */
import { describe, expect, test } from "bun:test";
import type { SampledBatch } from "../../../core/sampling/batches.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import { batchesOf, draw, graphOf, type GraphOptions, placesOf, randomRows, rowSums } from "./_graphs.ts";

await openTestDevice();

const WALKS = 60_000;

/** Visits to each node by `walks` walks from the only seed, which all take `steps` steps and do not come back to it. */
function visitsOf(batch: SampledBatch, degree: number, steps: number): Map<number, number> {
  const nodes = batch.nodes.toNumbers(), weight = batch.blocks[0]!.arcWeight!.toNumbers();
  return new Map(
    placesOf(batch, 0).map(([, c], i) => [nodes[c]!, Math.round(weight[i]! / degree * WALKS * steps)]),
  );
}

const one = (rows: readonly number[][], params: Record<string, unknown>, o: GraphOptions = {}) =>
  batchesOf(
    draw(graphOf(rows, { train: [0], ...o }), "pinsage", { fanout: [-1], walks: WALKS, stop: 0, ...params }),
  )[0]!;

describe.skipIf(testDevice !== "cpu")("pinsage", () => {
  test("steps to every in-neighbour alike", () => {
    const batch = one([[1, 2, 3, 4, 5], [], [], [], [], []], { walkLength: 1 });
    const wanted = WALKS / 5, visits = visitsOf(batch, 5, 1);
    expect(visits.size).toBe(5);
    const chiSquare = [...visits.values()].reduce((sum, n) => sum + (n - wanted) ** 2 / wanted, 0);
    expect(chiSquare).toBeLessThan(18.47); // 4 degrees of freedom, p = 0.001
  });

  // 0 <- 1 <- 2 or 3 with equal probability. At 2, which came from 1: 1 is where it came from, 3 is an in-neighbour of 1, 4
  // is neither. 3 <- 5 alone. So each walk takes 3 steps, and never comes to 0 again.
  const rows = [[1], [2, 3], [1, 3, 4], [5], [], []];
  test.each([[1, 1], [4, 0.25], [0.25, 4], [0.01, 1]])(
    "with p = %d and q = %d steps as node2vec does",
    (p, q) => {
      const n = visitsOf(one(rows, { walkLength: 3, returnP: p, inOutQ: q }), 1, 3);
      const at = (v: number) => n.get(v) ?? 0;
      expect([...n.values()].reduce((a, b) => a + b, 0)).toBe(3 * WALKS);
      expect(at(2) + at(5)).toBe(WALKS);
      expect(Math.abs(at(2) - WALKS / 2)).toBeLessThan(4 * Math.sqrt(WALKS) / 2);
      // Of the walks at 2: back to 1, to 3 as well as those that went there first, to 4.
      const went = [at(1) - WALKS, at(3) - at(5), at(4)], weights = [1 / p, 1, 1 / q];
      const sum = weights.reduce((a, b) => a + b, 0);
      const chiSquare = went.reduce((total, count, i) => {
        const wanted = at(2) * weights[i]! / sum;
        return total + (count - wanted) ** 2 / wanted;
      }, 0);
      expect(went.reduce((a, b) => a + b, 0)).toBe(at(2));
      expect(chiSquare).toBeLessThan(13.82); // 2 degrees of freedom, p = 0.001
    },
  );

  test("draws the same biased steps where rows are stored by time", () => {
    const byTime = one(rows, { walkLength: 3, returnP: 4, inOutQ: 0.25 }, { order: "time" });
    const byIndex = one(rows, { walkLength: 3, returnP: 4, inOutQ: 0.25 });
    expect(byTime.blocks[0]!.arcWeight!.toNumbers()).toEqual(byIndex.blocks[0]!.arcWeight!.toNumbers());
  });

  test("ends walks with probability stop before each step but the first", () => {
    // 0 <- 1 <- 2 <- 3: node l is visited by what is left after l - 1 chances to end.
    const batch = one([[1], [2], [3], []], { walkLength: 3, stop: 0.4 });
    const weight = batch.blocks[0]!.arcWeight!.toNumbers();
    const shares = [1, 0.6, 0.36], all = shares.reduce((a, b) => a + b, 0);
    expect(weight.length).toBe(3);
    // Each count is off by at most 5 sqrt(WALKS) / 2, and so is their sum thrice.
    const slack = 4 * 2.5 / Math.sqrt(WALKS);
    weight.forEach((w, i) => expect(Math.abs(w - shares[i]! / all)).toBeLessThan(slack));
  });

  test("keeps the nodes that are visited most, and their shares of the visits", () => {
    const many = randomRows(80, 6),
      params = { split: "all", batchSize: 20, walks: 50, walkLength: 4, stop: 0.1 };
    const all = batchesOf(draw(graphOf(many), "pinsage", { ...params, fanout: [-1] }));
    const some = batchesOf(draw(graphOf(many), "pinsage", { ...params, fanout: [3] }));
    const rowsOf = (batch: SampledBatch) => {
      const nodes = batch.nodes.toNumbers(), weight = batch.blocks[0]!.arcWeight!.toNumbers();
      const found = Array.from({ length: batch.numSeeds }, (): { u: number; w: number }[] => []);
      placesOf(batch, 0).forEach(([r, c], i) => found[r]!.push({ u: nodes[c]!, w: weight[i]! }));
      return found;
    };
    some.forEach((batch, b) => {
      const whole = rowsOf(all[b]!);
      rowsOf(batch).forEach((row, r) => {
        const top = whole[r]!.toSorted((x, y) => y.w - x.w || x.u - y.u).slice(0, 3);
        expect(row.map(({ u }) => u).sort()).toEqual(top.map(({ u }) => u).sort());
        const kept = top.reduce((sum, { w }) => sum + w, 0), d = whole[r]!.reduce((sum, { w }) => sum + w, 0);
        for (const { u, w } of top) {
          expect(row.find((x) => x.u === u)!.w).toBeCloseTo(w * d / kept, 4);
        }
      });
    });
  });

  test("weighs rows as the graph does, without self-loops", () => {
    const list = [[0, 1, 2], [0], [2], [1, 2, 4], []];
    const weights = [[9, 1, 2], [3], [5], [1, 1, 4], []];
    for (const order of ["index", "time"] as const) {
      const sums = (o: GraphOptions) =>
        rowSums(
          batchesOf(
            draw(graphOf(list, { ...o, order }), "pinsage", {
              fanout: [-1],
              walks: 30,
              walkLength: 1,
              split: "all",
            }),
          )[0]!,
          () => 1,
        );
      [2, 1, 0, 3, 0].forEach((d, v) => expect(sums({}).get(v)).toBeCloseTo(d, 5));
      [3, 3, 0, 6, 0].forEach((d, v) => expect(sums({ weights }).get(v)).toBeCloseTo(d, 5));
    }
  });

  test("with walks of one step has row sums of the graph's expectation", () => {
    const EPOCHS = 10_000, K = 3, list = [[1, 2, 3, 4], [], [], [], []];
    const x = (u: number) => u * u, values = [1, 4, 9, 16];
    let sum = 0;
    const params = { fanout: [-1], walks: K, walkLength: 1, epochs: EPOCHS };
    for (const batch of batchesOf(draw(graphOf(list, { train: [0] }), "pinsage", params))) {
      sum += rowSums(batch, x).get(0)!;
    }
    const mean = values.reduce((a, b) => a + b) / 4;
    const variance = values.reduce((total, v) => total + (v - mean) ** 2, 0) / 4;
    // The sum is 4 times a mean of K uniform draws.
    expect(Math.abs(sum / EPOCHS - 4 * mean)).toBeLessThan(4 * 4 * Math.sqrt(variance / K / EPOCHS));
  });

  test("leaves nodes without in-neighbours with empty rows", () => {
    const [batch] = batchesOf(draw(graphOf([[], [], [0]], { train: [0, 2] }), "pinsage", { fanout: [2, 2] }));
    expect(batch!.levelSizes).toEqual([2, 2, 2]);
    expect(placesOf(batch!, 0).length).toBe(1);
  });
});
