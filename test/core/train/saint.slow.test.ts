/** Subgraphs with weights stand for the whole graph: over many draws their products and losses average to the exact ones. */
import { describe, expect, test } from "bun:test";
import type { Graph } from "../../../core/graph/graph.ts";
import { losses } from "../../../core/losses/mod.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { gather } from "../../../core/tensor/ops/gather.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import type { Batch } from "../../../core/train/source.ts";
import { targetTensor } from "../../../core/train/targets.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { openTestDevice } from "../../_device.ts";
import { type GraphParts, makeGraph } from "../_graphs.ts";
import { draw, epochsOf } from "../sampling/_graphs.ts";
import { batchSource, type Setting, setting } from "./_train.ts";
import { exact, features, looped, n, parts, rows, weightsOf } from "./_unbiased.ts";

await openTestDevice();

const BATCHES = epochsOf(4000);
/** Of estimates: each probability of a node is known to a thousandth or two, of an arc to a hundredth. */
const COVERAGE = epochsOf(40_000);

const samplers = [
  ["saint-node", { nodesPerBatch: 6 }],
  ["saint-edge", { edgesPerBatch: 3 }],
  ["saint-walk", { roots: 2, walkLength: 2, coverage: COVERAGE }],
] as const;

/** Visit batches with the vectors x of all nodes. */
function visit(
  s: Setting,
  graph: Graph,
  [method, params]: (typeof samplers)[number],
  train: readonly number[],
  body: (tape: Tape, batch: Batch, x: Tensor) => void,
): void {
  const arena = s.engine.arena(), x = new Tensor(s.engine.persistent.tensor("F32", [n, 2]));
  x.set(features.flat());
  const source = batchSource(s, graph, draw(graph, method, { ...params, batchesPerEpoch: BATCHES }), train);
  for (const batch of source.batches(0, () => arena)) {
    body(new Tape(s.engine, arena, false), batch, x);
    arena.reset();
  }
}

/** Mean of what is added under each key, and its standard error. */
class Means {
  private readonly sums = new Map<number, [count: number, sum: number, squares: number]>();

  add(key: number, value: number): void {
    const [count, sum, squares] = this.sums.get(key) ?? [0, 0, 0];
    this.sums.set(key, [count + 1, sum + value, squares + value ** 2]);
  }
  of(key: number): { mean: number; error: number } {
    const [count, sum, squares] = this.sums.get(key)!, mean = sum / count;
    return { mean, error: Math.sqrt(Math.max(0, squares / count - mean ** 2) / count) };
  }
}

const variants: [string, GraphParts, Norm][] = [
  ["a plain graph, sym", parts, "sym"],
  ["a plain graph, row and its diagonal", parts, "row+1"],
  ["a weighted graph, sym", { ...parts, weights: weightsOf(rows) }, "sym"],
  ["a weighted graph, plain sums", { ...parts, weights: weightsOf(rows) }, "none"],
  ["a plain graph, means", parts, "mean"],
  ["a weighted graph, means", { ...parts, weights: weightsOf(rows) }, "mean"],
  ["a plain graph, without self-loops", parts, "hop1"],
  ["weights and self-loops, row", { ...parts, rows: looped, weights: weightsOf(looped) }, "row"],
];

describe.each(samplers)("%s %j", (...sampler) => {
  test.each(variants)(
    "products average to the exact ones where the row is in the batch: %s",
    (_, given, norm) => {
      const graph = makeGraph(given), got = new Means(), want = exact(graph, norm);
      const s = setting(graph, "gcn", { layers: 1 });
      visit(s, graph, sampler, [0], (tape, batch, x) => {
        const operator = batch.operator(0, 1, norm), nodes = new Tensor(batch.ids!);
        const y = operator.apply(tape, gather(tape, x, nodes)).toNumbers();
        nodes.toNumbers().forEach((v, i) => {
          for (const c of [0, 1]) got.add(2 * v + c, y[2 * i + c]!);
        });
      });
      s.engine.destroy();
      // Five standard errors: one false alarm in 1.7 million numbers, and the draws are the same every time. Weights that are
      // estimated are off by themselves, an arc's that is in one of a hundred subgraphs with its row by 3 % at worst.
      const own = sampler[0] === "saint-walk" ? 0.03 * Math.sqrt(40_000 / COVERAGE) : 0;
      want.forEach((w, i) => {
        const { mean, error } = got.of(i);
        expect(Math.abs(mean - w)).toBeLessThan(5 * error + 1e-6 + own * Math.abs(w));
      });
      // The draws do vary, and the test would see a bias of a quarter of the largest.
      const errors = want.map((_, i) => got.of(i).error), largest = Math.max(...want.map(Math.abs));
      const usual = errors.toSorted((a, b) => a - b)[errors.length >> 1]!;
      expect(Math.max(...errors)).toBeGreaterThan(1e-4);
      expect(usual * 20).toBeLessThan(largest * Math.sqrt(4000 / BATCHES));
    },
  );

  const kinds: [string, string, Record<string, unknown>, GraphParts][] = [
    ["plain", "cross-entropy", {}, parts],
    ["balanced, with smoothed labels", "cross-entropy", { balanced: true, labelSmoothing: 0.2 }, {
      ...parts,
      labels: rows.map((_, v) => v % 5 === 0 ? 1 : 0),
    }],
  ];
  test.each(kinds)("losses average to that of all training nodes: %s %s %j", (_, name, params, given) => {
    const graph = makeGraph(given), train = [0, 1, 2, 4, 5, 7, 10, 11], got = new Means();
    const entry = losses.get(name), all = BigInt64Array.from(train, BigInt);
    const s = setting(graph, "gcn", { layers: 1 }), targets = nodeTargets(graph);
    const loss = entry.create(
      { arena: s.engine.persistent, targets, train: all },
      entry.params!.parse(params),
    );
    visit(s, graph, sampler, train, (tape, batch, x) => {
      const outputs = gather(tape, x, new Tensor(batch.ids!));
      const rest = { rows: batch.lossRows, count: batch.numLossRows, weights: batch.lossRowWeights! };
      got.add(
        0,
        batch.numLossRows === 0 ? 0 : loss(tape, { outputs, targets: batch.targets, ...rest }).item(),
      );
    });
    const arena = s.engine.arena(), tape = new Tape(s.engine, arena, false);
    const x = new Tensor(arena.tensor("F32", [n, 2]));
    x.set(features.flat());
    const whole = {
      outputs: x,
      targets: targetTensor(arena, targets),
      rows: arena.bind(NativeArray.from<"I64">(all)),
    };
    const want = loss(tape, { ...whole, count: train.length }).item();
    const { mean, error } = got.of(0);
    // A node's estimated probability is off by less than half a percent.
    const own = sampler[0] === "saint-walk" ? 0.005 * Math.sqrt(40_000 / COVERAGE) : 0;
    expect(Math.abs(mean - want)).toBeLessThan(5 * error + 1e-6 + own * want);
    expect(error).toBeLessThan(0.02 * want * Math.sqrt(4000 / BATCHES));
    s.engine.destroy();
  });
});
