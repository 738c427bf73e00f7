/** Variance of sampled gradients: the terms add up, and are what the samplers' formulas say. */
import { expect, test } from "bun:test";
import { benchmarks } from "../../../core/bench/mod.ts";
import { reportText, thisMachine } from "../../../core/bench/report.ts";
import type { VarianceResult } from "../../../core/bench/variance.ts";
import { trainSamplers } from "../../../core/sampling/mod.ts";
import { sbmGraph } from "../_graphs.ts";
import { partitionOf } from "../sampling/_graphs.ts";

const N = 240;
const graph = sbmGraph({
  nodes: N,
  degree: 8,
  classes: 3,
  features: 8,
  featureNoise: 2,
  trainPerClass: 40,
  valPerClass: 5,
});
const partition = partitionOf(graph, Array.from({ length: N }, (_, v) => v % 8), 8);
const variance = benchmarks.get("variance");

async function measured(options: Record<string, unknown>, parts: typeof partition | null = null) {
  const given = { hidden: 8, epochs: 10, draws: 60, runs: 3, ...options };
  const context = { graph: () => ({ graph, label: "small" }), file: () => "", partition: () => parts };
  return await variance.run(
    { ...context, peers: null, seed: 1, program: [] },
    variance.params.parse(given) as Record<string, unknown>,
  );
}
const termsOf = async (options: Record<string, unknown>) =>
  Object.fromEntries((await measured(options)).map(({ name, variance }) => [name, variance!] as const));

test("bench variance has a line for each sampler and size, whose terms add up", async () => {
  const results = await measured({ batchSizes: [30], draws: 20 }, partition);
  expect(results.map(({ name }) => name)).toEqual(
    ["uniform", ...trainSamplers.names].map((name) => `${name} 30`),
  );
  for (const { variance, median_ms } of results) {
    const terms: VarianceResult = variance!;
    for (const part of [terms, ...terms.layers]) {
      // Squares of float32 differences, added up in float64.
      expect(part.rows + part.draws + part.cross).toBeCloseTo(
        part.error,
        5 - Math.ceil(Math.log10(part.rows + part.draws + 1)),
      );
      expect(Math.min(part.rows, part.draws, part.error)).toBeGreaterThanOrEqual(0);
    }
    expect(terms.layers.length).toBe(2);
    expect([terms.batch, terms.compared]).toEqual([30, 20]);
    expect(terms.counted).toBeWithin(1, 61);
    expect(Math.min(terms.sample_ms, terms.train_ms, median_ms)).toBeGreaterThan(0);
  }
  const text = reportText({ machine: thisMachine(), results });
  expect(text).toContain("step ms");
  expect(text).toMatch(/^vrgcn +30 /m);
  // No partition: no clusters.
  const without = await measured({ batchSizes: [30], draws: 10 });
  expect(without.map(({ variance }) => variance!.sampler)).not.toContain("cluster");
  await expect(measured({ samplers: ["cluster"] })).rejects.toThrow("no partition among the inputs");
}, 60_000);

test("batches that lack nothing have no error, and all of the choice is in the draws", async () => {
  const all = await termsOf({
    samplers: ["neighbor", "labor", "vrgcn"],
    fanout: [-1, -1],
    vrgcnFanout: [-1, -1],
    batchSizes: [30],
  });
  for (const terms of Object.values(all)) {
    expect(terms.rows).toBeLessThan(1e-8);
    expect(Math.abs(terms.error / terms.draws - 1)).toBeLessThan(1e-3);
    expect(Math.abs(terms.systematic)).toBeLessThan(0.1 * terms.error);
  }
  const whole =
    (await termsOf({ samplers: ["neighbor"], fanout: [-1, -1], batchSizes: [120] }))["neighbor 120"]!;
  expect(whole.error).toBeLessThan(1e-8);
});

test("draws vary by the formulas of drawing without replacement, and each on its own", async () => {
  const n = 120, sizes = [20, 60];
  const terms = await termsOf({ samplers: ["neighbor", "uniform"], batchSizes: sizes, draws: 300 });
  const ratio = terms["neighbor 20"]!.draws / terms["neighbor 60"]!.draws;
  // (1 / B - 1 / n); squares of 400 draws of 20 nodes are known to some 10 %.
  expect(ratio / ((1 / 20 - 1 / n) / (1 / 60 - 1 / n))).toBeWithin(0.75, 1.33);
  const own = terms["uniform 20"]!.draws / terms["uniform 60"]!.draws;
  expect(own / ((1 / 20 - 1 / n) / (1 / 60 - 1 / n))).toBeWithin(0.75, 1.33);
  // Once losses are unequal, scores tell nodes apart.
  const late = await termsOf({ samplers: ["uniform", "mvs"], batchSizes: sizes, draws: 100, epochs: 150 });
  for (const size of sizes) {
    expect(late[`mvs ${size}`]!.draws).toBeLessThan(0.7 * late[`uniform ${size}`]!.draws);
    expect(Math.abs(late[`mvs ${size}`]!.counted / size - 1)).toBeLessThan(0.1);
  }
}, 60_000);

test("kept rows make up for few neighbours", async () => {
  const terms = await termsOf({
    samplers: ["neighbor", "vrgcn"],
    fanout: [1, 1],
    vrgcnFanout: [1, 1],
    batchSizes: [60],
  });
  expect(terms["vrgcn 60"]!.rows).toBeLessThan(terms["neighbor 60"]!.rows / 4);
});

test("its options are checked", () => {
  for (
    const bad of [{ fanout: [3] }, { batchSizes: [] }, { samplers: ["full"] }, { draws: 2 }, { model: "gat" }]
  ) {
    expect(variance.params.safeParse(bad).success).toBe(false);
  }
});
