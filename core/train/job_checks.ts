/** What a training job is made of, checked against one another before anything runs: refused with the reason and the fix. */
import { approximations } from "../approx/mod.ts";
import type { StoredOperators } from "../approx/operators.ts";
import { GustError, problemsError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { ReorderParams } from "../models/reorder.ts";
import type { TaskEntry } from "../tasks/task.ts";
import type { TrainJob } from "./job.ts";
import { type FeatureRecipe, modelMeta } from "./model_meta.ts";

/** Refuse what the model cannot use, with the reason from its entry. */
export function checkAccepted(
  { model, modelParams, cache, samples }: Pick<TrainJob, "model" | "modelParams" | "cache" | "samples">,
): void {
  const { propagated, batches } = model.accepts, isPrecalculated = !!model.precalc?.(modelParams);
  if (cache && propagated !== null) {
    throw new GustError(
      "usage",
      `Model "${model.name}" does not accept propagated features: ${propagated}`,
      "leave the cache out, or train sgc or mlp on it",
    );
  }
  if (cache?.meta["alpha"] && model.propagate) {
    throw new GustError(
      "usage",
      `Model "${model.name}" reads powers of the adjacency times features, and ${cache.label} was made with --alpha ${
        cache.meta["alpha"]
      }`,
      "leave --alpha out, or train mlp on it",
    );
  }
  if (cache?.meta["all_hops"] && model.propagate) {
    throw new GustError(
      "usage",
      `Model "${model.name}" reads the last hop alone, and ${cache.label} holds all hops side by side`,
      "leave --all-hops out, or train mlp on it",
    );
  }
  if (samples && batches !== null) {
    throw new GustError(
      "usage",
      `Model "${model.name}" does not accept sampled batches: ${batches}`,
      "leave the samples out, or train gcn on them",
    );
  }
  const { memoryBudget = "none" } = modelParams as ReorderParams;
  if (samples && memoryBudget !== "none") {
    throw new GustError(
      "usage",
      `--memory-budget ${memoryBudget} applies to steps on the whole graph, whose memory is planned ahead`,
      "leave the batches out, or make them smaller",
    );
  }
  if (isPrecalculated && samples?.isPacked) {
    throw new GustError(
      "usage",
      "--precalc: the batches come with packed features, which are not multiplied by the adjacency",
      "leave the packed features out",
    );
  }
}

/**
 * Refuse models, batches and numbers of epochs that an approximation does not fit; without one there is nothing to check.
 * @param isStatic  whether every step is on the whole graph.
 * @param start  the operators that it begins with.
 * @throws {GustError} (usage) with all reasons.
 */
export function checkApproximation(
  { approx, model, modelParams, options, samples, operatorUse }: TrainJob,
  isStatic: boolean,
  start: StoredOperators | null,
): void {
  if (!approx) return;
  const entry = approximations.get(approx.name), why = model.accepts.approx(modelParams);
  const layers = model.accepts.hops(modelParams);
  const problems = [
    ...(why === null ? [] : [`the gradients of model "${model.name}" cannot be approximated: ${why}`]),
    ...(samples && samples.hops > 0
      ? ["sampled neighbourhoods are small already: it fits the whole graph, or clusters (gust partition)"]
      : []),
    ...((start || operatorUse) && !isStatic
      ? ["batches have operators of their own, expected the whole graph in every step"]
      : []),
    ...(operatorUse === "measure" ? [] : entry.problems(approx.params, options.epochs, start !== null)),
    ...(start?.problems(layers, approx.name, approx.params) ?? []),
  ];
  if (problems.length) throw problemsError("usage", `--approx ${approx.name} does not fit`, problems);
}

/**
 * Refuse arcs, targets and splits that lead outside of arrays: kernels do not look. O(arcs + nodes).
 * @throws {GustError} (data) naming tensor and position.
 */
export function checkBounds(graph: Graph, task: TaskEntry): void {
  checkArcs(graph);
  task.check(graph);
}

/** Refuse to go on with features that are prepared otherwise than those that the run began with. */
export function checkRecipe(resumed: Document, recipe: FeatureRecipe): void {
  const text = ({ feat_norm, propagate }: FeatureRecipe) =>
    `feat-norm ${feat_norm}, ${
      propagate
        ? `${propagate.all ? "all " : ""}${propagate.hops} hops, norm ${propagate.norm}`
        : "no propagation"
    }`;
  const began = text(modelMeta(resumed).config.features), now = text(recipe);
  if (began === now) return;
  throw new GustError(
    "mismatch",
    `${resumed.label} was trained on other features (${began}) than it would go on with (${now})`,
    "give the cache that the run began with",
  );
}
