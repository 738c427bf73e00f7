/** Training, scoring, predicting. */
import { approximations } from "../approx/mod.ts";
import { buildDocument, type Document, isScattered, type NewDocument } from "../format/document.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { lossFor } from "../losses/mod.ts";
import { models } from "../models/mod.ts";
import { optimizers } from "../optim/mod.ts";
import { schedules } from "../schedules/mod.ts";
import { taskFor } from "../tasks/mod.ts";
import type { Evaluation, Prediction, Subset } from "../tasks/task.ts";
import { type TrainOptions, trainOptions } from "../train/config.ts";
import { evaluate as evaluateModel, withModel } from "../train/evaluate.ts";
import { Run, type RunResult } from "../train/job.ts";
import type { EpochRecord } from "../train/run.ts";
import { SampleFeed } from "../train/sampled.ts";
import { paramsOf, provenanceOf, shareOut } from "./options.ts";

/** Options of train(): those of `gust train`, the model's, the optimizer's, ... own ones among them. */
export interface TrainRequest extends Partial<TrainOptions> {
  /** @default {"gcn"} */
  readonly model?: string;
  /** What is predicted; auto is the first that the graph has targets for. @default {"auto"} */
  readonly task?: string;
  /** What stands for the exact gradients of products with the adjacency. @default {"none"} */
  readonly approx?: string;
  /** @default {0} */
  readonly seed?: number;
  /** Batches drawn ahead (see sampleDocuments); without them the whole graph is one batch. */
  readonly samples?: Iterable<Document>;
  /** Called after each epoch. */
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Ends the run after the current epoch; what it has by then is returned. */
  readonly signal?: AbortSignal;
  readonly [option: string]: unknown;
}

export interface Trained {
  /** The model document: save() it, evaluate() it, or resume it with `gust train --resume`. */
  readonly model: Document;
  /** Epochs, scores of the best validation epoch, time. */
  readonly result: RunResult;
  /** What the scores are. */
  readonly metric: string;
}

/** A document whose tensors are copied when it is built: those of a run go with the run. */
function detached(document: NewDocument): NewDocument {
  const tensors = document.tensors.map((tensor) => {
    const { data } = tensor;
    return typeof data === "function" || isScattered(data) ? tensor : { ...tensor, data: () => [data] };
  });
  return { ...document, tensors };
}

/**
 * Train a model and keep the weights of the best validation epoch: the same bytes as `gust train` with these options.
 * A model's published settings are its defaults. All native memory of the run is given back on return.
 *
 * @throws {GustError} (usage) with every option that is not accepted, (missing) if the graph lacks targets or a split, or
 *   `samples` has none of them, (data) if the loss is not finite.
 *
 * @example
 * ```ts
 * import { evaluate, generate, train } from "./core/mod.ts";
 *
 * const graph = await generate("sbm", { nodes: 1000, classes: 4, features: 16, featureNoise: 1 });
 * const { model, metric } = await train(graph, { model: "gcn", hidden: 16, epochs: 30, seed: 1 });
 * const { metrics, count } = evaluate(graph, model);
 * console.log(metric, metrics.accuracy! > 0.8, count);
 * // accuracy true 800
 * ```
 */
export async function train(graph: Graph, request: TrainRequest = {}): Promise<Trained> {
  const { model: name = "gcn", task: wanted = "auto", approx = "none", seed = 0, samples, ...rest } = request;
  const { onEpoch, signal, ...given } = rest;
  const model = models.get(name);
  const flat: Record<string, unknown> = { ...model.train, ...given };
  const task = taskFor(graph, wanted);
  const choice = trainOptions.pick({ optimizer: true, schedule: true });
  const [chosen] = shareOut("train()", { optimizer: flat["optimizer"], schedule: flat["schedule"] }, [
    choice,
  ]);
  const optimizer = optimizers.get(chosen!["optimizer"] as string);
  const schedule = schedules.get(chosen!["schedule"] as string);
  // The loss depends on the targets, which depend on the task's options: what it takes is known only then.
  const taskParams = paramsOf(task).parse(
    Object.fromEntries(Object.entries(flat).filter(([key]) => key in paramsOf(task).shape)),
  ) as Record<string, unknown>;
  const { kind } = task.outputs(graph, taskParams);
  const loss = lossFor(kind, flat["loss"] as TrainOptions["loss"]);
  const approximation = approx === "none" ? null : approximations.get(approx);
  const entries = [
    trainOptions,
    model,
    optimizer,
    schedule,
    task,
    loss,
    ...(approximation ? [approximation] : []),
  ];
  const schemas = entries.map((s) => "shape" in s ? s : paramsOf(s));
  const [options, modelParams, optimizerParams, scheduleParams, , lossParams = {}, approxParams] = shareOut(
    "train()",
    flat,
    schemas,
  );
  const params = {
    modelParams: modelParams!,
    optimizerParams: optimizerParams!,
    scheduleParams: scheduleParams!,
  };
  const read: Document[] = samples ? [...samples] : [];
  if (samples && !read.some(({ kind }) => kind === "sample")) {
    const found = read.map(({ kind }) => kind).join(", ") || "nothing";
    throw new GustError("missing", `samples: ${found}, expected documents of sampleDocuments()`);
  }
  const run = Run.start({
    graph,
    cache: null,
    samples: SampleFeed.open(graph, read, () => null),
    model,
    task,
    taskParams,
    lossParams,
    options: options as TrainOptions,
    approx: approxParams ? { name: approx, params: approxParams } : null,
    ...params,
  }, seed);
  try {
    const result = await run.train({
      onEpoch: (_, record) => onEpoch?.(record),
      shouldStop: () => signal?.aborted ?? false,
    });
    const record = {
      model: name,
      task: task.name,
      ...Object.assign({}, ...Object.values(params)),
      ...options,
      ...(approxParams ? { approx, ...approxParams } : {}),
    };
    const provenance = provenanceOf("train", { ...record, ...taskParams, ...lossParams }, seed, [
      graph.document,
      ...read,
    ]);
    return { model: buildDocument(detached(run.document(provenance))), result, metric: run.metric };
  } finally {
    run.close();
  }
}

/**
 * Score a model on a graph by exact full-graph inference.
 *
 * @param subset  which items: of the split stored in the model; "all" for every one whose target is known.
 * @throws {GustError} (mismatch) if the graph's features or classes are not those the model was trained for,
 *   (missing) where the graph has no targets, or no such split.
 */
export function evaluate(graph: Graph, model: Document, subset: Subset = "test"): Evaluation {
  return evaluateModel(graph, model, null, subset);
}

/**
 * A model's predictions for every node (or graph): scores in native memory, and classes where there are some.
 *
 * @throws as evaluate() does; the graph needs no targets.
 *
 * @example
 * ```ts
 * import { generate, predict, train } from "./core/mod.ts";
 *
 * const graph = await generate("sbm", { nodes: 500, classes: 3, features: 8 });
 * const { model } = await train(graph, { epochs: 5 });
 * const prediction = predict(graph, model);
 * if (prediction.items === "nodes") {
 *   const { scores, predicted, width } = prediction.outputs;
 *   const first = scores.window(0, width).reduce((sum, p) => sum + p, 0);
 *   console.log(prediction.count, predicted?.length, first.toFixed(3));
 * }
 * // 500 500 1.000
 * ```
 */
export function predict(graph: Graph, model: Document): Prediction {
  return withModel(graph, model, null, (opened) => opened.task.predict(opened));
}
