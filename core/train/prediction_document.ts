/** Prediction documents: scores of every node or graph, with the split that training went by. */
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, NewTensor } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkFinite, checkInside } from "../graph/arcs.ts";
import { type Graph, splitNames } from "../graph/graph.ts";
import { iota } from "../sampling/sampler.ts";
import { chosenItems, scoreItems } from "../tasks/items.ts";
import { graphTargets, storedFold } from "../tasks/graph.ts";
import { tasks } from "../tasks/mod.ts";
import { nodeTargets } from "../tasks/node.ts";
import type { Evaluation, Prediction, Subset } from "../tasks/task.ts";
import type { Outputs } from "./predictions.ts";
import type { Split } from "./split.ts";
import { numItems, type TargetKind, type Targets } from "./targets.ts";

/** Scores of every node or graph. */
export type ItemPrediction = Exclude<Prediction, { items: "vectors" }>;

const nodeIds = (graph: Graph) => graph.nodeIds() ?? iota(graph.numNodes);

/**
 * The document of a prediction, but for its provenance: scores, or the vectors of nodes.
 * @param split  that of the model's training, where it was trained on this graph.
 */
export function predictionDocument(
  graph: Graph,
  made: { readonly model: string } & Readonly<Record<string, unknown>>,
  prediction: Prediction,
  split: Split | null,
): Omit<NewDocument, "provenance"> {
  const meta = { ...made, graph: graph.digest };
  if (prediction.items === "vectors") {
    const { width, vectors } = prediction, n = graph.numNodes;
    return {
      kind: "embedding",
      meta,
      tensors: [
        { name: "node_ids", dtype: "I64", shape: [n], data: nodeIds(graph) },
        { name: "vectors", dtype: "F32", shape: [n, width], data: vectors },
      ],
    };
  }
  const { items, kind, count, outputs: { scores, predicted, width } } = prediction;
  const ids = items === "nodes" ? nodeIds(graph) : iota(count);
  const lists = split
    ? splitNames.map((name): NewTensor => ({
      name: `split.${name}`,
      dtype: "I64",
      shape: [split[name].length],
      data: split[name],
    }))
    : [];
  return {
    kind: "prediction",
    meta: { ...meta, num_classes: width, outputs: kind },
    tensors: [
      { name: items === "nodes" ? "node_ids" : "graph_ids", dtype: "I64", shape: [count], data: ids },
      { name: "scores", dtype: "F32", shape: [count, width], data: scores },
      ...(predicted ? [{ name: "label", dtype: "I32" as const, shape: [count], data: predicted }] : []),
      ...lists,
    ],
  };
}

/** The most likely class of each item, the first of equals. */
function largest(scores: NativeArray<"F32">, width: number): NativeArray<"I32"> {
  const count = scores.length / width, rows = Math.max(1, Math.floor(2 ** 24 / width));
  const out = NativeArray.allocate("I32", count, false);
  for (let from = 0; from < count; from += rows) {
    const some = Math.min(rows, count - from);
    const window = scores.window(from * width, some * width), to = out.window(from, some);
    for (let i = 0; i < some; i++) {
      let best = 0;
      for (let c = 1; c < width; c++) if (window[i * width + c]! > window[i * width + best]!) best = c;
      to[i] = best;
    }
  }
  return out;
}

/**
 * A prediction document of a graph, and the split that it keeps.
 * @throws {GustError} (mismatch) for that of another graph, (data) for scores that are not finite or too few.
 */
export function openPrediction(
  graph: Graph,
  document: Document,
): { readonly prediction: ItemPrediction; readonly split: Split | null } {
  checkMadeFrom(document, graph.document);
  checkFinite(document, "scores");
  const { meta } = document, items = document.has("graph_ids") ? "graphs" : "nodes";
  const width = meta["num_classes"] as number, kind = (meta["outputs"] ?? "classes") as TargetKind;
  const scores = document.tensor("scores", "F32"), count = document.spec("scores").shape[0]!;
  const wanted = items === "nodes" ? graph.numNodes : (graph.graphPointer()?.length ?? 1) - 1;
  if (count !== wanted || width < 1) {
    throw new GustError(
      "data",
      `${document.label} scores ${count} ${items} by ${width} numbers each, expected ${wanted} by at least 1`,
    );
  }
  if (document.has("label")) checkInside(document, "label", 0, width - 1);
  const predicted = kind !== "classes"
    ? null
    : document.has("label")
    ? document.tensor("label", "I32")
    : largest(scores, width);
  const list = (name: string) =>
    document.has(name) ? document.tensor(name, "I64").read() : new BigInt64Array(0);
  const hasSplit = splitNames.some((name) => document.has(`split.${name}`));
  return {
    prediction: { items, kind, count, outputs: { scores, predicted, width } },
    split: hasSplit ? { train: list("split.train"), val: list("split.val"), test: list("split.test") } : null,
  };
}

/** What the items of a prediction are in truth. @throws {GustError} (mismatch) if that is of another kind. */
function targetsOf(graph: Graph, { items, kind, outputs }: ItemPrediction, label: string): Targets {
  const targets = items === "nodes" ? nodeTargets(graph) : graphTargets(graph);
  if (targets.kind === kind && targets.width === outputs.width) return targets;
  throw new GustError(
    "mismatch",
    `${label} predicts ${kind}, ${outputs.width} per item; ${graph.document.label} has ${targets.kind}, ${targets.width}`,
  );
}

/** Score a prediction document. @throws {GustError} as openPrediction(), and where the graph has no targets or split. */
export function evaluatePrediction(graph: Graph, document: Document, subset: Subset): Evaluation {
  const { prediction, split } = openPrediction(graph, document);
  const targets = targetsOf(graph, prediction, document.label);
  tasks.get(prediction.items === "nodes" ? "node" : "graph").check(graph);
  const outputs: Outputs = prediction.outputs;
  const stored = (name: Exclude<Subset, "all">) =>
    prediction.items === "nodes" ? graph.split(name) : storedFold(graph, name);
  if (subset !== "all" && !split && !stored(subset)) {
    throw new GustError(
      "missing",
      `No ${subset} split: neither ${document.label} nor ${graph.document.label} stores one`,
      `score every ${prediction.items === "nodes" ? "labelled node" : "graph"} with --split all`,
    );
  }
  const chosen = chosenItems(
    { graph, storedSplit: split },
    prediction.items,
    targets,
    numItems(targets),
    subset,
    stored,
  );
  return scoreItems(prediction.items, outputs, targets, chosen);
}
