/** Sampled operators of a trained model: what its backward products multiply by, chosen by one exact step. */
import { z } from "zod";
import { approximations } from "../approx/mod.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, ProvenanceRecord } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import type { Graph } from "../graph/graph.ts";
import { models } from "../models/mod.ts";
import { tasks } from "../tasks/mod.ts";
import { Run } from "../train/job.ts";
import { modelMeta } from "../train/model_meta.ts";
import type { LayoutEntry } from "./layout.ts";

const choosing = Object.fromEntries(
  [...approximations].flatMap(({ params, choosing }) =>
    choosing.map((key) => [key, params!.shape[key] as z.ZodType] as const)
  ),
);

export const operatorsParams = z.object({
  operator: z.enum(approximations.names as [string, ...string[]]).describe(
    "choose what stands for the backward products of a model, by one exact step",
  ),
  ...choosing,
}).strict();
export type OperatorsParams = z.infer<typeof operatorsParams>;

/**
 * One exact step, forward and backward, of the model's best weights on the whole graph: scores and lengths of its
 * products share out the budget and choose the rows. Loss, split and dropout are those that the model was trained with.
 *
 * @param seed  what draws of rows follow (approxMode crs).
 * @param write  gets the document, which is valid during the call.
 * @throws {GustError} (mismatch) if the model was trained on another graph, (usage) if its gradients cannot be
 *   approximated, with the reason.
 */
export function measuredOperators(
  graph: Graph,
  model: Document,
  params: OperatorsParams,
  seed: number,
  provenance: readonly ProvenanceRecord[],
  write: (document: NewDocument) => void,
): void {
  const { model: name, config } = modelMeta(model);
  checkMadeFrom(model, graph.document);
  const { operator, ...own } = params;
  const run = Run.start({
    graph,
    cache: null,
    samples: null,
    model: models.get(name),
    modelParams: config.params,
    task: tasks.get(config.task.name),
    taskParams: config.task.params,
    optimizerParams: config.optimizer_params,
    scheduleParams: config.schedule_params,
    lossParams: config.loss_params,
    options: config.train,
    approx: { name: operator, params: own },
    operatorUse: "measure",
  }, config.seed);
  try {
    run.measure(model, seed);
    const document = run.operators(provenance);
    if (!document) {
      throw new GustError(
        "data",
        `${model.label} has no backward product with the adjacency: there is nothing to choose`,
        "a first layer has one where its weights leave fewer columns than there are features: more --layers, or a smaller --hidden",
      );
    }
    write(document);
  } finally {
    run.close();
  }
}

export const operators: LayoutEntry = {
  name: "operators",
  summary: "rows that backward products of a model multiply by, chosen by one exact step (--operator)",
  source: "Liu et al. 2023, arXiv:2210.10737",
  params: operatorsParams,
};
