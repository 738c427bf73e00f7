/** For tests of training: sources, steps and runs on small graphs. */
import { Engine } from "../../../ffi/engine.ts";
import { buildDocument, type Document, type NewDocument } from "../../../core/format/document.ts";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { models } from "../../../core/models/mod.ts";
import { Init, type Model } from "../../../core/models/model.ts";
import { losses } from "../../../core/losses/mod.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import { taskFor } from "../../../core/tasks/mod.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { trainOptions } from "../../../core/train/config.ts";
import { fullBatchSource, fullInput } from "../../../core/train/full_batch.ts";
import type { TrainJob } from "../../../core/train/job.ts";
import { sampledSource, SampleFeed } from "../../../core/train/sampled.ts";
import type { Batch, BatchSource } from "../../../core/train/source.ts";
import { signatureOf } from "../models/_models.ts";

export interface Setting {
  readonly engine: Engine;
  readonly model: Model;
  readonly norm: Norm;
  readonly layers: number;
}

/** A model on an engine of its own, the same weights every time. */
export function setting(graph: Graph, name: string, options: Record<string, unknown>, seed = 1): Setting {
  const engine = new Engine();
  engine.setStep(seed, 0, 0);
  const entry = models.get(name);
  const params = entry.params!.parse(options) as Record<string, unknown>;
  const model = entry.build(new Init(engine), signatureOf(graph), params, "logits");
  return { engine, model, norm: entry.operator(params), layers: entry.accepts.hops(params) };
}

export function fullSource({ engine, norm }: Setting, graph: Graph, train: readonly number[]): BatchSource {
  const arena = engine.arena();
  const { input } = prepareFeatures(engine, arena, requireFeatures(graph), "none", null);
  return fullBatchSource(
    fullInput(engine, arena, graph, () => input, norm),
    arena,
    graph,
    nodeTargets(graph),
    BigInt64Array.from(train, BigInt),
  );
}

export function batchSource(
  { engine, norm, layers }: Setting,
  graph: Graph,
  documents: readonly Document[],
  train: readonly number[],
  batchLoss: "mean" | "nodes" = "mean",
): BatchSource {
  const feed = SampleFeed.open(graph, documents, () => null)!;
  return sampledSource(
    engine,
    engine.arena(),
    graph,
    feed,
    { norm: "none", stats: null, stored: null, store: null },
    nodeTargets(graph),
    BigInt64Array.from(train, BigInt),
    { norm, layers, batchLoss },
  );
}

export interface StepResult {
  readonly loss: number;
  readonly logits: number[];
  readonly gradients: number[][];
  readonly nodes: number;
}

/** Loss, logits and gradients on every batch of an epoch; no update. */
export function steps(
  { engine, model }: Setting,
  source: BatchSource,
  { epoch = 0, training = true } = {},
): StepResult[] {
  const arena = engine.arena();
  const results: StepResult[] = [];
  for (const batch of source.batches(epoch, () => arena)) {
    engine.setStep(7, epoch, 5);
    results.push(stepOn(engine, model, batch, training));
    arena.reset();
  }
  arena.destroy();
  return results;
}

function stepOn(engine: Engine, model: Model, batch: Batch, training: boolean): StepResult {
  const arena = engine.arena();
  const tape = new Tape(engine, arena, training);
  const logits = model.forward(tape, batch);
  const loss = crossEntropy(tape, logits, batch.targets, { index: batch.lossRows });
  const gradients = tape.grad(loss, model.parameters).map((g) => g!.toNumbers());
  const result = { loss: loss.item(), logits: logits.toNumbers(), gradients, nodes: batch.numNodes };
  arena.destroy();
  return result;
}

/** A training job with every default filled in. */
export function job(
  graph: Graph,
  model: string,
  options: Record<string, unknown> = {},
  rest: Partial<TrainJob> & { params?: Record<string, unknown> } = {},
): TrainJob {
  const entry = models.get(model);
  const train = trainOptions.parse(options);
  const task = rest.task ?? taskFor(graph, "auto");
  const { params, ...others } = rest;
  return {
    graph,
    cache: null,
    samples: null,
    model: entry,
    modelParams: entry.params!.parse(params ?? {}) as Record<string, unknown>,
    task,
    taskParams: task.params!.parse({}) as Record<string, unknown>,
    scheduleParams: {},
    lossParams: losses.get("cross-entropy").params!.parse({}) as Record<string, unknown>,
    optimizerParams: optimizers.get(train.optimizer).params!.parse({}) as Record<string, unknown>,
    options: train,
    ...others,
  };
}

/** A document whose tensors are its own: those of a run end with it. */
export function copied(d: NewDocument): Document {
  return buildDocument({
    ...d,
    tensors: d.tensors.map((t) =>
      "window" in (t.data as object)
        ? { ...t, data: (t.data as { window(): Float32Array }).window().slice() }
        : t
    ),
  });
}
