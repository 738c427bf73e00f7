/** gust train: fit a model on a graph, from the full graph or from batches and caches made before. */
import { isOperators } from "../core/approx/operators.ts";
import { GustError } from "../core/errors.ts";
import type { CacheReport } from "../core/feature_cache/cached_rows.ts";
import type { Document, NewDocument } from "../core/format/document.ts";
import { checkMadeFrom } from "../core/format/provenance.ts";
import { openFile } from "../core/format/read.ts";
import { asNew, writeFile } from "../core/format/write.ts";
import { Graph } from "../core/graph/graph.ts";
import type { Metric } from "../core/metrics/metric.ts";
import { metrics, showScore } from "../core/metrics/mod.ts";
import { models } from "../core/models/mod.ts";
import { type SamplerChoice, trainSamplers } from "../core/sampling/mod.ts";
import type { TaskEntry } from "../core/tasks/task.ts";
import { sizeOf } from "../core/size.ts";
import { summaryOf } from "../core/statistics/moments.ts";
import { drawnFeed } from "../core/train/drawn.ts";
import { NotFinite } from "../core/train/finite.ts";
import { Run, type RunResult, type TrainJob } from "../core/train/job.ts";
import { planText } from "../core/train/plan_report.ts";
import { SampleFeed } from "../core/train/sampled.ts";
import { describeNative } from "../ffi/native.ts";
import { Interrupted } from "./_exit.ts";
import { type Io, isPropagated, withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";
import { isOrphan } from "./_program.ts";
import { type PartResult, trainParts } from "./_train_jobs.ts";
import {
  cacheChoice,
  checkpointPath,
  checkSameInputs,
  filled,
  isPerRun,
  options,
  resumedSettings,
  type Settings,
  settingsOf,
  taskSettings,
  unreadColumns,
  withCache,
  withOperators,
  withPublished,
} from "./_train_settings.ts";
import { TrainProfile } from "./_train_profile.ts";
import { EpochLog, progressLine, watchInterrupt } from "./_train_talk.ts";

/** Batches that are drawn as training goes: by what, and those of one seed and split. */
interface Drawn {
  readonly choice: SamplerChoice;
  readonly partition: Document | null;
  /** Null: the sampler is a batch source by itself. */
  feed(seed: number, splitIndex: number): SampleFeed | null;
}

/** The sampler of a run without samples: what it asks for, or clusters where a partition came; null: neither. */
function chosenSampler(io: Io, graph: Graph, asked: SamplerChoice | null): Omit<Drawn, "feed"> | null {
  if (asked && !trainSamplers.get(asked.name).needsPartition) return { choice: asked, partition: null };
  const partition = io.maybe("partition");
  if (!partition && !(asked && graph.partPointer())) {
    if (!asked) return null;
    throw new GustError(
      "missing",
      `--sampler ${asked.name}: no partition among the inputs, expected one, or a graph in part order`,
      "gust partition GRAPH -k 32, or gust partition GRAPH -k 32 --apply",
    );
  }
  const usual = () => trainSamplers.get("cluster").params!.parse({}) as Record<string, unknown>;
  return { choice: asked ?? { name: "cluster", params: usual() }, partition };
}

function drawnBatches(
  io: Io,
  graph: Graph,
  { sampler: asked, options }: Settings,
  task: TaskEntry,
): Drawn | null {
  const chosen = chosenSampler(io, graph, asked);
  if (!chosen) return null;
  const { choice, partition } = chosen;
  const feed = (seed: number, splitIndex: number) =>
    drawnFeed(choice, {
      graph,
      partition,
      seed,
      epochs: options.epochs,
      splitIndex,
      train: () => task.split(graph, { ...options, splitIndex, seed }).train,
    });
  return { ...chosen, feed };
}

/** The run whose validation score is best (the first of equals). */
function better({ better }: Metric, a: RunResult, b: RunResult): boolean {
  if (a.val === null || b.val === null) return a.val === null && b.val !== null;
  return better === "higher" ? b.val > a.val : b.val < a.val;
}

/** The error with where the last good epoch of its run is, and how to learn more. */
function withKept(
  { message, hint }: NotFinite,
  run: Run,
  checkpoint: string | null,
  isNamed: boolean,
): GustError {
  const { epoch } = run.training.progress, file = JSON.stringify(checkpoint);
  const kept = epoch === 0
    ? "no epoch ended before it"
    : checkpoint === null
    ? `what epoch ${epoch} ended with was not kept, expected -o or --checkpoint`
    : `what epoch ${epoch} ended with is in ${file}`;
  const resume = checkpoint !== null && !run.batches.state ? `--resume ${file} ` : "";
  const names = isNamed ? "" : `; ${resume}--detect-anomaly names the op that it comes from`;
  return new GustError("data", `${message}; ${kept}`, hint + names);
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
    ...(r.gpu_memory_bytes ? { gpu_memory_bytes: r.gpu_memory_bytes } : {}),
    ...(r.skipped ? { skipped: r.skipped } : {}),
    ...(r.features ? { features: r.features } : {}),
    ...(r.feature_cache ? { feature_cache: r.feature_cache } : {}),
  };
}

/** What a feature cache did, in a line. */
function cacheLine(
  { policy, rows, row_bytes, hit_ratio, bytes_read, belady, best_static }: CacheReport,
): string {
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`,
    mega = (bytes: number) => (bytes / 1e6).toFixed(1);
  const bound = belady === undefined
    ? ""
    : ` (at best ${percent(belady)}, with fixed rows ${percent(best_static!)})`;
  return `feature cache ${policy}: ${rows} rows, ${mega(rows * row_bytes)} MB: ${
    percent(hit_ratio)
  } hits${bound}, ` +
    `${mega(bytes_read)} MB read`;
}

/** Let a signal be heard between runs that are too short to listen. */
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

const self = { name: "train", writesDocument: true, usesDevice: true } as const;

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

--save-operators keeps the matrices that backward products of --approx rsc multiplied by last, and how many rows each
choice had in common with the one before (of a resumed run: since it was resumed). A run begins with such a
document, or one of gust cache --operator rsc, where it is among the inputs: no exact epochs come first, and the first
--cache-every steps multiply by its matrices.

A model's published training settings are its defaults; every flag overrides one.

Examples:
  gust train cora.graph.safetensors --model gcn -o cora.model.safetensors
  gust train cora.graph.safetensors --repeat 10 --json=scores.json -o cora.model.safetensors
  gust train cora.graph.safetensors --repeat 10 --jobs 2 -o cora.model.safetensors
  gust train cora.graph.safetensors --hidden 64 --layers 3 --plan
  gust train cora.graph.safetensors --profile=trace.json -o cora.model.safetensors
  gust train mutag.graph.safetensors --model gin --all-splits --json=scores.json -o mutag.model.safetensors
  gust train cora.graph.safetensors --approx rsc --save-operators cora.operators -o cora.model.safetensors
  gust train cora.graph.safetensors cora.operators --approx rsc -o cora.model.safetensors
  gust cache cora.graph.safetensors --hops 2 | gust train --model sgc | gust eval
  gust split cora.graph.safetensors --method links | gust train --task link --decoder dot | gust eval`,
  refine: withPublished,
  run: (inputs, o, common, given) =>
    withIo({ ...self, writesDocument: !o.plan }, inputs, common, async (io) => {
      io.consumes = (d) => d.kind === "sample" || (d.kind === "cache" && !isPropagated(d));
      const resumed = o.resume === undefined ? null : openFile(o.resume);
      if (o.resume !== undefined) io.alsoRead.push(o.resume);
      const asked = resumed ? resumedSettings(given, o, common, resumed) : settingsOf(o, common);
      const graphDocument = io.until("graph") ?? io.one("graph", "give the graph document");
      const graph = new Graph(graphDocument);
      const task = asked.task ?? taskSettings(graph, o, asked.options, given);
      if (resumed) checkMadeFrom(resumed, graphDocument);
      const sampled = SampleFeed.open(graph, io.read, () => io.next());
      const samplerParams = sampled?.params ?? asked.sampler?.params ?? {};
      for (const line of unreadColumns(graph, asked, task, samplerParams)) io.warn(line);
      if (sampled && asked.sampler) {
        throw new GustError(
          "usage",
          `--sampler ${asked.sampler.name} and its options do not apply to batches that gust sample drew`,
        );
      }
      const drawn = sampled ? null : drawnBatches(io, graph, asked, task.task);
      /** What the run reads of what has come so far. */
      const used = () => {
        const cache = io.soFar("cache", isPropagated);
        const batches = io.read.filter((d) => d.kind === "sample" || d.kind === "cache" && !isPropagated(d));
        const partition = drawn?.partition;
        const all = [
          io.soFar("graph")!,
          ...batches,
          ...(partition ? [partition] : []),
          ...(cache ? [cache] : []),
        ];
        return { cache, all, operators: io.soFar("cache", isOperators) };
      };
      const { cache, all, operators } = used();
      if (cache) checkMadeFrom(cache, graphDocument);
      const settings = withOperators(withCache(asked, cache, given), operators, resumed);
      if (asked.options.batchLoss !== "mean" && !sampled && !drawn) {
        throw new GustError(
          "usage",
          `--batch-loss ${asked.options.batchLoss} applies to batches of nodes, expected a sample or a partition`,
          "gust partition GRAPH -k 32",
        );
      }
      if (resumed) checkSameInputs(resumed, all, sampled?.name ?? drawn?.choice.name ?? "full");
      const featureCache = cacheChoice(o);
      const jobOf = (seed: number, splitIndex: number): TrainJob => ({
        graph,
        cache,
        samples: sampled ?? drawn?.feed(seed, splitIndex) ?? null,
        ...settings,
        ...task,
        options: { ...settings.options, splitIndex },
        model: models.get(settings.model),
        sampler: drawn && drawn.choice,
        operators,
        operatorUse: o.saveOperators === undefined ? null : "save",
        featureCache,
        featureStore: { kind: o.featureStore, hotBytes: sizeOf(o.gpuMem) },
        onEngine: (engine) => profile?.profiler.attach(engine),
      });

      const profile = o.profile || o.profileFile !== undefined ? new TrainProfile(io, o.profileFile) : null;
      if (o.plan) {
        const run = Run.start(jobOf(settings.seed, settings.options.splitIndex), settings.seed);
        try {
          const plan = run.plan();
          if (!common.json) io.print(planText(plan));
          io.json(plan);
        } finally {
          run.close();
        }
        return;
      }
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
          ...(drawn ? { sampler: drawn.choice.name, ...drawn.choice.params } : {}),
          ...(settings.approx ? { approx: settings.approx.name, ...settings.approx.params } : {}),
        }, used().all);
        return [...records.slice(0, -1), { ...records.at(-1)!, seed }];
      };
      const results: RunResult[] = [];
      const outputs: string[] = [];
      const unsaved: string[] = [];
      let best: { result: RunResult; document: () => NewDocument; close: () => void } | null = null;
      let metric: Metric | null = null;
      const splits = o.allSplits
        ? Array.from({ length: task.task.numSplits(graph) }, (_, i) => i)
        : [settings.options.splitIndex];
      if (splits.length === 0) throw new GustError("missing", `${graphDocument.label} stores no splits`);
      const runs = splits.flatMap((split) =>
        Array.from({ length: o.repeat }, (_, i) => ({ split, seed: settings.seed + i }))
      );
      const hasFiles = isPerRun(common.output);
      const numJobs = o.part ? 1 : Math.min(o.jobs, runs.length);
      const [first, count] = o.part ?? [0, numJobs > 1 ? 0 : runs.length];
      const stopped = o.part ? () => interrupt.stopped() || isOrphan() : interrupt.stopped;
      try {
        if (numJobs > 1) {
          io.all();
          const parts = await trainParts({
            io,
            options: o,
            common,
            given,
            log,
            numRuns: runs.length,
            numJobs,
          });
          for (const part of parts) {
            for (const { metric: name, result } of part.runs) {
              metric = metrics.get(name);
              results.push(result);
              if (hasFiles) outputs.push(filled(common.output!, result.seed, result.split));
              else if (!best || better(metric, best.result, result)) {
                best = { result, document: () => asNew(part.model!), close: () => {} };
              }
            }
          }
        }
        for (const { split, seed } of runs.slice(first, first! + count!)) {
          await breathe();
          if (stopped()) throw new Interrupted(`interrupted before the run of seed ${seed}`);
          const run = Run.start(jobOf(seed, split), seed);
          metric = metrics.get(run.metric);
          const keep = checkpointPath(o, common.output, seed, split);
          let checkpoint: string | null = null;
          const result = await run.train({
            resume: resumed,
            detectAnomaly: o.detectAnomaly,
            shouldStop: stopped,
            onEpoch: (s, record) => {
              log.add(s, o.allSplits ? split : null, record);
              progress(s, record);
              profile?.profiler.epoch(s, record.epoch, record.ms);
            },
            checkpoint: keep === undefined ? undefined : {
              every: o.checkpointEvery,
              write: (document: NewDocument) => {
                writeFile(keep, { ...document, provenance: provenance(seed, split) });
                checkpoint = keep;
              },
            },
          }).catch((error) => {
            throw error instanceof NotFinite ? withKept(error, run, checkpoint, o.detectAnomaly) : error;
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
          if (o.saveOperators !== undefined) {
            const operators = run.operators(provenance(seed, split));
            if (operators) writeFile(filled(o.saveOperators, seed, split), operators);
            else unsaved.push(filled(o.saveOperators, seed, split));
          }
          results.push(result);
          profile?.ran(results.length === runs.length);
          if (o.part) io.print(JSON.stringify({ metric: run.metric, result } satisfies PartResult) + "\n");
          if (hasFiles) {
            const output = filled(common.output!, seed, split);
            writeFile(output, run.document(provenance(seed, split)));
            outputs.push(output);
            run.close();
          } else if (!best || better(metric, best.result, result)) {
            best?.close();
            best = {
              result,
              document: () => run.document(provenance(seed, split)),
              close: () => run.close(),
            };
          } else run.close();
        }
        io.all();
        const digest = best ? io.write(best.document()) : null;
        if (!best) io.writeDeps(...outputs);
        best?.close();
        const scores = (key: "val" | "test") => summaryOf(results.map((r) => r[key]));
        const totals = { metric: metric!.name, val: scores("val"), test: scores("test") };
        io.json({
          runs: results.map(runJson),
          summary: totals,
          model: settings.model,
          device: describeNative().device,
          digest,
          ...(profile ? { profile: profile.finish() } : {}),
        });
        const p = (s: { mean: number | null; std: number | null }) =>
          showScore(metric!, s.mean) +
          (s.mean !== null && results.length > 1 ? ` +- ${showScore(metric!, s.std)}` : "");
        io.say(
          `${settings.model}: ${totals.metric}: val ${p(totals.val)}, test ${
            p(totals.test)
          } over ${results.length} run${results.length > 1 ? "s" : ""}, ` +
            `${results.reduce((sum, r) => sum + r.seconds, 0).toFixed(2)} s`,
        );
        for (const { feature_cache: cached } of results) {
          if (cached) io.say(cacheLine(cached));
        }
        if (unsaved.length > 0) {
          throw new GustError(
            "missing",
            `No epoch was approximated, so that "${unsaved[0]}" was not written`,
            "--approx rsc begins after five exact epochs, or at once from stored operators, and ends at --switch-at",
          );
        }
      } finally {
        interrupt.release();
        log.close();
      }
    }),
});
