/** For tests of adaptive samplers: a graph, their sources on it, gradients of batches. */
import { expect } from "bun:test";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { losses } from "../../../core/losses/mod.ts";
import { models } from "../../../core/models/mod.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import type { AdaptiveContext } from "../../../core/train/adaptive_batches.ts";
import { fullInput } from "../../../core/train/full_batch.ts";
import { layerPass } from "../../../core/train/last_layer.ts";
import type { Batch, BatchSource } from "../../../core/train/source.ts";
import { targetTensor } from "../../../core/train/targets.ts";
import { type GraphParts, makeGraph } from "../_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import { type Setting, setting } from "./_train.ts";

export const n = 60, all: readonly number[] = Array.from({ length: n }, (_, v) => v);
/** Many small groups, and node 0 that is linked to some of each. */
const isLinked = (u: number, v: number) =>
  u !== v && ((u * v + 3 * (u + v)) % 11 === 0 || (u * v === 0 && (u + v) % 7 === 3));
export const parts: GraphParts = {
  rows: all.map((v) => all.filter((u) => isLinked(u, v))),
  features: all.map((v) => randoms(6, `features ${v}`)),
  labels: all.map((v) => (v * v) % 4),
  numClasses: 4,
};
export const graph = makeGraph(parts);

/** A source, and what it is made of. */
export interface Made<S extends BatchSource = BatchSource> {
  readonly engine: Setting["engine"];
  readonly model: Setting["model"];
  readonly context: AdaptiveContext;
  readonly source: S;
}

export function sourceOf<S extends BatchSource>(
  make: (context: AdaptiveContext) => S,
  name: string,
  options: Record<string, unknown>,
  { on = graph, train = all }: { on?: Graph; train?: readonly number[] } = {},
): Made<S> {
  const own = { hidden: 8, dropout: 0, ...options };
  const { engine, model, norm } = setting(on, name, own), entry = models.get(name);
  const arena = engine.arena(), targets = nodeTargets(on);
  const given = entry.params!.parse(own) as Record<string, unknown>;
  const { input: features } = prepareFeatures(engine, arena, requireFeatures(on), "none", null);
  const trainNodes = BigInt64Array.from(train, BigInt), loss = losses.get("cross-entropy");
  const context: AdaptiveContext = {
    engine,
    arena,
    graph: on,
    seed: 1,
    stages: model.stages!,
    input: fullInput(engine, arena, on, () => features, norm),
    features: { norm: "none", stats: null, stored: null, store: null },
    targets: targetTensor(arena, targets),
    train: trainNodes,
    loss: loss.create(
      { arena, targets, train: trainNodes },
      loss.params!.parse({}) as Record<string, unknown>,
    ),
    norm,
    dropout: own.dropout,
    lastLayer: entry.lastLayer!(given) as AdaptiveContext["lastLayer"],
    hasBias: true,
    batchLoss: "mean",
  };
  return { engine, model, context, source: make(context) };
}

/** Gradients of the loss on a batch, one list for all parameters. */
export function gradient({ engine, model, context }: Made, batch: Batch): number[] {
  const arena = engine.arena(), tape = new Tape(engine, arena, true);
  const loss = context.loss(tape, {
    outputs: model.forward(tape, batch),
    targets: batch.targets,
    rows: batch.lossRows,
    count: batch.numLossRows,
    weights: batch.lossRowWeights ?? null,
  });
  const result = tape.grad(loss, model.parameters).flatMap((g) => g!.toNumbers());
  arena.destroy();
  return result;
}

export const length = (x: readonly number[]) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
export const apart = (x: readonly number[], y: readonly number[]) => {
  expect(x.length).toBe(y.length);
  return length(x.map((v, i) => v - y[i]!));
};

/** The batches of an epoch, each with what `body` makes of it while it is there. */
export function each<T>(
  { engine, source }: Made,
  body: (batch: Batch, step: number) => T,
  epoch = 0,
): T[] {
  const arena = engine.arena(), results: T[] = [];
  for (const batch of source.batches(epoch, () => arena)) {
    results.push(body(batch, results.length));
    arena.reset();
  }
  return results;
}

/** Rows of the nodes' exact logits. */
export function exactLogits({ engine, context }: Made): number[][] {
  const arena = engine.arena(), tape = new Tape(engine, arena, false);
  const { last: { logits } } = layerPass(tape, context.stages, context.input, context.lastLayer, true);
  const flat = logits.toNumbers(), width = logits.cols;
  arena.destroy();
  return Array.from({ length: logits.rows }, (_, v) => flat.slice(v * width, (v + 1) * width));
}
