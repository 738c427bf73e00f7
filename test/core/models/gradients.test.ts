/** The loss of a whole model in float64: its gradient to every parameter against finite differences. */
import { describe, expect, test } from "bun:test";
import { NativeArray } from "../../../ffi/native.ts";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { differences, engine, expectNear, fixed, randoms, withTape } from "../tensor/_autograd.ts";
import { makeGraph } from "../_graphs.ts";
import { g6Features, g6Labels, g6Rows, graphInput } from "./_models.ts";

const weights = g6Rows.map((row, i) => row.map((j) => 0.5 + 0.25 * ((i + j) % 4)));
const variants: [string, Record<string, unknown>][] = [
  ["gcn", {}],
  ["gcn", { norm: "row", layers: 3, hidden: 4 }],
  ["gcn", { bias: false, hidden: 2 }],
  ["gcn", { layers: 1 }],
  ["sage", { hidden: 4 }],
  ["sage", { hidden: 4, aggregator: "max", layers: 3 }],
  ["sage", { hidden: 4, aggregator: "pool", bias: false }],
  ["gcn", { hidden: 3, norm: "row", diagLambda: 0.7 }],
  ["cluster-gcn", { hidden: 4, layers: 2, normEps: 0.1 }],
  ["gat", { hidden: 3, heads: 2 }],
  ["gat", { hidden: 2, heads: 3, outputHeads: 2, layers: 3, bias: false, residual: "linear" }],
  ["gatv2", { hidden: 3, heads: 2, outputHeads: 2 }],
  ["gatv2", { hidden: 2, heads: 2, jk: "cat" }],
  ["gin", { hidden: 4, layers: 2, normEps: 1 }],
  ["gin", { hidden: 4, trainEps: true, layerNorm: "none", jk: "none", layers: 2, residual: "identity" }],
  ["appnp", { hidden: 4, hops: 3, alpha: 0.2 }],
  ["appnp", { hidden: 4, hops: 0 }],
  ["gcnii", { hidden: 4, layers: 5, lambda: 0.7 }],
  ["gcnii", { hidden: 4, layers: 3, layerNorm: "layer", normEps: 0.1, bias: false }],
  ["h2gcn", { hidden: 3, hops: 2 }],
  ["h2gcn", { hidden: 3, hops: 1, bias: false }],
  ["sgc", {}],
  ["sgc", { bias: false }],
  ["gcn", { layers: 3, hidden: 4, residual: "identity", jk: "cat", activation: "silu" }],
  ["gcn", { layers: 3, hidden: 4, residual: "linear", jk: "max", layerNorm: "graph", normEps: 0.1 }],
  ["gcn", { layers: 3, hidden: 4, jk: "mean", activation: "gelu", layerNorm: "pair", normEps: 0.1 }],
  ["gcn", { hidden: 4, jk: "last", activation: "elu", layerNorm: "batch", normEps: 0.1 }],
  ["gcn", { hidden: 4, activation: "leaky-relu", layerNorm: "layer", normEps: 0.1 }],
  ["mlp", { hidden: 4, activation: "none", layerNorm: "instance", normEps: 0.1 }],
  ["mlp", { hidden: 5, layers: 3 }],
  ["mlp", { bias: false }],
];

test("every model has a variant here", () => {
  expect([...new Set(variants.map(([name]) => name))].sort()).toEqual(models.names.toSorted());
});

describe.each(variants)("%s %j", (name, options) => {
  test.each([["dense", false], ["sparse", true]] as const)(
    "the gradient matches central differences on %s features, with dropout",
    (_, sparse) => {
      const entry = models.get(name);
      const params = entry.params!.parse({ ...options, dropout: 0.25 }) as Record<string, unknown>;
      const graph = makeGraph({ rows: g6Rows, weights, features: g6Features, labels: g6Labels, sparse });
      engine.setStep(11, 0, 0);
      const model = entry.build(
        new Init(engine, "F64"),
        { num_features: 3, num_classes: 2 },
        params,
        "logits",
      );
      // Biases start at 0, the corner of relu where dropout left nothing else.
      for (const p of model.parameters) {
        if (p.name.endsWith("bias")) p.set(randoms(p.size, p.name));
      }
      const input = graphInput(engine, fixed, graph, "F64", entry.operator(params));
      const label = fixed.bind(graph.labels()!),
        index = fixed.bind(NativeArray.from<"I64">(BigInt64Array.of(0n, 2n, 3n, 5n)));
      const loss = () =>
        withTape((tape) => crossEntropy(tape, model.forward(tape, input), label, { index }).item());
      const gradients = withTape((tape) =>
        tape.grad(crossEntropy(tape, model.forward(tape, input), label, { index }), model.parameters).map((
          g,
        ) => g!.toNumbers())
      );
      // As in ../tensor/_autograd.ts: 1e-11 of rounding and 1e-11 of curvature; the loss and its third derivatives are
      // below 10.
      const h = 2 ** -17;
      differences(model.parameters, loss, h).forEach((want, k) =>
        expectNear(gradients[k]!, want, 1e-9, model.parameters[k]!.name)
      );
      expect(gradients.flat().some((g) => Math.abs(g) > 1e-3)).toBe(true);
    },
  );
});
