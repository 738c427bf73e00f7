/** Scores of the last layer against one backward pass per node. */
import { describe, expect, test } from "bun:test";
import { losses } from "../../../core/losses/mod.ts";
import { models } from "../../../core/models/mod.ts";
import type { FeatureInput } from "../../../core/models/model.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { fullInput } from "../../../core/train/full_batch.ts";
import { lastLayerScores, layerPass } from "../../../core/train/last_layer.ts";
import { targetTensor } from "../../../core/train/targets.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import { makeGraph } from "../_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import { setting } from "./_train.ts";

const n = 24, all = Array.from({ length: n }, (_, v) => v);
const rows = all.map((v) => all.filter((u) => u !== v && (u * v + 3 * (u + v)) % 7 === 0));
const features = all.map((v) => randoms(5, `features ${v}`));
const split = { train: all.filter((v) => v % 3 !== 0) };
const classes = makeGraph({ rows, features, labels: all.map((v) => (v * v) % 4), numClasses: 4, split });
const labels = makeGraph({
  rows,
  features,
  split,
  tensors: [{
    name: "label",
    dtype: "U8",
    shape: [n, 3],
    data: Uint8Array.from(all.flatMap((v) => [v % 2, Number(v % 5 === 0), 1])),
  }],
  meta: { num_classes: 3, multi_label: true },
});

const variants = [
  ["gcn", {}, classes, "cross-entropy", {}],
  ["gcn", { bias: false, norm: "row", layers: 3 }, classes, "cross-entropy", {}],
  ["gcn", { residual: "linear", layerNorm: "layer" }, classes, "cross-entropy", { labelSmoothing: 0.1 }],
  ["gcn", {}, classes, "cross-entropy", { classWeights: [1, 2, 3, 4] }],
  ["gcn", {}, labels, "bce", {}],
  ["sage", {}, classes, "cross-entropy", {}],
  ["sage", { layers: 3, activation: "tanh" }, labels, "bce", {}],
] as const;

describe.each(variants)("last-layer scores of %s %j", (name, options, graph, lossName, lossOptions) => {
  test(`are the lengths of gradients node by node (${lossName} ${JSON.stringify(lossOptions)})`, () => {
    const { engine, model, norm } = setting(graph, name, { ...options, hidden: 6, dropout: 0.5 });
    const arena = engine.arena(), entry = models.get(name);
    const params = entry.params!.parse({ ...options, hidden: 6 }) as Record<string, unknown>;
    const feat: FeatureInput = prepareFeatures(engine, arena, requireFeatures(graph), "none", null).input;
    const input = fullInput(engine, arena, graph, () => feat, norm);
    const targets = nodeTargets(graph), target = targetTensor(arena, targets);
    const train = BigInt64Array.from(split.train, BigInt);
    const entryOfLoss = losses.get(lossName);
    const loss = entryOfLoss.create(
      { arena, targets, train },
      entryOfLoss.params!.parse(lossOptions) as Record<string, unknown>,
    );
    const nodes = [3, 0, 8, 23, 11];
    const index = (some: readonly number[]) =>
      arena.bind(NativeArray.from<"I64">(BigInt64Array.from(some, BigInt)));

    const tape = new Tape(engine, arena, false);
    const pass = layerPass(
      tape,
      model.stages!,
      input,
      entry.lastLayer!(params) as never,
      params["bias"] !== false,
    );
    const scores = lastLayerScores(tape, pass.last, loss, target, index(nodes));

    const layer = Math.max(...model.parameters.map((p) => p.layer));
    const last = model.parameters.filter((p) => p.layer === layer);
    expect(last.length).toBeGreaterThan(0);
    expect(Math.max(...scores)).toBeGreaterThan(1e-3);
    nodes.forEach((v, i) => {
      const own = new Tape(engine, arena, false), weights = arena.tensor("F32", [1]);
      engine.run("fill", { out: weights, value: 1 });
      const outputs = model.forward(own, input);
      const one = loss(own, { outputs, targets: target, rows: index([v]), count: 1, weights });
      const squares = own.grad(one, last).flatMap((g) => g!.toNumbers()).reduce((sum, g) => sum + g * g, 0);
      // Both are float32 sums of a few dozen terms: each is off by some 1e-7 of itself.
      expect(Math.abs(scores[i]! - Math.sqrt(squares))).toBeLessThanOrEqual(1e-6 * Math.sqrt(squares));
    });
    engine.destroy();
  });
});

test("models whose last layer is no product of rows say why", () => {
  const why = (name: string, options: Record<string, unknown>) => {
    const entry = models.get(name);
    return entry.lastLayer?.(entry.params!.parse(options) as Record<string, unknown>);
  };
  expect(why("gcn", { layers: 1 })).toContain("--layers 1");
  expect(why("gcn", { jk: "cat" })).toContain("--jk cat");
  expect(why("gcn", { layerNorm: "batch" })).toContain("--layer-norm batch");
  expect(why("gcn", { precalc: true })).toContain("--precalc");
  expect(why("sage", { aggregator: "max" })).toContain("--aggregator max");
  expect(why("gat", {})).toBeUndefined();
});
