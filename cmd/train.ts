/** gust train: fit a model on a graph, from the full graph or from batches and caches made before. */
import { z } from "zod";
import { GustError, problemsError } from "../core/errors.ts";
import { buildDocument, type Document, type NewDocument } from "../core/format/document.ts";
import { checkMadeFrom, describeDocument } from "../core/format/provenance.ts";
import { openFile } from "../core/format/read.ts";
import { writeFile } from "../core/format/write.ts";
import type { PropagatedMeta } from "../core/cache/propagated.ts";
import { Graph } from "../core/graph/graph.ts";
import { models } from "../core/models/mod.ts";
import { losses, lossFor } from "../core/losses/mod.ts";
import { type Metric } from "../core/metrics/metric.ts";
import { metrics, showScore } from "../core/metrics/mod.ts";
import { optimizers } from "../core/optim/mod.ts";
import { samplers } from "../core/sampling/mod.ts";
import { sampleChunks } from "../core/sampling/sample.ts";
import { schedules } from "../core/schedules/mod.ts";
import { taskFor, tasks } from "../core/tasks/mod.ts";
import { summaryOf } from "../core/statistics/moments.ts";
import { trainOptions } from "../core/train/config.ts";
import { Run, type RunResult, type TrainJob } from "../core/train/job.ts";
import { modelMeta } from "../core/train/model_document.ts";
import { SampleFeed } from "../core/train/sampled.ts";
import { Interrupted } from "./_exit.ts";
import { type Io, isPropagated, withIo } from "./_io.ts";
import {
  allParams,
  type Choice,
  type CommonOptions,
  defineCommand,
  entryDefaults,
  kebab,
  registryOptions,
} from "./_options.ts";
import { EpochLog, progressLine, watchInterrupt } from "./_train_talk.ts";

const options = z.object({
  model: z.enum(models.names as [string, ...string[]]).default("gcn").describe("what to train"),
  ...registryOptions(models),
  task: z.enum(["auto", ...tasks.names]).default("auto").describe(
    "what is predicted; auto is the first that the graph has targets for",
  ),
  ...registryOptions(tasks),
  ...trainOptions.shape,
  ...registryOptions(optimizers),
  ...registryOptions(schedules),
  ...registryOptions(losses),
  partsPerBatch: z.int().min(1).optional().describe(
    "parts per batch of a partition that comes without a sample [1]",
  ),
  repeat: z.int().min(1).default(1).describe(
    "train N seeds in a row; the best validation run is kept, or all with {seed} in -o",
  ),
  allSplits: z.boolean().default(false).describe(
    "train on every stored split (fold) in turn, each with every seed",
  ),
  log: z.string().optional().describe("write one JSON line per epoch").meta({ value: "FILE" }),
  resume: z.string().optional().describe("continue the run of this model document, bit for bit").meta({
    value: "FILE",
  }),
  checkpoint: z.string().optional().describe("where an interrupted run is kept [OUTPUT.checkpoint]").meta({
    value: "FILE",
  }),
  checkpointEvery: z.int().min(0).default(0).describe(
    "write the checkpoint every N epochs too, 0 = on Ctrl-C only",
  ),
}).strict();
type Options = z.infer<typeof options>;
type Params = Record<string, unknown>;

/** Options that contradict each other, and those that would do nothing. */
function contradictions(o: Options, { output }: CommonOptions): string[] {
  const usual = trainOptions.parse({});
  const problems: string[] = [];
  if (o.split === "file" && o.trainPerClass !== usual.trainPerClass) {
    problems.push("--train-per-class applies to --split random alone");
  }
  if (o.split === "file" && o.valPerClass !== usual.valPerClass) {
    problems.push("--val-per-class applies to --split random alone");
  }
  if (o.split === "file" && o.testShare !== usual.testShare) {
    problems.push("--test-share applies to --split random alone");
  }
  if (o.allSplits && (o.split === "random" || o.splitIndex !== usual.splitIndex)) {
    problems.push("--all-splits takes every stored split, expected no --split random or --split-index");
  }
  if (o.resume !== undefined && o.allSplits) {
    problems.push("--resume continues one run, expected no --all-splits");
  }
  if (o.split === "random" && o.splitIndex !== usual.splitIndex) {
    problems.push("--split-index applies to --split file alone");
  }
  if (o.checkpointEvery > 0 && checkpointPath(o, output, 0) === undefined) {
    problems.push("--checkpoint-every has nowhere to keep checkpoints, expected -o or --checkpoint");
  }
  if (o.resume !== undefined && o.repeat > 1) {
    problems.push("--resume continues one run, expected --repeat 1");
  }
  return problems;
}

/** What a run is made from. */
type Settings =
  & Pick<TrainJob, "modelParams" | "optimizerParams" | "scheduleParams" | "options" | "partsPerBatch">
  & {
    readonly model: string;
    readonly seed: number;
    /** The task with its options; null: as the graph suggests. */
    readonly task: Pick<TrainJob, "task" | "taskParams" | "lossParams"> | null;
  };

function settingsOf(o: Options, common: CommonOptions): Settings {
  const own = Object.keys(trainOptions.shape).map((key) => [key, o[key as keyof Options]]);
  const options = trainOptions.parse(Object.fromEntries(own));
  const chosen: Choice[] = [
    [models, models.get(o.model)],
    [optimizers, optimizers.get(options.optimizer)],
    [schedules, schedules.get(options.schedule)],
  ];
  const all = allParams(chosen, o, contradictions(o, common));
  const [modelParams, optimizerParams, scheduleParams] = all as [Params, Params, Params];
  return {
    model: o.model,
    modelParams,
    optimizerParams,
    scheduleParams,
    task: null,
    options,
    partsPerBatch: o.partsPerBatch,
    seed: common.seed,
  };
}

/** The task, and the loss that its targets call for, with their options. */
function taskSettings(
  graph: Graph,
  o: Options,
  options: TrainJob["options"],
  given: ReadonlySet<string>,
): NonNullable<Settings["task"]> {
  const task = taskFor(graph, o.task);
  const usual = trainOptions.parse({});
  const idle = (task.unused ?? []).filter((key) => given.has(key) && o[key] !== usual[key]);
  const problems = idle.map((key) => `--${kebab(key)} does not apply to task "${task.name}"`);
  const [taskParams] = allParams([[tasks, task]], o, problems) as [Params];
  const { kind } = task.outputs(graph, taskParams);
  const [lossParams] = allParams([[losses, lossFor(kind, options.loss)]], o) as [Params];
  return { task, taskParams, lossParams };
}

/**
 * A model that propagates features by itself takes the steps of the cache that is there instead.
 * @throws {GustError} (usage) if others were asked for.
 */
function withCache(settings: Settings, cache: Document | null, given: ReadonlySet<string>): Settings {
  const { model, modelParams } = settings;
  if (!cache || !models.get(model).propagate) return settings;
  const { hops, norm } = cache.meta as unknown as PropagatedMeta;
  for (const [key, made] of [["hops", `${hops} hops`], ["norm", `norm ${norm}`]] as const) {
    if (!given.has(key) || modelParams[key] === cache.meta[key]) continue;
    throw new GustError(
      "usage",
      `--${key} ${modelParams[key]}: the features of ${cache.label} were propagated with ${made}`,
      `give --${key} to gust cache`,
    );
  }
  return { ...settings, modelParams: { ...modelParams, hops, norm } };
}

/** Settings of a resumed run: what its document says; only --epochs may differ, and grow. */
function resumedSettings(
  given: ReadonlySet<string>,
  o: Options,
  common: CommonOptions,
  resumed: Document,
): Settings {
  const { model, config, progress } = modelMeta(resumed);
  const { params, optimizer_params, train, parts_per_batch: partsPerBatch, seed } = config;
  const { task, schedule_params, loss_params } = config;
  const own = { ...params, ...optimizer_params, ...schedule_params, ...loss_params, ...task.params };
  const was: Params = { model, task: task.name, ...own, ...train, partsPerBatch, seed };
  const now: Params = { ...o, seed: common.seed };
  const shown = (value: unknown) => value === undefined ? "not taken" : JSON.stringify(value);
  const owned = [
    ...Object.keys(was),
    ...[...models, ...optimizers, ...schedules, ...losses, ...tasks].flatMap((e) =>
      Object.keys(e.params?.shape ?? {})
    ),
  ];
  const differing = [...given].filter((key) =>
    key !== "epochs" && owned.includes(key) && JSON.stringify(now[key]) !== JSON.stringify(was[key])
  );
  const problems = [
    ...contradictions({ ...o, ...train }, common),
    ...differing.map((key) => `--${kebab(key)} is ${shown(now[key])}, expected ${shown(was[key])}`),
  ];
  if (given.has("epochs") && o.epochs < progress.epoch) {
    problems.push(`--epochs is ${o.epochs}, expected at least the ${progress.epoch} that are done`);
  }
  if (problems.length) {
    const what = `Cannot resume ${resumed.label} with these settings`;
    throw problemsError("usage", what, problems, "only --epochs may change");
  }
  const options = { ...train, ...(given.has("epochs") ? { epochs: o.epochs } : {}) };
  return {
    model,
    modelParams: params,
    optimizerParams: optimizer_params,
    scheduleParams: schedule_params,
    task: { task: tasks.get(task.name), taskParams: task.params, lossParams: loss_params },
    options,
    partsPerBatch,
    seed,
  };
}

/** Refuse to go on with batches or caches that the run did not begin with. */
function checkSameInputs(resumed: Document, used: readonly Document[], source: string): void {
  const { config } = modelMeta(resumed);
  if (config.source !== source) {
    throw new GustError(
      "mismatch",
      `${describeDocument(resumed)} was trained on batches of "${config.source}", not of "${source}"`,
      "give the inputs that the run began with",
    );
  }
  const known = resumed.provenance.at(-1)?.inputs ?? [];
  const other = used.find(({ digest }) => !known.includes(digest));
  if (!other) return;
  throw new GustError(
    "mismatch",
    `${describeDocument(resumed)} did not read ${describeDocument(other)}`,
    "give the inputs that the run began with",
  );
}

/** Cluster batches of a partition that came without a sample, drawn as training goes; null without a partition. */
function clusterFeed(io: Io, graph: Graph, settings: Settings, seed: number): SampleFeed | null {
  const partition = io.maybe("partition");
  if (!partition) {
    if (settings.partsPerBatch !== undefined) {
      throw new GustError(
        "missing",
        "--parts-per-batch: no partition among the inputs, expected one",
        "gust partition GRAPH -k 32",
      );
    }
    return null;
  }
  const params = { partsPerBatch: settings.partsPerBatch ?? 1, epochs: settings.options.epochs };
  const request = {
    graph,
    partition,
    seed,
    sampler: samplers.get("cluster"),
    params,
    provenance: [],
  };
  const documents = function* () {
    for (const chunk of sampleChunks(request)) yield buildDocument(chunk);
  };
  return SampleFeed.draw(documents, graph, "cluster");
}

/** The run whose validation score is best (the first of equals). */
function better({ better }: Metric, a: RunResult, b: RunResult): boolean {
  if (a.val === null || b.val === null) return a.val === null && b.val !== null;
  return better === "higher" ? b.val > a.val : b.val < a.val;
}

const round = (x: number | null, digits: number) => x === null ? null : Number(x.toFixed(digits));
function runJson(r: RunResult) {
  const { seed, split, epochs, best_epoch, train, val, test } = r;
  return {
    seed,
    split,
    epochs,
    best_epoch,
    train,
    val,
    test,
    seconds: round(r.seconds, 4),
    ms_per_epoch: round(r.ms_per_epoch, 4),
    peak_memory_bytes: r.peak_memory_bytes,
  };
}

function checkpointPath(o: Options, output: string | undefined, seed: number, split = 0): string | undefined {
  const path = o.checkpoint ?? (output === undefined ? undefined : `${output}.checkpoint`);
  return path && filled(path, seed, split);
}

/** A file name with the numbers of the run in place of {seed} and {split}. */
function filled(path: string, seed: number, split: number): string {
  return path.replaceAll("{seed}", String(seed)).replaceAll("{split}", String(split));
}

/** Let a signal be heard between runs that are too short to listen. */
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

const self = { name: "train", writesDocument: true } as const;

export const command = defineCommand({
  ...self,
  summary: "train a model and keep the weights of the best validation epoch",
  operands: "[input...]",
  options,
  details:
    `Inputs: a graph, and what was made of it: samples (gust sample), packed or propagated features (gust cache).
Samples and packed features end here; everything else is passed on down a pipe.

Where a data set of many graphs has labels or targets of its graphs alone, graphs are predicted: --pool and a head follow
the model, steps are batches of whole graphs, folds are splits. A fold without a validation part gives up --val-share of
its training graphs, of every class, by seed and fold; --split random draws --val-share and --test-share of all graphs.

A model's published training settings are its defaults; every flag overrides one.

Examples:
  gust train cora.graph.safetensors --model gcn -o cora.model.safetensors
  gust train cora.graph.safetensors --repeat 10 --json=scores.json -o cora.model.safetensors
  gust train mutag.graph.safetensors --model gin --all-splits --json=scores.json -o mutag.model.safetensors
  gust cache cora.graph.safetensors --hops 2 | gust train --model sgc | gust eval`,
  refine(o, given) {
    const model = models.get(o.model);
    const published = Object.entries(model.train ?? {}).filter(([key]) => !given.has(key));
    const settings = { ...o, ...Object.fromEntries(published) };
    const chosen = [model, optimizers.get(settings.optimizer), schedules.get(settings.schedule)];
    const defaults = Object.assign({}, ...chosen.map(entryDefaults));
    const open = Object.entries(defaults).filter(([key]) => settings[key as keyof Options] === undefined);
    return { ...settings, ...Object.fromEntries(open) };
  },
  run: (inputs, o, common, given) =>
    withIo(self, inputs, common, async (io) => {
      io.consumes = (d) => d.kind === "sample" || (d.kind === "cache" && d.meta["layout"] === "packed");
      const resumed = o.resume === undefined ? null : openFile(o.resume);
      if (o.resume !== undefined) io.alsoRead.push(o.resume);
      const asked = resumed ? resumedSettings(given, o, common, resumed) : settingsOf(o, common);
      const graphDocument = io.until("graph") ?? io.one("graph", "give the graph document");
      const graph = new Graph(graphDocument);
      const task = asked.task ?? taskSettings(graph, o, asked.options, given);
      if (resumed) checkMadeFrom(resumed, graphDocument);
      const sampled = SampleFeed.open(graph, io.read, () => io.next());
      if (sampled && o.partsPerBatch !== undefined) {
        throw new GustError("usage", "--parts-per-batch does not apply to batches that gust sample drew");
      }
      const feedOf = (seed: number) => sampled ?? clusterFeed(io, graph, asked, seed);
      const feed = feedOf(asked.seed);
      const isDrawn = feed !== null && sampled === null;
      /** What the run reads of what has come so far. */
      const used = () => {
        const cache = io.soFar("cache", isPropagated);
        const batches = io.read.filter((d) => d.kind === "sample" || d.kind === "cache" && !isPropagated(d));
        const drawn = isDrawn ? [io.soFar("partition")!] : [];
        return { cache, all: [io.soFar("graph")!, ...batches, ...drawn, ...(cache ? [cache] : [])] };
      };
      const { cache, all } = used();
      if (cache) checkMadeFrom(cache, graphDocument);
      const settings = withCache(asked, cache, given);
      if (resumed) checkSameInputs(resumed, all, feed?.name ?? "full");
      const partsPerBatch = isDrawn ? settings.partsPerBatch ?? 1 : undefined;
      const jobOf = (seed: number, splitIndex: number): TrainJob => ({
        graph,
        cache,
        samples: feedOf(seed),
        ...settings,
        ...task,
        options: { ...settings.options, splitIndex },
        model: models.get(settings.model),
        partsPerBatch,
      });

      const log = new EpochLog(o.log, resumed !== null);
      const interrupt = watchInterrupt();
      const progress = progressLine(io, settings.options.epochs);
      const provenance = (seed: number, splitIndex: number) => {
        const records = io.provenance({
          model: settings.model,
          ...settings.modelParams,
          task: task.task.name,
          ...task.taskParams,
          ...settings.options,
          splitIndex,
          ...settings.optimizerParams,
          ...settings.scheduleParams,
          ...task.lossParams,
          ...(isDrawn ? { partsPerBatch } : {}),
        }, used().all);
        return [...records.slice(0, -1), { ...records.at(-1)!, seed }];
      };
      const results: RunResult[] = [];
      const outputs: string[] = [];
      let best: { result: RunResult; run: Run } | null = null;
      let metric: Metric | null = null;
      const splits = o.allSplits
        ? Array.from({ length: task.task.numSplits(graph) }, (_, i) => i)
        : [settings.options.splitIndex];
      if (splits.length === 0) throw new GustError("missing", `${graphDocument.label} stores no splits`);
      const runs = splits.flatMap((split) =>
        Array.from({ length: o.repeat }, (_, i) => ({ split, seed: settings.seed + i }))
      );
      try {
        for (const { split, seed } of runs) {
          await breathe();
          if (interrupt.stopped()) throw new Interrupted(`interrupted before the run of seed ${seed}`);
          const run = Run.start(jobOf(seed, split), seed);
          metric = metrics.get(run.metric);
          const keep = checkpointPath(o, common.output, seed, split);
          let checkpoint: string | null = null;
          const result = await run.train({
            resume: resumed,
            shouldStop: interrupt.stopped,
            onEpoch: (s, record) => {
              log.add(s, o.allSplits ? split : null, record);
              progress(s, record);
            },
            checkpoint: keep === undefined ? undefined : {
              every: o.checkpointEvery,
              write: (document: NewDocument) => {
                writeFile(keep, { ...document, provenance: provenance(seed, split) });
                checkpoint = keep;
              },
            },
          });
          if (!result.finished) {
            throw new Interrupted(
              checkpoint === null
                ? `interrupted after epoch ${result.epochs}; nothing was kept, expected -o or --checkpoint`
                : `interrupted after epoch ${result.epochs}\nhint: continue with --resume ${
                  JSON.stringify(checkpoint)
                }`,
            );
          }
          results.push(result);
          if (/\{(seed|split)\}/.test(common.output ?? "")) {
            const output = filled(common.output!, seed, split);
            writeFile(output, run.document(provenance(seed, split)));
            outputs.push(output);
            run.close();
          } else if (!best || better(metric, best.result, result)) {
            best?.run.close();
            best = { result, run };
          } else run.close();
        }
        io.all();
        const digest = best
          ? io.write(best.run.document(provenance(best.run.seed, best.result.split)))
          : null;
        if (!best) io.writeDeps(...outputs);
        best?.run.close();
        const scores = (key: "val" | "test") => summaryOf(results.map((r) => r[key]));
        const totals = { metric: metric!.name, val: scores("val"), test: scores("test") };
        io.json({ runs: results.map(runJson), summary: totals, model: settings.model, digest });
        const p = (s: { mean: number | null; std: number | null }) =>
          showScore(metric!, s.mean) +
          (s.mean !== null && results.length > 1 ? ` +- ${showScore(metric!, s.std)}` : "");
        io.say(
          `${settings.model}: ${totals.metric}: val ${p(totals.val)}, test ${
            p(totals.test)
          } over ${results.length} run${results.length > 1 ? "s" : ""}, ` +
            `${results.reduce((sum, r) => sum + r.seconds, 0).toFixed(2)} s`,
        );
      } finally {
        interrupt.release();
        log.close();
      }
    }),
});
