/** A trained model on a graph: exact full-graph inference, and its scores. */
import { Engine } from "../../ffi/engine.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import type { Graph } from "../graph/graph.ts";
import type { Propagation } from "../cache/propagate.ts";
import type { PropagatedMeta } from "../cache/propagated.ts";
import { models } from "../models/mod.ts";
import type { Signature } from "../models/model.ts";
import type { Evaluation, OpenedRun, Subset, TaskEntry } from "../tasks/task.ts";
import type { Inference } from "./config.ts";
import { fullInput } from "./full_batch.ts";
import { checkBounds } from "./job_checks.ts";
import { checkSignature, type FeatureRecipe, type ModelMeta, openModel } from "./model_document.ts";
import { type ModelFeatures, modelFeatures } from "./model_features.ts";

/** Whether both hold the same statistics of standardised features, or none. */
function sameStats(cache: Document, model: Document): boolean {
  const numbers = (d: Document, name: string) => d.has(name) ? d.tensor(name, "F32").toNumbers() : [];
  return ["feat_mean", "feat_inverse_std"].every((name) => {
    const a = numbers(cache, `extra/${name}`), b = numbers(model, `state/${name}`);
    return a.length === b.length && a.every((x, i) => x === b[i]);
  });
}

/** What features were made by, in words. */
const said = ({ hops, norm, all, alpha }: Propagation) =>
  `${hops} hops${all ? " side by side" : ""}, norm ${norm}${alpha ? `, alpha ${alpha}` : ""}`;

/** A cache that was made for another recipe or graph is no help: say so rather than use it. */
function fittingCache(
  cache: Document | null,
  graph: Graph,
  model: Document,
  meta: ModelMeta,
): Document | null {
  if (!cache || cache.meta["layout"] !== "propagated") return null;
  checkMadeFrom(cache, graph.document);
  const made = cache.meta as unknown as PropagatedMeta;
  const { propagate, feat_norm } = meta.config.features;
  if (
    propagate && made.hops === propagate.hops && made.norm === propagate.norm &&
    made.feat_norm === feat_norm &&
    (made.all_hops ?? false) === (propagate.all ?? false) && (made.alpha ?? 0) === (propagate.alpha ?? 0)
  ) {
    if (sameStats(cache, model)) return cache;
    throw new GustError(
      "mismatch",
      `The features of ${cache.label} are standardised with other numbers than ${model.label} was trained on`,
      "leave the cache out: the features are propagated again",
    );
  }
  throw new GustError(
    "mismatch",
    `The features of ${cache.label} (${
      said({ ...made, all: made.all_hops })
    }, feat-norm ${made.feat_norm}) are not what the model was trained on ` +
      `(${propagate ? said(propagate) : "no propagation"}, feat-norm ${feat_norm})`,
    "leave the cache out: the features are propagated again",
  );
}

/** What is there while a model is open on a graph. */
export interface Opened extends OpenedRun {
  readonly task: TaskEntry;
  readonly meta: ModelMeta;
}

/** How many features the graph gives the model: one-hot degrees have as many columns as the model was trained on. */
function numFeaturesOf(graph: Graph, { source, propagate }: FeatureRecipe, signature: Signature): number {
  if (source === "file") return graph.meta.num_features * (propagate?.all ? propagate.hops + 1 : 1);
  if (source === "degree") return signature.num_features;
  return source === "one" ? 1 : graph.numNodes;
}

/**
 * Open a model on a graph, and close it after `body`.
 *
 * @param cache  features propagated ahead, or null.
 * @param inference  how nodes are scored: of other items, all at once.
 * @throws {GustError} (mismatch) if features or outputs differ from those it was trained for.
 */
export function withModel<T>(
  graph: Graph,
  modelDocument: Document,
  cache: Document | null,
  body: (opened: Opened) => T,
  inference: Inference = "whole",
): T {
  const engine = new Engine();
  let features: ModelFeatures | null = null;
  try {
    const arena = engine.arena();
    const { task, model, meta, stats, split } = openModel(engine, modelDocument, "best");
    const { config: { features: recipe, params, task: { params: taskParams } }, signature } = meta;
    if (inference !== "whole" && task.unused?.includes("inference")) {
      throw new GustError(
        "usage",
        `--inference ${inference}: ${modelDocument.label} is of task "${task.name}", expected one on nodes`,
      );
    }
    checkBounds(graph, task);
    // A graph without targets can be predicted: only what it says must agree.
    const outputs = task.misfit(graph) === null ? task.outputs(graph, taskParams) : null;
    const width = outputs?.width ?? graph.numClasses, edgeTypes = outputs?.edgeTypes;
    const got = {
      num_features: numFeaturesOf(graph, recipe, signature),
      num_classes: width || signature.num_classes,
      ...(edgeTypes === undefined ? {} : { num_edge_types: edgeTypes }),
    };
    checkSignature(modelDocument.label, signature, got, graph.document.label);
    const entry = models.get(meta.model), norm = entry.operator(params);
    features = modelFeatures(engine, arena, graph, {
      recipe,
      cache: fittingCache(cache, graph, modelDocument, meta),
      trainNodes: null,
      stats,
      width: signature.num_features,
      precalc: entry.precalc?.(params) ?? null,
    });
    return body({
      engine,
      arena,
      graph,
      model,
      task,
      meta,
      norm,
      params: taskParams,
      kind: meta.outputs,
      seed: meta.config.seed,
      input: fullInput(engine, arena, graph, features.input, norm),
      storedSplit: meta.graph === graph.digest ? split : null,
      label: modelDocument.label,
      inference: { how: inference, name: meta.model, features: features.rows },
    });
  } finally {
    engine.destroy();
    features?.free();
  }
}

/**
 * Score a model on a graph.
 *
 * @param taskParams  options of the task in place of those of the training run: how links are ranked, say.
 * @throws {GustError} (missing) where the graph has no targets, or no such split; (usage) for options of another task.
 */
export function evaluate(
  graph: Graph,
  modelDocument: Document,
  cache: Document | null,
  subset: Subset,
  taskParams: Readonly<Record<string, unknown>> = {},
  inference: Inference = "whole",
): Evaluation {
  return withModel(graph, modelDocument, cache, (opened) => {
    const { task, params } = opened;
    const foreign = Object.keys(taskParams).find((key) => !(key in (task.params?.shape ?? {})));
    if (foreign !== undefined) {
      throw new GustError(
        "usage",
        `Option "${foreign}" does not apply to task "${task.name}" of ${opened.label}`,
      );
    }
    return task.evaluate({ ...opened, params: { ...params, ...taskParams } }, subset);
  }, inference);
}
