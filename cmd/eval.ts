/** gust eval: score a model on a graph by exact full-graph inference. */
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { Graph } from "../core/graph/graph.ts";
import { metricFor, metrics, showScore } from "../core/metrics/mod.ts";
import { inferenceOption } from "../core/train/config.ts";
import { evaluate } from "../core/train/evaluate.ts";
import {
  edgePartitionMetrics,
  evaluatePartition,
  metricsOf,
  partitionMetrics,
} from "../core/partition/quality.ts";
import { evaluatePrediction } from "../core/train/prediction_document.ts";
import type { Document } from "../core/format/document.ts";
import { AnswerIsNo } from "./_exit.ts";
import { type Io, isPropagated, withIo } from "./_io.ts";
import { defineCommand, kebab } from "./_options.ts";

const self = { name: "eval", writesDocument: false, usesDevice: true } as const;

interface Thresholds {
  readonly metric?: string | undefined;
  readonly minScore?: number | undefined;
  readonly maxScore?: number | undefined;
}

/** What is missed of --min-score and --max-score. */
function missedBy(name: string, value: number | null, { minScore, maxScore }: Thresholds): string[] {
  const missed: string[] = [], shown = value === null ? "not defined" : String(Number(value.toFixed(4)));
  if (minScore !== undefined && !(value !== null && value >= minScore)) {
    missed.push(`${name} is ${shown}, expected at least ${minScore}`);
  }
  if (maxScore !== undefined && !(value !== null && value <= maxScore)) {
    missed.push(`${name} is ${shown}, expected at most ${maxScore}`);
  }
  return missed;
}

/** Count what a partition is worth on its graph. */
function scorePartition(io: Io, partition: Document, options: Thresholds): void {
  const graph = new Graph(io.one("graph", "give the graph document beside the partition"));
  const name = metricsOf(partition).get(options.metric ?? metricsOf(partition).names[0]!).name;
  const { metrics: values, statistics } = evaluatePartition(graph, partition);
  const value = values[name]!;
  io.json({
    metric: name,
    value,
    metrics: values,
    part_edges: statistics.part_edges,
    ...("part_nodes" in statistics ? { part_nodes: statistics.part_nodes } : {}),
    parts: partition.meta["k"],
    partition: partition.digest,
    graph: graph.digest,
  });
  if (!io.common.json && !io.common.quiet) {
    const shown = (x: number | null) => x === null ? "-" : String(Number(x.toPrecision(5)));
    const count = (x: number | null) => Number.isInteger(x) ? String(x) : shown(x);
    const rest = Object.entries(values).filter(([other]) => other !== name);
    const isOfEdges = partition.meta["of"] === "edges";
    io.print(
      `${name} ${count(value)} of ${partition.meta["k"]} parts${isOfEdges ? " of edges" : ""} (${
        rest.map(([other, x]) => `${other} ${count(x)}`).join(", ")
      })\n`,
    );
  }
  const missed = missedBy(name, value, options);
  if (missed.length) throw new AnswerIsNo(missed.join("; "));
}

const metricNames = [
  ...new Set([...metrics.names, ...partitionMetrics.names, ...edgePartitionMetrics.names]),
];

export const command = defineCommand({
  ...self,
  summary: "score a model on a graph by exact full-graph inference, or a partition of it",
  operands: "[input...]",
  options: z.object({
    split: z.enum(["test", "val", "train", "all"]).default("test").describe(
      "which nodes, graphs or links: of the split stored in the model, or held out",
    ),
    metric: z.enum(metricNames as [string, ...string[]]).optional().describe(
      "the value that is reported first and tested [the usual one of the targets; cut; replication of edges]",
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

A partition beside its graph is counted anew: cut, communication volume, balance, replication, block density, ...
(gust inspect --list "partition metric"), or of edges replication, mirrors, balance (gust inspect --list "edge
partition metric"); --metric chooses what --min-score and --max-score test.

Links are scored against pairs without one (train --eval-negatives), drawn from the seed of the training run.

Examples:
  gust eval cora.graph.safetensors cora.model.safetensors
  gust eval cora.graph.safetensors cora.model.safetensors --min-accuracy 0.8 --json
  gust partition cora.graph.safetensors -k 10 | gust eval --metric balance --max-score 1.03
  gust partition cora.graph.safetensors -k 10 --method hdrf | gust eval --json`,
  run: (inputs, options, common) =>
    withIo(self, inputs, common, (io) => {
      const prediction = io.maybe("prediction"), partition = io.maybe("partition");
      if (partition && !prediction && !io.soFar("model")) {
        const unfit = (["evalNegatives", "minAccuracy"] as const).find((key) => options[key] !== undefined);
        if (unfit) {
          throw new GustError("usage", `--${kebab(unfit)} applies to models, and a partition was given`);
        }
        return scorePartition(io, partition, options);
      }
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
      missed.push(...missedBy(metric.name, value, options));
      if (missed.length) throw new AnswerIsNo(missed.join("; "));
    }),
});
