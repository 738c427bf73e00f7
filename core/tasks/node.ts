/** Predicting what nodes are: one class, several labels, or numbers. */
import { z } from "zod";
import { GustError } from "../errors.ts";
import { checkInfinite, checkInside } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { Loss } from "../losses/loss.ts";
import { normsRows } from "../models/stack.ts";
import type { Metric } from "../metrics/metric.ts";
import { adaptiveSource } from "../train/adaptive.ts";
import { LayerwiseInference } from "../train/layerwise.ts";
import { LayerwiseScorer } from "../train/layerwise_scorer.ts";
import type { Outputs } from "../train/predictions.ts";
import { featureRowsSource, fullBatchSource } from "../train/full_batch.ts";
import { sampledSource } from "../train/sampled.ts";
import { resolveSplit } from "../train/split.ts";
import { isKnown, storedTargets, type TargetKind, type Targets } from "../train/targets.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkSplits, chosenItems, finite, inferItems, itemParts, scoreItems } from "./items.ts";
import { defineTask, type OpenedRun } from "./task.ts";

/** The targets of a graph's nodes. @throws {GustError} (missing) if it has none. */
export function nodeTargets(graph: Graph): Targets {
  const targets = storedTargets(graph.document, "label", "target", graph.numClasses);
  if (!targets) {
    throw new GustError("missing", `${graph.document.label} has no labels or targets of its nodes`);
  }
  return targets;
}

/** Exact outputs of every node. */
function outputsOf(run: OpenedRun, kind: TargetKind): Outputs {
  const { engine, arena, graph, model, inference } = run;
  if (inference.how !== "layerwise") return inferItems(run, kind, "node");
  const { name, features } = inference;
  const layerwise = new LayerwiseInference(engine, arena, graph, model, name, run.norm, features);
  return finite(run, layerwise.outputs(kind), "node");
}

export const node = defineTask({
  name: "node",
  summary: "classes, labels or numbers of nodes",
  source: "Kipf and Welling 2017, arXiv:1609.02907",
  params: z.object({}).strict(),
  misfit: ({ document }) =>
    document.has("label") || document.has("target") ? null : "it has no labels or targets of its nodes",
  outputs(graph) {
    const { kind, width } = nodeTargets(graph);
    return { kind, width };
  },
  check(graph) {
    const { document } = graph;
    if (graph.labels()) checkInside(document, "label", -1, graph.numClasses - 1);
    if (document.has("target")) checkInfinite(document, "target");
    checkSplits(graph, "split", (name) => checkInside(document, name, 0, graph.numNodes - 1));
  },
  split: resolveSplit,
  numSplits: (graph) => graph.numSplits,
  unused: ["valShare", "testShare"],
  build: (init, entry, signature, modelParams) => entry.build(init, signature, modelParams, "logits"),
  start(run) {
    const { job: { graph, samples, model, modelParams, options }, engine, arena, input, features, split } =
      run;
    const targets = nodeTargets(graph), known = isKnown(targets);
    const train = split.train.filter((v) => known(Number(v)));
    if (train.length === 0) {
      throw new GustError(
        "data",
        `No training node of ${graph.document.label} has a known target, expected at least one`,
        "choose another split: gust inspect shows them, gust split draws one",
      );
    }
    if (samples?.isPacked && options.features !== "file") {
      throw new GustError(
        "usage",
        `--features ${options.features}: the batches come with packed features as ${graph.document.label} stores them`,
        "leave the packed features out",
      );
    }
    const layers = model.accepts.hops(modelParams);
    const source = (loss: Loss) => {
      const adaptive = adaptiveSource(run, targets, train, loss);
      if (adaptive) return adaptive;
      if (!samples && layers === 0 && normsRows(modelParams) && input.features instanceof Tensor) {
        return featureRowsSource(engine, arena, graph, input.features, targets, train);
      }
      if (!samples) return fullBatchSource(input, arena, graph, targets, train);
      return sampledSource(engine, arena, graph, samples, run.trainingRows, targets, train, {
        norm: model.operator(modelParams),
        layers,
        batchLoss: options.batchLoss,
      });
    };
    const layerwise = () => {
      const norm = model.operator(modelParams);
      const inference = new LayerwiseInference(engine, arena, graph, run.model, model.name, norm, features);
      return (metric: Metric) => new LayerwiseScorer(inference, targets, split, metric);
    };
    const parts = itemParts(run, targets, options.inference === "layerwise" ? layerwise() : undefined);
    return { source: source(parts.loss), ...parts };
  },
  evaluate(run, subset) {
    const { graph } = run;
    const targets = nodeTargets(graph);
    const nodes = chosenItems(run, "nodes", targets, graph.numNodes, subset, (name) => graph.split(name));
    return scoreItems("nodes", outputsOf(run, targets.kind), targets, nodes);
  },
  predict(run) {
    const kind = run.kind as TargetKind;
    return { items: "nodes", kind, count: run.graph.numNodes, outputs: outputsOf(run, kind) };
  },
});
