/** Sampled blocks stand for all neighbours: over many draws, their products average to the exact ones. */
import { describe, expect, test } from "bun:test";
import type { Graph } from "../../../core/graph/graph.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { gather } from "../../../core/tensor/ops/gather.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { testDevice } from "../../_device.ts";
import { type GraphParts, makeGraph } from "../_graphs.ts";
import { draw } from "../sampling/_graphs.ts";
import { batchSource, setting } from "./_train.ts";
import { exact, features, looped, n, parts, rows, weightsOf } from "./_unbiased.ts";

const EPOCHS = 3000;

/** Mean and standard error of a sampled product with x, per node and column. */
function average(
  graph: Graph,
  method: string,
  params: Record<string, unknown>,
  norm: Norm,
): { mean: number[]; error: number[] } {
  const s = setting(graph, "gcn", { layers: 1 });
  const x = new Tensor(s.engine.persistent.tensor("F32", [n, 2]));
  x.set(features.flat());
  const source = batchSource(
    s,
    graph,
    draw(graph, method, { ...params, batchSize: 5, epochs: EPOCHS, split: "all" }),
    [0],
  );
  const sum = new Float64Array(2 * n), squares = new Float64Array(2 * n);
  const arena = s.engine.arena();
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (const batch of source.batches(epoch, () => arena)) {
      const tape = new Tape(s.engine, arena, false), operator = batch.operator(0, 1, norm);
      const nodes = new Tensor(batch.ids!);
      const y = operator.apply(tape, gather(tape, x, nodes)).toNumbers(), seeds = nodes.toNumbers();
      for (let i = 0; i < operator.numRows; i++) {
        for (const c of [0, 1]) {
          sum[2 * seeds[i]! + c]! += y[2 * i + c]!;
          squares[2 * seeds[i]! + c]! += y[2 * i + c]! ** 2;
        }
      }
      arena.reset();
    }
  }
  s.engine.destroy();
  const mean = Array.from(sum, (v) => v / EPOCHS);
  const error = Array.from(squares, (v, i) => Math.sqrt(Math.max(0, v / EPOCHS - mean[i]! ** 2) / EPOCHS));
  return { mean, error };
}

const variants: [string, GraphParts, number, Norm][] = [
  ["a plain graph, 2 neighbours", parts, 2, "sym"],
  ["a plain graph, 1 neighbour", parts, 1, "row"],
  ["a weighted graph, 2 neighbours", { ...parts, weights: weightsOf(rows) }, 2, "sym"],
  ["a weighted graph, 1 neighbour", { ...parts, weights: weightsOf(rows) }, 1, "row"],
  ["a weighted graph, plain sums of 2 neighbours", { ...parts, weights: weightsOf(rows) }, 2, "none"],
  ["a plain graph, means of 2 neighbours", parts, 2, "mean"],
  ["self-loops, 1 neighbour", { ...parts, rows: looped }, 1, "sym"],
  ["weights and self-loops, 3 neighbours", { ...parts, rows: looped, weights: weightsOf(looped) }, 3, "row"],
];

describe("the sampled operator of a neighbour block", () => {
  test.each(variants)("averages to the exact product: %s", (_, given, fanout, norm) => {
    const graph = makeGraph(given);
    const { mean, error } = average(graph, "neighbor", { fanout: [fanout] }, norm), want = exact(graph, norm);
    // Five standard errors: one false alarm in 1.7 million numbers, and the draws are the same every time. Float32
    // rounding adds some 1e-7.
    const off = mean.map((m, i) => Math.abs(m - want[i]!) - 5 * error[i]! - 1e-6);
    expect(off.findIndex((v) => v > 0)).toBe(-1);
    // The draws do vary, and the test would see a bias of a quarter.
    expect(Math.max(...error)).toBeGreaterThan(1e-4);
    expect(Math.max(...error)).toBeLessThan(norm === "none" ? 0.4 : 0.05);
  });
});

const weightsOfLooped = { ...parts, rows: looped, weights: weightsOf(looped) };
const arcWeighted: [string, GraphParts, string, Record<string, unknown>, Norm][] = [
  ["neighbor by weight", weightsOfLooped, "neighbor", { fanout: [2], weighted: true }, "sym"],
  ["neighbor with replacement", weightsOfLooped, "neighbor", { fanout: [2], replace: true }, "row"],
  ["ladies, rows as they are", weightsOfLooped, "ladies", { layerSize: [5], normalize: false }, "none"],
  ["ladies, means", parts, "ladies", { layerSize: [5], normalize: false }, "mean"],
  ["fastgcn", parts, "fastgcn", { layerSize: [6] }, "sym"],
  ["fastgcn of a weighted graph, means", weightsOfLooped, "fastgcn", { layerSize: [6] }, "mean"],
];

describe("the operator of a block with arc weights", () => {
  test.skipIf(testDevice !== "cpu").each(arcWeighted)(
    "averages to the exact product: %s",
    (_, given, method, params, norm) => {
      const graph = makeGraph(given);
      const { mean, error } = average(graph, method, params, norm), want = exact(graph, norm);
      // Bounds as above.
      const off = mean.map((m, i) => Math.abs(m - want[i]!) - 5 * error[i]! - 1e-6);
      expect(off.findIndex((v) => v > 0)).toBe(-1);
      expect(Math.max(...error)).toBeGreaterThan(1e-4);
      expect(Math.max(...error)).toBeLessThan(norm === "none" ? 0.4 : 0.05);
    },
  );

  test.skipIf(testDevice !== "cpu")("is the exact product where labor keeps every arc", () => {
    const graph = makeGraph(weightsOfLooped);
    const { mean } = average(graph, "labor", { fanout: [n] }, "sym"), want = exact(graph, "sym");
    mean.forEach((m, i) => expect(m).toBeCloseTo(want[i]!, 5));
  });
});
