/** gust eval: score a model on a graph by exact full-graph inference. */
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { Graph } from "../core/graph/graph.ts";
import { metricFor, metrics, showScore } from "../core/metrics/mod.ts";
import { inferenceOption } from "../core/train/config.ts";
import { evaluate } from "../core/train/evaluate.ts";
import { evaluatePrediction } from "../core/train/prediction_document.ts";
import { AnswerIsNo } from "./_exit.ts";
import { isPropagated, withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";

const self = { name: "eval", writesDocument: false, usesDevice: true } as const;

export const command = defineCommand({
  ...self,
  summary: "score a model on a graph by exact full-graph inference",
  operands: "[input...]",
  options: z.object({
    split: z.enum(["test", "val", "train", "all"]).default("test").describe(
      "which nodes, graphs or links: of the split stored in the model, or held out",
    ),
    metric: z.enum(metrics.names as [string, ...string[]]).optional().describe(
      "the value that is reported first and tested [the usual one of the targets]",
    ),
    evalNegatives: z.int().min(0).max(100_000).optional().describe(
      "links: pairs without one per link, 0 = rank among every node, at either end [as in training]",
    ),
    inference: inferenceOption,
    minAccuracy: z.number().min(0).max(1).optional().describe(
      "exit 3 if the accuracy is lower, a fraction in 0..1",
    ).meta({ value: "X" }),
    minScore: z.number().optional().describe("exit 3 if the chosen metric is lower").meta({ value: "X" }),
    maxScore: z.number().optional().describe("exit 3 if the chosen metric is higher (an error, a loss)").meta(
      {
        value: "X",
      },
    ),
  }).strict(),
  details:
    `Inputs: a graph and a model, or a prediction of it (gust predict, gust smooth), in any order, as files or
down a pipe.
Exit status 3 means that it ran and a threshold was missed.

Links are scored against pairs without one (train --eval-negatives), drawn from the seed of the training run.

Examples:
  gust eval cora.graph.safetensors cora.model.safetensors
  gust eval cora.graph.safetensors cora.model.safetensors --min-accuracy 0.8 --json`,
  run: (inputs, options, common) =>
    withIo(self, inputs, common, (io) => {
      const prediction = io.maybe("prediction");
      const model = prediction ? io.soFar("model") : io.one("model", "train one with gust train");
      const graph = new Graph(io.one("graph", "give the graph document beside the model"));
      const { evalNegatives } = options;
      const taskParams = evalNegatives === undefined ? {} : { evalNegatives };
      if (prediction && evalNegatives !== undefined) {
        throw new GustError(
          "usage",
          "--eval-negatives applies to models of links, and a prediction was given",
        );
      }
      if (prediction && model && prediction.meta["model"] !== model.digest) {
        throw new GustError(
          "usage",
          `${prediction.label} is no prediction of ${model.label}, expected a model or a prediction to score`,
        );
      }
      const { items, count, kind, metrics: values, confusion } = prediction
        ? evaluatePrediction(graph, prediction, options.split)
        : evaluate(
          graph,
          model!,
          io.soFar("cache", isPropagated),
          options.split,
          taskParams,
          options.inference,
        );
      const metric = metricFor(kind, options.metric);
      const value = values[metric.name] ?? null;
      io.json({
        metric: metric.name,
        split: options.split,
        value,
        count,
        metrics: values,
        confusion,
        model: prediction ? prediction.meta["model"] : model!.digest,
        ...(prediction ? { prediction: prediction.digest } : {}),
        graph: graph.digest,
      });
      if (!common.json) {
        const rest = Object.entries(values).filter(([name]) => name !== metric.name);
        const list = rest.map(([name, v]) => `${name} ${showScore(metrics.get(name), v)}`);
        if (!common.quiet) {
          io.print(
            `${options.split} ${metric.name} ${showScore(metric, value)} on ${count} ${items} (${
              list.join(", ")
            })\n`,
          );
        }
        if (common.verbose && confusion) {
          io.print(
            "confusion (rows: true class)\n" + confusion.map((row) => row.join("\t")).join("\n") + "\n",
          );
        }
      }
      const missed: string[] = [];
      if (options.minAccuracy !== undefined && !((values["accuracy"] ?? NaN) >= options.minAccuracy)) {
        missed.push(
          `accuracy is ${
            values["accuracy"]?.toFixed(4) ?? "not defined"
          }, expected at least ${options.minAccuracy}`,
        );
      }
      if (options.minScore !== undefined && !(value !== null && value >= options.minScore)) {
        missed.push(
          `${metric.name} is ${value?.toFixed(4) ?? "not defined"}, expected at least ${options.minScore}`,
        );
      }
      if (options.maxScore !== undefined && !(value !== null && value <= options.maxScore)) {
        missed.push(
          `${metric.name} is ${value?.toFixed(4) ?? "not defined"}, expected at most ${options.maxScore}`,
        );
      }
      if (missed.length) throw new AnswerIsNo(missed.join("; "));
    }),
});
