import { expect, test } from "bun:test";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { engine, expectNear, fixed, randoms } from "../tensor/_autograd.ts";
import { makeGraph } from "../_graphs.ts";
import { g6Features, g6Rows, graphInput } from "./_models.ts";

/** relu between layers, none at the end. */
function dense(x: number[][], weights: readonly number[][][], biases: readonly number[][]): number[] {
  weights.forEach((w, l) => {
    x = x.map((row) => w[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * w[k]![j]!, biases[l]![j]!)));
    if (l < weights.length - 1) x = x.map((row) => row.map((v) => Math.max(0, v)));
  });
  return x.flat();
}

test.each([["mlp", { layers: 3, hidden: 4 }], ["mlp", { layers: 1 }], ["sgc", {}]])(
  "%s %j equals the formula on its features in float64",
  (name, options) => {
    const entry = models.get(name);
    engine.setStep(2, 0, 0);
    const params = entry.params!.parse(options) as Record<string, unknown>;
    const model = entry.build(new Init(engine, "F64"), { num_features: 3, num_classes: 2 }, params, "logits");
    for (const p of model.parameters) if (p.name.endsWith("bias")) p.set(randoms(p.size, p.name));
    const input = graphInput(engine, fixed, makeGraph({ rows: g6Rows, features: g6Features }), "F64", "sym");
    const logits = model.forward(new Tape(engine, fixed, false), input).toNumbers();
    const weights = model.parameters.filter((p) => p.handle.rank === 2).map((p) => {
      const flat = p.toNumbers();
      return Array.from({ length: p.rows }, (_, i) => flat.slice(i * p.cols, (i + 1) * p.cols));
    });
    const biases = model.parameters.filter((p) => p.handle.rank === 1).map((p) => p.toNumbers());
    expect(biases.length).toBe(weights.length);
    // Sums of at most 5 terms of size 1, three times over, in another order.
    expectNear(logits, dense(g6Features.map((row) => [...row]), weights, biases), 1e-13);
  },
);

test("sgc says how its features are propagated, the others that they are not", () => {
  const propagate = (name: string, options: Record<string, unknown>) =>
    models.get(name).propagate?.(models.get(name).params!.parse(options)) ?? null;
  expect(propagate("sgc", { hops: 3, norm: "row" })).toEqual({ hops: 3, norm: "row" });
  expect(propagate("sgc", {})).toEqual({ hops: 2, norm: "sym" });
  expect([propagate("mlp", {}), propagate("gcn", {})]).toEqual([null, null]);
});
