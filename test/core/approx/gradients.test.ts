/** Gradients with the whole budget, over every model that takes approximations; refusals of the others. */
import { describe, expect, test } from "bun:test";
import { models } from "../../../core/models/mod.ts";
import { Run } from "../../../core/train/job.ts";
import { sbmGraph } from "../_graphs.ts";
import { draw, partitionOf } from "../sampling/_graphs.ts";
import { batchSource, fullSource, job, setting, steps } from "../train/_train.ts";
import { rscOn, sampledSteps, WARMUP } from "./_approx.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

const graph = sbmGraph({ nodes: 200, degree: 8, classes: 3, features: 10, trainPerClass: 20 });
const train = [...graph.split("train")!].map(Number);
const small: Record<string, Record<string, unknown>> = {
  gcn: { hidden: 8, layers: 3 },
  "cluster-gcn": { hidden: 8, layers: 3 },
  sage: { hidden: 8 },
  gin: { hidden: 8, layers: 2 },
  gcnii: { hidden: 8, layers: 4 },
  appnp: { hidden: 8, hops: 4 },
};
const accepting = [...models].filter(({ accepts, params }) =>
  accepts.approx(params!.parse({}) as Record<string, unknown>) === null
).map(({ name }) => name);

test("the models with a small setting are those that take approximations", () => {
  expect(accepting.toSorted()).toEqual(Object.keys(small).toSorted());
});

describe.each(accepting)("%s", (name) => {
  test("a whole budget gives the exact gradients: rows that are left out are zero", () => {
    const s = setting(graph, name, small[name]!), source = fullSource(s, graph, train);
    const [want] = steps(s, source, { epoch: WARMUP });
    const { source: sampled, approximation } = rscOn(s, graph, source, { budget: 1 });
    const [got] = sampledSteps(s, sampled);
    expect(approximation.report()!.budget).toBeGreaterThan(0.2);
    expect(got).toEqual(want!);
    s.engine.destroy();
  });

  test("a part of the budget changes gradients, and neither loss nor logits", () => {
    const s = setting(graph, name, small[name]!), source = fullSource(s, graph, train);
    const [want] = steps(s, source, { epoch: WARMUP });
    const { source: sampled, approximation } = rscOn(s, graph, source, { budget: 0.2 });
    const [got] = sampledSteps(s, sampled);
    expect([got!.loss, got!.logits]).toEqual([want!.loss, want!.logits]);
    expect(got!.gradients).not.toEqual(want!.gradients);
    expect(approximation.report()!.budget).toBeLessThanOrEqual(0.25);
    s.engine.destroy();
  });
});

test("batches of clusters choose their rows in every step", () => {
  const s = setting(graph, "gcn", small["gcn"]!);
  const partition = partitionOf(graph, Array.from({ length: 200 }, (_, v) => v % 4), 4);
  const source = () => batchSource(s, graph, draw(graph, "cluster", { epochs: 10 }, { partition }), train);
  const want = steps(s, source(), { epoch: WARMUP });
  const whole = rscOn(s, graph, source(), { budget: 1 });
  expect(sampledSteps(s, whole.source)).toEqual(want);
  const part = rscOn(s, graph, source(), { budget: 0.3 });
  const got = sampledSteps(s, part.source);
  expect(got.map((step) => step.loss)).toEqual(want.map((step) => step.loss));
  expect(got).not.toEqual(want);
  s.engine.destroy();
});

describe("refusals", () => {
  const approx = { name: "rsc", params: {} };
  const start = (model: string, params: Record<string, unknown> = {}, rest = {}) =>
    Run.start(job(graph, model, { epochs: 50 }, { approx, params, ...rest }), 1);

  test("of models name the reason", () => {
    const cases: [string, Record<string, unknown>, string][] = [
      ["gat", {}, "learnt"],
      ["gatv2", {}, "learnt"],
      ["h2gcn", {}, "two matrices"],
      ["mlp", {}, "no neighbours"],
      ["sage", { aggregator: "max" }, "maximum"],
    ];
    for (const [model, params, reason] of cases) expect(() => start(model, params)).toThrow(reason);
  });
});
