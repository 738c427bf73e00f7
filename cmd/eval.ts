/** gust eval: score a model on a graph by exact full-graph inference. */
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { Graph } from "../core/graph/graph.ts";
import { metrics } from "../core/metrics/mod.ts";
import { infer, nodesOf, score } from "../core/train/evaluate.ts";
import { AnswerIsNo } from "./_exit.ts";
import { isPropagated, withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";

const percent = (x: number | null) => x === null ? "-" : (100 * x).toFixed(2) + " %";

const self = { name: "eval", writesDocument: false } as const;

export const command = defineCommand({
  ...self,
  summary: "score a model on a graph by exact full-graph inference",
  operands: "[input...]",
  options: z.object({
    split: z.enum(["test", "val", "train", "all"]).default("test").describe(
      "which nodes: of the split stored in the model",
    ),
    metric: z.enum(metrics.names as [string, ...string[]]).default("accuracy").describe(
      "the value that is reported first and tested",
    ),
    minAccuracy: z.number().min(0).max(1).optional().describe(
      "exit 3 if the accuracy is lower, a fraction in 0..1",
    ).meta({ value: "X" }),
    minScore: z.number().min(0).max(1).optional().describe("exit 3 if the chosen metric is lower").meta({
      value: "X",
    }),
  }).strict(),
  details: `Inputs: a graph and a model, in any order, as files or down a pipe.
Exit status 3 means that it ran and a threshold was missed.

Examples:
  gust eval cora.graph.safetensors cora.model.safetensors
  gust eval cora.graph.safetensors cora.model.safetensors --min-accuracy 0.8 --json`,
  run: (inputs, options, common) =>
    withIo(self, inputs, common, (io) => {
      const model = io.one("model", "train one with gust train");
      const graph = new Graph(io.one("graph", "give the graph document beside the model"));
      const cache = io.soFar("cache", isPropagated);
      const inference = infer(graph, model, cache);
      const nodes = nodesOf(graph, inference, options.split);
      if (nodes.length === 0) {
        throw new GustError(
          "data",
          `The ${options.split} split of ${graph.document.label} has no labelled nodes`,
        );
      }
      const { count, metrics: values, confusion } = score(graph, inference, nodes);
      const value = values[options.metric] ?? null;
      io.json({
        metric: options.metric,
        split: options.split,
        value,
        count,
        metrics: values,
        confusion,
        model: model.digest,
        graph: graph.digest,
      });
      if (!common.json) {
        const list = Object.entries(values).filter(([name]) => name !== options.metric).map(([name, v]) =>
          `${name} ${percent(v)}`
        );
        if (!common.quiet) {
          io.print(
            `${options.split} ${options.metric} ${percent(value)} on ${count} nodes (${list.join(", ")})\n`,
          );
        }
        if (common.verbose) {
          io.print(
            "confusion (rows: true class)\n" + confusion.map((row) => row.join("\t")).join("\n") + "\n",
          );
        }
      }
      const missed: string[] = [];
      if (options.minAccuracy !== undefined && !(values["accuracy"]! >= options.minAccuracy)) {
        missed.push(
          `accuracy is ${values["accuracy"]?.toFixed(4)}, expected at least ${options.minAccuracy}`,
        );
      }
      if (options.minScore !== undefined && !(value !== null && value >= options.minScore)) {
        missed.push(
          `${options.metric} is ${value?.toFixed(4) ?? "not defined"}, expected at least ${options.minScore}`,
        );
      }
      if (missed.length) throw new AnswerIsNo(missed.join("; "));
    }),
});
