/** gust smooth: spread known labels, or a model's predictions, along the edges. */
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { Graph } from "../core/graph/graph.ts";
import { smoothers } from "../core/smoothing/mod.ts";
import { smooth } from "../core/smoothing/smooth.ts";
import { withModel } from "../core/train/evaluate.ts";
import {
  type ItemPrediction,
  openPrediction,
  predictionDocument,
} from "../core/train/prediction_document.ts";
import type { Split } from "../core/train/split.ts";
import { type Io, isPropagated, withIo } from "./_io.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";

const self = { name: "smooth", writesDocument: true, usesDevice: true } as const;

/** What is smoothed: a prediction document, or what a model predicts. */
function baseOf(io: Io, graph: Graph): { prediction: ItemPrediction; split: Split | null; digest: string } {
  const document = io.soFar("prediction");
  if (document) return { ...openPrediction(graph, document), digest: document.digest };
  const model = io.one("model", "give a model (gust train) or a prediction (gust predict)");
  return withModel(graph, model, io.soFar("cache", isPropagated), (opened) => {
    const prediction = opened.task.predict(opened);
    if (prediction.items === "vectors") {
      throw new GustError("mismatch", `${model.label} predicts links, expected a model of classes of nodes`);
    }
    return { prediction, split: opened.storedSplit, digest: model.digest };
  });
}

/** The training nodes: of the split that came with the prediction, else of the graph's own. */
function splitOf(graph: Graph, index: number, given: Split | null): Split {
  if (given) return given;
  const train = graph.split("train", index);
  if (!train) {
    throw new GustError(
      "missing",
      `${graph.document.label} stores no split, expected split.train: which labels may be used`,
      "draw one with gust split --method per-class",
    );
  }
  const none = new BigInt64Array(0);
  return { train, val: graph.split("val", index) ?? none, test: graph.split("test", index) ?? none };
}

export const command = defineCommand({
  ...self,
  summary: "spread labels or predictions along the edges",
  operands: "[input...]",
  options: z.object({
    method: z.enum(["auto", ...smoothers.names]).default("auto").describe(
      "how; auto is correct-and-smooth where a model or a prediction is among the inputs",
    ),
    ...registryOptions(smoothers),
    splitIndex: z.int().min(0).default(0).describe(
      "which of several stored splits, where none comes with the prediction",
    ),
  }).strict(),
  details: `Methods:
${[...smoothers].map(({ name, summary }) => `  ${name.padEnd(18)}  ${summary}`).join("\n")}

Inputs: a graph whose nodes have classes, and for correct-and-smooth a model or a prediction, which ends here. Only
labels of training nodes are read. Writes a prediction document with the split, which gust eval scores.

Examples:
  gust smooth cora.graph.safetensors | gust eval
  gust train cora.graph.safetensors --model mlp | gust smooth | gust eval
  gust predict cora.graph.safetensors cora.model.safetensors | gust smooth --correction fixed-diff --scale 2 | gust eval`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, (io) => {
      io.consumes = (d) => d.kind === "model" || d.kind === "prediction";
      const document = io.one("graph", "give the graph document");
      const graph = new Graph(document);
      const hasBase = io.read.some((d) => io.consumes(d));
      const method = o.method === "auto" ? hasBase ? "correct-and-smooth" : "label-propagation" : o.method;
      const smoother = smoothers.get(method);
      const params = entryParams(smoothers, smoother, o);
      if (!smoother.readsPrediction && hasBase) {
        throw new GustError(
          "usage",
          `--method ${method} reads labels alone, expected no model or prediction among the inputs`,
          "leave it out, or use --method correct-and-smooth",
        );
      }
      if (params["correction"] === "autoscale" && params["scale"] !== undefined) {
        throw new GustError("usage", "--scale applies to --correction fixed-diff alone");
      }
      const base = smoother.readsPrediction ? baseOf(io, graph) : null;
      const split = splitOf(graph, o.splitIndex, base?.split ?? null);
      const { prediction, unreached } = smooth(
        graph,
        split.train,
        smoother,
        params,
        base?.prediction ?? null,
      );
      const used = io.read.filter((d) => d === document || d.digest === base?.digest);
      const made = predictionDocument(
        graph,
        { model: base?.digest ?? method, method, params },
        prediction,
        split,
      );
      const settings = { method, ...params, ...(base?.split ? {} : { splitIndex: o.splitIndex }) };
      const digest = io.write({ ...made, provenance: io.provenance(settings, used) });
      io.json({ kind: "prediction", method, nodes: graph.numNodes, unreached, digest });
      if (unreached > 0) {
        io.say(`${unreached} nodes that no label reached have the class frequencies of the training nodes`);
      }
      io.say(`${method}: ${graph.numNodes} nodes from ${split.train.length} training labels`);
    }),
});
