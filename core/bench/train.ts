/** Epochs of full-graph training, scoring included. */
import { z } from "zod";
import { models } from "../models/mod.ts";
import { losses } from "../losses/mod.ts";
import { optimizers } from "../optim/mod.ts";
import { taskFor } from "../tasks/mod.ts";
import { trainOptions } from "../train/config.ts";
import { Run } from "../train/job.ts";
import { defineBenchmark, resultOf } from "./benchmark.ts";
import { statsOf } from "./measure.ts";

/** Epochs that record the step and warm the caches. */
const WARM_UP = 5;

export const train = defineBenchmark({
  name: "train",
  summary: "an epoch of full-graph training with scoring, in the library's training loop",
  source: "gust",
  params: z.object({
    model: z.enum(models.names as [string, ...string[]]).default("gcn").describe("what to train"),
    hidden: z.int().min(1).default(64).describe("width of the hidden layers"),
    epochs: z.int().min(3).max(100000).default(50).describe("timed epochs"),
  }).strict(),
  generated: () => ({ model: "sbm", params: {} }),
  async run(context, { model, hidden, epochs }) {
    const { graph, label } = context.graph();
    const entry = models.get(model);
    const hasHidden = entry.params !== undefined && "hidden" in entry.params.shape;
    const options = trainOptions.parse({
      epochs: epochs + WARM_UP,
      split: graph.numSplits > 0 ? "file" : "random",
    });
    const times: number[] = [];
    const task = taskFor(graph, "auto");
    const run = Run.start({
      graph,
      task,
      taskParams: task.params?.parse({}) ?? {},
      scheduleParams: {},
      lossParams: losses.get("cross-entropy").params?.parse({}) ?? {},
      cache: null,
      samples: null,
      model: entry,
      modelParams: entry.params?.parse(hasHidden ? { hidden } : {}) ?? {},
      optimizerParams: optimizers.get(options.optimizer).params?.parse({}) ?? {},
      options,
    }, context.seed);
    await run.train({ onEpoch: (_, { ms }) => times.push(ms) });
    run.engine.destroy();
    const width = hasHidden ? { width: hidden } : {};
    return [
      resultOf({
        name: `train_${model}`,
        graph: label,
        ...width,
        dtype: "f32",
        stats: statsOf(times.slice(WARM_UP)),
      }),
    ];
  },
});
