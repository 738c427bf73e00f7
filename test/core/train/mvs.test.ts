/** Minimal variance sampling in training: its steps against exact ones, and the rows of earlier passes that they read. */
import { describe, expect, test } from "bun:test";
import type { Arena, Engine } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import type { ForwardInput } from "../../../core/models/model.ts";
import { minimalVariance } from "../../../core/sampling/minimal_variance.ts";
import { drawItems, mvsParams } from "../../../core/sampling/mvs.ts";
import { nativeSampler } from "../../../core/sampling/native.ts";
import { oneBatch } from "../../../core/sampling/one_batch.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { storedEntries } from "../../../core/tensor/operator.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { batchOperators, GraphDegrees } from "../../../core/train/batch_operators.ts";
import { ControlVariateOperator, HistoryOperator } from "../../../core/train/history.ts";
import { lastLayerScores, layerPass } from "../../../core/train/last_layer.ts";
import { MvsSource } from "../../../core/train/mvs.ts";
import type { Batch } from "../../../core/train/source.ts";
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
  sourceOf as adaptive,
} from "./_adaptive.ts";
import { setting } from "./_train.ts";

/** A source on the graph, and what it is made of. */
const sourceOf = (name: string, options: Record<string, unknown>, params: Record<string, unknown>) =>
  adaptive((context) => new MvsSource(context, mvsParams.parse(params)), name, options);

function logitsOf({ engine, model }: Made, input: ForwardInput): number[] {
  return model.forward(new Tape(engine, engine.arena(), false), input).toNumbers();
}

const nodesOf = (batch: Batch) => new Tensor(batch.ids!).toNumbers();
const variants = [["gcn", {}], ["gcn", { norm: "row", layers: 3, residual: "linear" }], ["sage", {}], [
  "sage",
  { layers: 3 },
]] as const;

describe.each(variants)("mvs with %s %j", (name, options) => {
  test("is full-batch training where every node is drawn", () => {
    const made = sourceOf(name, options, { batch: n, poolShare: 1, inner: 3 });
    const [large, ...small] = each(made, (batch) => [gradient(made, batch), batch.numLossRows] as const);
    expect(small.length).toBe(2);
    for (const [g, count] of small) {
      expect(count).toBe(n);
      expect(apart(g, large![0])).toBeLessThan(1e-5 * length(large![0]));
    }
    made.engine.destroy();
  });

  test.each(["eq7", "control-variate"])("gives exact logits while no weight changes (%s)", (history) => {
    const made = sourceOf(name, options, { batch: 12, poolShare: 1, inner: 6, largeStep: false, history });
    const exact = exactLogits(made);
    const sizes = each(made, (batch) => {
      const got = logitsOf(made, batch), nodes = nodesOf(batch).slice(0, batch.numLossRows);
      const want = nodes.flatMap((v) => exact[v]!);
      expect(got.length).toBe(want.length);
      got.forEach((x, i) =>
        expect(Math.abs(x - want[i]!)).toBeLessThan(1e-6 * Math.max(1, Math.abs(want[i]!)))
      );
      expect(batch.numNodes).toBeGreaterThan(batch.numLossRows);
      return batch.numLossRows;
    });
    expect(Math.max(...sizes)).toBeLessThan(n);
    made.engine.destroy();
  });

  test("is nearer to exact logits with rows of older weights than without them", () => {
    const made = sourceOf(name, options, { batch: 12, poolShare: 1, inner: 6, largeStep: false });
    const errors = each(made, (batch, step) => {
      // Weights go on, the rows of the checkpoint stay.
      for (const p of step === 0 ? made.model.parameters : []) {
        const change = randoms(p.size, p.name);
        p.set(p.toNumbers().map((w, i) => w + 0.02 * change[i]!));
      }
      const exact = exactLogits(made);
      const want = nodesOf(batch).slice(0, batch.numLossRows).flatMap((v) => exact[v]!);
      const dropped: ForwardInput = {
        ...batch,
        operator(layer, count, kind) {
          const base = storedEntries(batch.operator(0, count, kind), "test");
          if (layer === 0) return base;
          const shape = [base.numCols - base.numRows, 8];
          const zeros = new Tensor(made.engine.arena().tensor("F32", shape, true));
          return new HistoryOperator(base, { rows: zeros, p: 0, layer, ids: batch.ids! });
        },
      };
      return [apart(logitsOf(made, batch), want), apart(logitsOf(made, dropped), want)] as const;
    });
    for (const [stale, without] of errors) {
      expect(stale).toBeGreaterThan(1e-5);
      expect(stale).toBeLessThan(without / 2);
    }
    made.engine.destroy();
  });

  test("keeps fresh rows after a step, and scores if asked", () => {
    const made = sourceOf(name, options, {
      batch: 20,
      poolShare: 1,
      inner: 3,
      largeStep: false,
      refreshScores: true,
    });
    const { source, model, engine } = made, arena = engine.arena();
    const batches = source.batches(0, () => arena);
    const batch = batches.next().value as Batch;
    const before = logitsOf(made, batch);
    // Rows of other weights, kept by observe(), are those that a pass over the batch gives with these weights.
    for (const p of model.parameters) p.set(p.toNumbers().map((w) => 1.5 * w));
    source.observe(batch);
    const state = source as unknown as {
      histories: { rows: NativeArray<"F32">; width: number }[];
      pool: { scores: Float64Array; nodes: number[]; probabilities: Float64Array };
    };
    const tape = new Tape(engine, engine.arena(), false);
    const { hidden, last } = layerPass(tape, made.context.stages, batch, made.context.lastLayer, true);
    const drawn = nodesOf(batch).slice(0, batch.numLossRows);
    hidden.forEach((h, l) => {
      const { rows, width } = state.histories[l]!;
      drawn.forEach((v, i) =>
        expect([...rows.read(v * width, width)]).toEqual(h.toNumbers().slice(i * width, (i + 1) * width))
      );
    });
    const fresh = lastLayerScores(tape, last, made.context.loss, batch.targets, batch.lossRows);
    drawn.forEach((v, i) => expect(state.pool.scores[state.pool.nodes.indexOf(v)]).toBe(fresh[i]!));
    expect([...state.pool.probabilities]).toEqual([...minimalVariance(state.pool.scores, 20)]);
    expect(apart(logitsOf(made, batch), before)).toBeGreaterThan(1e-3);
    engine.destroy();
  });
});

test("both forms are one where the control variate's operator is the exact one, forward and back", () => {
  const { engine } = setting(graph, "gcn", {}), arena: Arena = engine.arena();
  const degrees = new GraphDegrees(engine, arena, graph), sampler = nativeSampler(graph);
  const seeds = NativeArray.from<"I64">(BigInt64Array.from([2, 5, 17, 30, 31, 32, 33, 44], BigInt));
  for (const kind of ["sym", "row", "mean"] as const) {
    const wide = oneBatch(
      arena,
      graph,
      sampler.neighbors(seeds, [0, 8], [-1], { seed: 1, epoch: 0, firstStep: 0 }),
      0,
    );
    const square = oneBatch(arena, graph, sampler.induced(seeds, [0, 8]), 0), block = square.blocks[0]!;
    const ones = NativeArray.from<"F32">(new Float32Array(block.indices.length).fill(1));
    const exact = storedEntries(batchOperators(arena, wide, kind, degrees)(0, 1), "test");
    const inner = storedEntries(
      degrees.operator(arena, { ...block, arcWeight: ones }, square.nodes, kind),
      "test",
    );
    expect(block.indices.length).toBeGreaterThan(0);
    expect(square.nodes.toNumbers()).toEqual(wide.nodes.toNumbers().slice(0, 8));
    const total = wide.nodes.length, outside = total - 8;
    const tensor = (r: number, name: string) => constantOf(engine, arena, [r, 3], randoms(3 * r, name));
    const before = tensor(total, "history"), ids = arena.bind(wide.nodes as NativeArray);
    const below = {
      rows: new Tensor(arena.rows(before.handle, 8, outside)),
      ids: arena.rows(ids, 8, outside),
    };
    const results = [
      new HistoryOperator(exact, { ...below, p: 0.5, layer: 1 }),
      new ControlVariateOperator(exact, inner, { rows: before, p: 0.5, layer: 1, ids }),
    ].map((operator) => {
      engine.setStep(3, 0, 1);
      const tape = new Tape(engine, arena, true), x = new Tensor(tensor(8, "x").handle, true);
      const y = operator.apply(tape, x);
      const [g] = tape.grad(y, [x], { seed: tensor(8, "g") });
      return [y.toNumbers(), g!.toNumbers()] as const;
    });
    // Float32 sums of some terms of size 1, in another order.
    expect(apart(results[0]![0], results[1]![0])).toBeLessThan(2e-6);
    expect(apart(results[0]![1], results[1]![1])).toBeLessThan(2e-6);
    expect(length(results[0]![1])).toBeGreaterThan(0.1);
  }
  engine.destroy();
});

function constantOf(
  engine: Engine,
  arena: Arena,
  shape: readonly number[],
  values: readonly number[],
): Tensor {
  const tensor = new Tensor(arena.tensor("F32", shape));
  expect(engine).toBe(arena.engine);
  tensor.set(values);
  return tensor;
}

test("with exact rows the gradient is unbiased, and B nodes are drawn on average", () => {
  const made = sourceOf("gcn", {}, {}), { engine, context } = made, arena = engine.arena();
  const index = (some: readonly number[]) =>
    arena.bind(NativeArray.from<"I64">(BigInt64Array.from(some, BigInt)));
  const batchOf = (nodes: readonly number[], weights: readonly number[]): Batch => ({
    ...context.input,
    numNodes: n,
    targets: context.targets,
    lossRows: index(nodes),
    numLossRows: nodes.length,
    lossRowWeights: arena.bind(NativeArray.from<"F32">(Float32Array.from(weights))),
  });
  const tape = new Tape(engine, arena, false);
  const { last } = layerPass(tape, context.stages, context.input, context.lastLayer, true);
  const p = minimalVariance(lastLayerScores(tape, last, context.loss, context.targets, index(all)), 15);
  const full = gradient(made, batchOf(all, all.map(() => 1 / n)));
  const draws = 200, sum = full.map(() => 0);
  let squares = 0, drawnNodes = 0;
  for (let step = 0; step < draws; step++) {
    const drawn = drawItems(p, all, { seed: 5, stream: "test.mvs", step });
    drawnNodes += drawn.length;
    if (drawn.length === 0) continue;
    const g = gradient(made, batchOf(drawn, drawn.map((v) => 1 / (p[v]! * n))));
    g.forEach((x, i) => sum[i]! += x);
    squares += apart(g, full) ** 2;
  }
  // Of all numbers together: the mean's distance from the truth over its standard error is near 1.
  const error = Math.sqrt(squares / draws / draws), off = apart(sum.map((x) => x / draws), full);
  expect(off / error).toBeGreaterThan(0.3);
  expect(off / error).toBeLessThan(2);
  const variance = p.reduce((v, x) => v + x * (1 - x), 0);
  expect(Math.abs(drawnNodes / draws - 15)).toBeLessThan(5 * Math.sqrt(variance / draws));
  engine.destroy();
});

test("a batch without nodes has no row that counts", () => {
  const made = sourceOf("gcn", {}, { batch: 1, poolShare: 1, inner: 40, largeStep: false });
  const counts = each(made, (batch) => batch.numLossRows);
  expect(counts.length).toBe(39);
  expect(counts).toContain(0);
  expect(Math.max(...counts)).toBeGreaterThan(0);
  made.engine.destroy();
});
