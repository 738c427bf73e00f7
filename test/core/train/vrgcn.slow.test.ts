/** Control variates of historical activations: exact once nothing changes, unbiased before, and nearer than without them. */
import { describe, expect, test } from "bun:test";
import { NativeArray } from "../../../ffi/native.ts";
import { vrgcnParams } from "../../../core/sampling/vrgcn.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { dropout } from "../../../core/tensor/ops/dropout.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import type { History } from "../../../core/train/history.ts";
import type { Batch } from "../../../core/train/source.ts";
import { VrgcnSource } from "../../../core/train/vrgcn.ts";
import { type GraphParts, makeGraph, renumbered } from "../_graphs.ts";
import { draw } from "../sampling/_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import {
  all,
  apart,
  each,
  exactLogits,
  gradient,
  graph,
  length,
  type Made,
  n,
  parts,
  sourceOf,
} from "./_adaptive.ts";
import { batchSource, setting, steps } from "./_train.ts";

const vrgcn = (
  name: string,
  options: Record<string, unknown>,
  params: Record<string, unknown>,
  on?: GraphParts,
) =>
  sourceOf(
    (context) => new VrgcnSource(context, vrgcnParams.parse(params)),
    name,
    options,
    on ? { on: makeGraph(on) } : {},
  );

const nodesOf = (batch: Batch) => new Tensor(batch.ids!).toNumbers();
/** A pass without an update, whose rows are kept: each batch's nodes that count, and their logits of a training step. */
function kept(
  { engine, model, source }: Made<VrgcnSource>,
  epoch: number,
): [nodes: number[], logits: number[]][] {
  const arena = engine.arena(), results: [number[], number[]][] = [];
  for (const batch of source.batches(epoch, () => arena)) {
    const logits = model.forward(new Tape(engine, arena, true), batch).toNumbers();
    results.push([nodesOf(batch).slice(0, batch.numLossRows), logits]);
    source.observe(batch);
    arena.reset();
  }
  arena.destroy();
  return results;
}

/** How far the logits of such a pass are from the exact ones at most. */
function pass(made: Made<VrgcnSource>, epoch: number): number {
  const exact = exactLogits(made);
  const errors = kept(made, epoch).flatMap(([nodes, logits]) => {
    const want = nodes.flatMap((v) => exact[v]!);
    expect(logits.length).toBe(want.length);
    return logits.map((x, i) => Math.abs(x - want[i]!));
  });
  return Math.max(...errors);
}

/** Let all weights go on by a little. */
function move({ model }: Made, by: number): void {
  for (const p of model.parameters) {
    const change = randoms(p.size, p.name);
    p.set(p.toNumbers().map((w, i) => w + by * change[i]!));
  }
}

/** Gradients of batches of all nodes that are drawn one after the other, no row kept of them. */
const drawn = (made: Made<VrgcnSource>, count: number) =>
  Array.from({ length: count }, (_, epoch) => each(made, (batch) => gradient(made, batch), 100 + epoch)[0]!);
const everything = (context: Made["context"]): Batch => ({
  ...context.input,
  numNodes: n,
  targets: context.targets,
  lossRows: context.arena.bind(longs),
  numLossRows: n,
});
const longs = NativeArray.from<"I64">(BigInt64Array.from(all, BigInt));
const meanOf = (lists: readonly (readonly number[])[]) =>
  lists[0]!.map((_, i) => lists.reduce((sum, list) => sum + list[i]!, 0) / lists.length);
const meanSquare = (lists: readonly (readonly number[])[], from: readonly number[]) =>
  lists.reduce((sum, list) => sum + apart(list, from) ** 2, 0) / lists.length;

const variants = [
  ["gcn", {}, [1, 1]],
  ["gcn", { norm: "row", layers: 3, residual: "linear" }, [1, 2, 1]],
  ["gcn", { layers: 4, layerNorm: "layer" }, [1, 1, 1, 1]],
  ["sage", {}, [1, 1]],
  ["sage", { layers: 3 }, [2, 1, 1]],
] as const;

describe.each(variants)("vrgcn with %s %j", (name, options, fanout) => {
  const layers = fanout.length;

  test("is exact with few neighbours after a pass per hidden layer, while no weight changes", () => {
    const made = vrgcn(name, options, { fanout, batchSize: 13 });
    const errors = Array.from({ length: layers + 1 }, (_, epoch) => pass(made, epoch));
    // Float32 sums of a few dozen terms of size 1.
    for (const error of errors.slice(layers - 1)) expect(error).toBeLessThan(2e-5);
    for (const error of errors.slice(0, layers - 1)) expect(error).toBeGreaterThan(1e-2);
    // New weights, and it begins anew.
    move(made, 0.1);
    expect(pass(made, 9)).toBeGreaterThan(1e-4);
    made.engine.destroy();
  });

  test("gives unbiased gradients once rows are exact, and nearer ones than neighbour sampling while they are stale", () => {
    const made = vrgcn(name, options, { fanout, batchSize: n });
    for (let epoch = 0; epoch < layers; epoch++) pass(made, epoch);
    const full = gradient(made, everything(made.context)), draws = 60;
    const exact = drawn(made, draws), error = Math.sqrt(meanSquare(exact, full) / draws);
    // Of all numbers together: the mean's distance from the truth over its standard error is near 1.
    expect(apart(meanOf(exact), full) / error).toBeLessThan(2);
    expect(apart(meanOf(exact), full) / error).toBeGreaterThan(0.3);
    move(made, 0.02);
    const moved = gradient(made, everything(made.context)), stale = meanSquare(drawn(made, draws), moved);
    const plain = setting(graph, name, { hidden: 8, dropout: 0, ...options });
    move({ ...made, model: plain.model }, 0.02);
    const documents = draw(graph, "neighbor", { fanout, batchSize: n, epochs: draws, split: "all" });
    const source = batchSource(plain, graph, documents, all);
    const sampled = Array.from({ length: draws }, (_, epoch) => steps(plain, source, { epoch })[0]!);
    expect(stale).toBeLessThan(meanSquare(sampled.map(({ gradients }) => gradients.flat()), moved) / 2);
    expect(stale).toBeGreaterThan(0);
    plain.engine.destroy();
    made.engine.destroy();
  });
});

describe("vrgcn", () => {
  test.each([0, 0.5])(
    "has products unbiased for those over all neighbours, given dropout's masks (%d)",
    (p) => {
      const made = vrgcn("gcn", { dropout: p }, { fanout: [2, 2], batchSize: n }), { engine } = made;
      const [history] = (made.source as unknown as { histories: History[] }).histories;
      const kept = engine.arena().tensor("F32", [n, 8]), rows = engine.arena().tensor("F32", [n, 8]);
      new Tensor(kept).set(randoms(n * 8, "kept"));
      new Tensor(rows).set(randoms(n * 8, "rows"));
      history!.put(all, kept);
      /** The second layer's product of the same rows, in the order of nodes. */
      const product = (batch: Batch) => {
        engine.setStep(3, 0, 1);
        const arena = engine.arena(), tape = new Tape(engine, arena, true), operator = batch.operator(1, 2);
        const order = batch.ids ? nodesOf(batch).slice(0, operator.numCols) : all;
        const flat = new Tensor(rows).toNumbers(), x = new Tensor(arena.tensor("F32", [order.length, 8]));
        x.set(order.flatMap((v) => flat.slice(8 * v, 8 * v + 8)));
        const ids = batch.ids && new Tensor({ ...batch.ids, rows: order.length });
        const y = operator.apply(tape, dropout(tape, x, p, 1, ids)).toNumbers(), out: number[] = [];
        order.slice(0, operator.numRows).forEach((v, i) =>
          y.slice(8 * i, 8 * i + 8).forEach((value, j) => out[8 * v + j] = value)
        );
        arena.destroy();
        return out;
      };
      const want = product(everything(made.context)), draws = 200;
      const got = Array.from({ length: draws }, (_, epoch) => each(made, product, epoch)[0]!);
      const mean = meanOf(got);
      const off = mean.map((m, i) => {
        const variance = got.reduce((sum, y) => sum + (y[i]! - m) ** 2, 0) / (draws - 1);
        // Five standard errors: one false alarm in 1.7 million numbers. Float32 rounding adds some 1e-6.
        return Math.abs(m - want[i]!) - 5 * Math.sqrt(variance / draws) - 2e-6;
      });
      expect(Math.max(...off)).toBeLessThan(0);
      expect(Math.sqrt(meanSquare(got, mean) / mean.length)).toBeGreaterThan(0.05);
      engine.destroy();
    },
  );

  test("keeps rows without dropout where layers have some", () => {
    const made = vrgcn("gcn", { dropout: 0.6, layers: 3 }, { fanout: [1, 1, 1], batchSize: 20 });
    for (const epoch of [0, 1]) pass(made, epoch);
    const { histories } = made.source as unknown as { histories: History[] };
    const arena = made.engine.arena(), tape = new Tape(made.engine, arena, false);
    const first = made.context.stages[0]!.forward(tape, made.context.input.features, made.context.input);
    const rows = new Tensor(histories[0]!.bind(arena)).toNumbers();
    expect(apart(rows, first.toNumbers())).toBeLessThan(1e-5 * length(rows));
    made.engine.destroy();
  });

  test("reads sparse features, and does not depend on how nodes are numbered", () => {
    const sparse = { ...parts, features: parts.features!.map((row) => row.map((x) => x > 0 ? x : 0)) };
    const order = all.map((v) => (7 * v + 3) % n);
    const [dense, csr, moved] = [sparse, { ...sparse, sparse: true }, renumbered(sparse, order)].map((on) => {
      const made = vrgcn("sage", { layers: 3 }, { fanout: [2, 1, 1], batchSize: 25 }, on);
      const steps = kept(made, 0);
      made.engine.destroy();
      return steps;
    });
    for (const other of [csr!, moved!]) {
      dense!.forEach(([nodes, logits], step) => {
        expect(other[step]![0]).toEqual(nodes);
        expect(apart(other[step]![1], logits)).toBeLessThan(1e-5 * length(logits));
      });
    }
  });
});
