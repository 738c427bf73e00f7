/** What tasks on nodes and on graphs share: items with targets, whose outputs are the rows of one forward pass. */
import { NativeArray } from "../../ffi/native.ts";
import { findNotFinite } from "../../ffi/native_checks.ts";
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { GustError } from "../errors.ts";
import { type Graph, splitNames } from "../graph/graph.ts";
import { lossFor } from "../losses/mod.ts";
import { allMetrics, confusionMatrix, metricFor } from "../metrics/mod.ts";
import { Tape } from "../tensor/autograd.ts";
import { mostLikely, type Outputs, predictionsOf, scoresOf } from "../train/predictions.ts";
import type { Metric } from "../metrics/metric.ts";
import { ItemScorer, type Scorer } from "../train/scorer.ts";
import { isKnown, type TargetKind, type Targets } from "../train/targets.ts";
import type { Evaluation, OpenedRun, Subset, TaskParts, TaskRun } from "./task.ts";

/** Loss and scorer of a run on items with targets. */
export function itemParts(
  run: TaskRun,
  targets: Targets,
  scorer: (metric: Metric) => Scorer = (metric) => {
    const { engine, model, input, split } = run;
    return new ItemScorer(engine, engine.arena(), model, input, targets, split, metric);
  },
): Omit<TaskParts, "source"> {
  const { job: { options, lossParams }, arena, split } = run;
  const known = isKnown(targets);
  return {
    loss: lossFor(targets.kind, options.loss).create(
      { arena, targets, train: split.train.filter((i) => known(Number(i))) },
      lossParams,
    ),
    scorer: scorer(metricFor(targets.kind, options.selectBy)),
  };
}

/** What an op made, in memory that outlives the run. */
function copied<D extends "F32" | "I32">(dtype: D, t: TensorHandle): NativeArray<D> {
  return hostArray(t, dtype).copy();
}

/**
 * Exact inference: scores of every item, in memory that outlives the run.
 * @throws {GustError} (data) if one is not a number, naming the item.
 */
export function inferItems(run: OpenedRun, kind: TargetKind, item: "node" | "graph"): Outputs {
  const { engine, arena, model, input } = run;
  const tape = new Tape(engine, arena, false);
  const logits = model.forward(tape, input);
  const scores = copied("F32", scoresOf(tape, kind, logits).handle);
  const predicted = kind === "classes" ? copied("I32", mostLikely(tape, logits)) : null;
  return finite(run, { scores, predicted, width: logits.cols }, item);
}

/** @throws {GustError} (data) if a score is not a number, naming the item. */
export function finite(
  { graph, label }: Pick<OpenedRun, "graph" | "label">,
  outputs: Outputs,
  item: "node" | "graph",
): Outputs {
  const { scores, width } = outputs, { count, place } = findNotFinite(scores);
  if (count > 0) {
    throw new GustError(
      "data",
      `The model of ${label} gives ${item} ${
        Math.floor(place / width)
      } of ${graph.document.label} a score that is not a number: its weights, or their products, are not finite`,
      "train it again, with a smaller --lr",
    );
  }
  return outputs;
}

/**
 * The items of a subset whose targets are known, ascending: of the split stored in the model where it was trained on
 * this graph, else of the graph's own.
 *
 * @param what  "nodes" or "graphs", for messages.
 * @throws {GustError} (missing) where there is no such split, (data) where no item of it has a known target.
 */
export function chosenItems(
  { graph, storedSplit }: Pick<OpenedRun, "graph" | "storedSplit">,
  what: Evaluation["items"],
  targets: Targets,
  numItems: number,
  subset: Subset,
  stored: (name: Exclude<Subset, "all">) => BigInt64Array | null,
): number[] {
  const known = isKnown(targets), { label } = graph.document;
  const someOf = (items: readonly number[], where: string) => {
    const chosen = items.filter(known);
    if (chosen.length > 0) return chosen;
    throw new GustError("data", `${where} has no labelled ${what}`);
  };
  if (subset === "all") return someOf(Array.from({ length: numItems }, (_, i) => i), label);
  const items = storedSplit?.[subset] ?? stored(subset);
  if (!items) {
    throw new GustError(
      "missing",
      `No ${subset} split: the model was trained on another graph and ${label} stores none`,
      `score all labelled ${what} with --split all`,
    );
  }
  const list = Array.from(items, Number);
  const outside = list.find((v) => v < 0 || v >= numItems);
  if (outside !== undefined) {
    throw new GustError(
      "data",
      `The ${subset} split that the model stores holds ${what.slice(0, -1)} ${outside}, expected 0 to ${
        numItems - 1
      }`,
      "gust inspect --check lists every problem",
    );
  }
  return someOf(list, `The ${subset} split of ${label}`);
}

/** Every metric on the given items, of which there is at least one. */
export function scoreItems(
  items: Evaluation["items"],
  outputs: Outputs,
  targets: Targets,
  chosen: readonly number[],
): Evaluation {
  const predictions = predictionsOf(outputs, targets, chosen);
  return {
    items,
    count: chosen.length,
    kind: targets.kind,
    metrics: allMetrics(predictions),
    confusion: predictions.kind === "classes" ? confusionMatrix(predictions) : null,
  };
}

/** Refuse stored splits that name items that do not exist. */
export function checkSplits(graph: Graph, prefix: string, check: (name: string) => void): void {
  for (const name of splitNames) {
    const key = `${prefix}.${name}`;
    if (graph.document.has(key) && graph.document.spec(key).dtype === "I64") check(key);
  }
}
