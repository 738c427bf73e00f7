/** What gust train is told: its options, and what a run is made from. */
import { z } from "zod";
import { approximations } from "../core/approx/mod.ts";
import type { OperatorsMeta } from "../core/approx/operators.ts";
import type { PropagatedMeta } from "../core/cache/propagated.ts";
import { GustError, problemsError } from "../core/errors.ts";
import type { Document } from "../core/format/document.ts";
import { describeDocument } from "../core/format/provenance.ts";
import { cachePolicies } from "../core/feature_cache/mod.ts";
import type { Graph } from "../core/graph/graph.ts";
import { featureStores } from "../core/graph/feature_store.ts";
import { losses, lossFor } from "../core/losses/mod.ts";
import { models } from "../core/models/mod.ts";
import { type SamplerChoice, trainSamplers } from "../core/sampling/mod.ts";
import { optimizers } from "../core/optim/mod.ts";
import { schedules } from "../core/schedules/mod.ts";
import { sizeOf, sizeText } from "../core/size.ts";
import { taskFor, tasks } from "../core/tasks/mod.ts";
import { trainOptions } from "../core/train/config.ts";
import type { TrainJob } from "../core/train/job.ts";
import type { CacheChoice } from "../core/train/model_features.ts";
import { modelMeta } from "../core/train/model_document.ts";
import {
  allParams,
  type Choice,
  type CommonOptions,
  entryDefaults,
  kebab,
  registryOptions,
} from "./_options.ts";

/** Options that tasks and samplers have in common: both are said to take them. */
const sharedOptions = (() => {
  const ofTasks = registryOptions(tasks), ofSamplers = registryOptions(trainSamplers);
  return Object.fromEntries(
    Object.keys(ofTasks).filter((key) => key in ofSamplers).map((key) => {
      const meta = ofTasks[key]!.meta()!;
      const description = `${meta.description}; ${ofSamplers[key]!.meta()!.description}`;
      return [key, ofTasks[key]!.meta({ ...meta, description })];
    }),
  );
})();

export const options = z.object({
  model: z.enum(models.names as [string, ...string[]]).default("gcn").describe("what to train"),
  ...registryOptions(models),
  task: z.enum(["auto", ...tasks.names]).default("auto").describe(
    "what is predicted; auto is the first that the graph has targets for",
  ),
  // A key of both means the same: items per step. That of tasks takes 0 as well.
  ...registryOptions(trainSamplers),
  ...registryOptions(tasks),
  ...sharedOptions,
  ...trainOptions.shape,
  ...registryOptions(optimizers),
  ...registryOptions(schedules),
  ...registryOptions(losses),
  approx: z.enum(["none", ...approximations.names]).default("none").describe(
    "what stands for the exact gradients of products with the adjacency",
  ),
  ...registryOptions(approximations),
  saveOperators: z.string().optional().describe(
    "write the sampled operators of the last approximated epoch, with how they changed, as a document (--approx)",
  ).meta({ value: "FILE", writes: true }),
  sampler: z.enum(["auto", ...trainSamplers.names]).default("auto").describe(
    "what draws batches as training goes; auto takes parts of a partition (cluster) where one comes without a sample",
  ),
  featureStore: z.enum(featureStores).default("auto").describe(
    "where dense features are: memory of the GPU, the host's read over the bus by the GPU (zerocopy) or copied by the " +
      "CPU (staged), or both (tiered); results are the same",
  ),
  gpuMem: sizeText().default("1G").describe(
    "memory of the GPU for the features that --feature-store tiered keeps there",
  ),
  featureCache: z.enum(["none", ...cachePolicies.names]).default("none").describe(
    "which dense feature rows stay in memory when batches read the others of the graph's file; results are the same",
  ),
  ...registryOptions(cachePolicies),
  hostMem: sizeText(0).default("1G").describe("memory for the rows that --feature-cache holds"),
  featureCacheBound: z.boolean().default(false).describe(
    "compare --feature-cache with the best cache of its size, which knows all batches (Belady), and the best fixed rows",
  ),
  repeat: z.int().min(1).default(1).describe(
    "train N seeds in a row; the best validation run is kept, or all with {seed} in -o",
  ),
  jobs: z.int().min(1).default(1).describe(
    "train N runs side by side, in processes that share the threads; the results are those of runs in a row",
  ),
  part: z.array(z.int().min(0)).length(2).optional().describe(
    "number of the first run and how many follow: what a process of --jobs trains",
  ).meta({ hidden: true }),
  allSplits: z.boolean().default(false).describe(
    "train on every stored split (fold) in turn, each with every seed",
  ),
  plan: z.boolean().default(false).describe(
    "print in which order layers multiply, with predicted operations and bytes, and what they keep; then stop",
  ),
  profile: z.boolean().default(false).describe(
    "say where the time went, op by op; --profile=FILE writes a trace for chrome://tracing or Perfetto too",
  ),
  profileFile: z.string().optional().meta({ hidden: true, writes: true }),
  detectAnomaly: z.boolean().default(false).describe(
    "look at the results of every op, and end with the first that is not finite though its inputs were: op and tensors",
  ),
  log: z.string().optional().describe("write one JSON line per epoch").meta({ value: "FILE", writes: true }),
  resume: z.string().optional().describe("continue the run of this model document, bit for bit").meta({
    value: "FILE",
  }),
  checkpoint: z.string().optional().describe(
    "where an interrupted run is kept [OUTPUT.checkpoint, with --jobs OUTPUT.checkpoint.SEED]",
  ).meta({
    value: "FILE",
    writes: true,
  }),
  checkpointEvery: z.int().min(0).default(0).describe(
    "write the checkpoint every N epochs too, 0 = on Ctrl-C only",
  ),
}).strict();
export type Options = z.infer<typeof options>;
type Params = Record<string, unknown>;

const approxKeys = [...approximations].flatMap(({ params }) => Object.keys(params?.shape ?? {}));
const cacheKeys = [...cachePolicies].flatMap(({ params }) => Object.keys(params?.shape ?? {}));

/** Whether every run has a file of its own by this name. */
export const isPerRun = (name: string | undefined): boolean => /\{(seed|split)\}/.test(name ?? "");

/** What a name of a file per run lacks, so that several would write it. */
function sharedNames(flag: string, name: string, { repeat, allSplits }: Options): string[] {
  return [
    ...(repeat > 1 && !name.includes("{seed}")
      ? [`${flag} "${name}" is of one run, expected {seed} in it, or --repeat 1`]
      : []),
    ...(allSplits && !name.includes("{split}")
      ? [`${flag} "${name}" is of one run, expected {split} in it, or no --all-splits`]
      : []),
  ];
}

/** Options that contradict each other, and those that would do nothing. */
function contradictions(o: Options, { output }: CommonOptions): string[] {
  const usual = trainOptions.parse({});
  const problems: string[] = [];
  for (const [key, own] of Object.entries(models.get(o.model).replaced ?? {})) {
    if (o[key as keyof Options] === usual[key as keyof typeof usual]) continue;
    problems.push(`--${kebab(key)} does not apply to model "${o.model}": it has ${own}`);
  }
  const { precalc: why } = models.get(o.model).accepts;
  if ((o as Params)["precalc"] === true && why !== null) {
    problems.push(`--precalc: the first layer of model "${o.model}" cannot be computed ahead: ${why}`);
  }
  const idle = o.approx === "none" ? approxKeys.filter((key) => o[key as keyof Options] !== undefined) : [];
  problems.push(
    ...idle.map((key) => `--${kebab(key)} applies to --approx ${approximations.names.join(", ")} alone`),
  );
  if (o.saveOperators !== undefined) {
    const name = o.saveOperators;
    if (o.approx === "none") {
      problems.push(`--save-operators applies to --approx ${approximations.names.join(", ")} alone`);
    }
    problems.push(...sharedNames("--save-operators", name, o));
  }
  if (output !== undefined && isPerRun(output)) problems.push(...sharedNames("-o", output, o));
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
  if (o.gpuMem !== "1G" && o.featureStore !== "tiered") {
    problems.push("--gpu-mem applies to --feature-store tiered alone");
  }
  if (o.featureCache === "none") {
    const idle = [
      ...cacheKeys.filter((key) => (o as Params)[key] !== undefined),
      ...(o.hostMem !== "1G" ? ["hostMem"] : []),
      ...(o.featureCacheBound ? ["featureCacheBound"] : []),
    ];
    problems.push(
      ...idle.map((key) =>
        `--${kebab(key)} applies to --feature-cache ${cachePolicies.names.join(", ")} alone`
      ),
    );
  } else if (o.featureStore !== "auto") {
    problems.push(`--feature-cache ${o.featureCache} reads rows of the file, expected no --feature-store`);
  }
  if (o.warmup >= o.epochs) {
    problems.push(`--warmup is ${o.warmup}, expected fewer epochs than the ${o.epochs} of --epochs`);
  }
  if (o.checkpointEvery > 0 && checkpointPath(o, output, 0) === undefined) {
    problems.push("--checkpoint-every has nowhere to keep checkpoints, expected -o or --checkpoint");
  }
  if (o.jobs > 1 && (o.profile || o.profileFile !== undefined)) {
    problems.push("--profile watches one process, expected --jobs 1");
  }
  if (o.approx !== "none" && (o.profile || o.profileFile !== undefined)) {
    problems.push(
      "--profile counts the work of exact products, expected no --approx; --log says what was sampled",
    );
  }
  if (o.detectAnomaly && (o.profile || o.profileFile !== undefined)) {
    problems.push("--profile times steps as they usually run, expected no --detect-anomaly");
  }
  if (o.resume !== undefined && o.repeat > 1) {
    problems.push("--resume continues one run, expected --repeat 1");
  }
  return problems;
}

/** What a run is made from. */
export type Settings =
  & Pick<TrainJob, "modelParams" | "optimizerParams" | "scheduleParams" | "options" | "approx">
  & {
    readonly model: string;
    readonly seed: number;
    /** What draws batches as training goes; null: nobody asked for it. */
    readonly sampler: SamplerChoice | null;
    /** The task with its options; null: as the graph suggests. */
    readonly task: Pick<TrainJob, "task" | "taskParams" | "lossParams"> | null;
  };

const samplerKeys = [...trainSamplers].flatMap(({ params }) => Object.keys(params!.shape));
const taskKeys = [...tasks].flatMap(({ params }) => Object.keys(params?.shape ?? {}));

/** The sampler that the options ask for: options of one alone are those of clusters. Null: none. */
function askedSampler(o: Options): string | null {
  if (o.sampler !== "auto") return o.sampler;
  const own = samplerKeys.filter((key) => !taskKeys.includes(key));
  return own.some((key) => (o as Params)[key] !== undefined) ? "cluster" : null;
}

/** What to say of options that clusters, which nobody asked for, do not have. */
function guessedSampler(o: Options): string[] {
  const known = trainSamplers.get("cluster").params!.shape;
  const others = samplerKeys.filter((key) => !taskKeys.includes(key) && !(key in known));
  return others.some((key) => (o as Params)[key] !== undefined)
    ? ["--sampler is auto, which takes cluster; expected one of those by name, such as --sampler neighbor"]
    : [];
}

/** The settings that the options ask for. */
export function settingsOf(o: Options, common: CommonOptions): Settings {
  const own = Object.keys(trainOptions.shape).map((key) => [key, o[key as keyof Options]]);
  const options = trainOptions.parse(Object.fromEntries(own));
  const sampler = askedSampler(o);
  const chosen: Choice[] = [
    [models, models.get(o.model)],
    [optimizers, optimizers.get(options.optimizer)],
    [schedules, schedules.get(options.schedule)],
    ...(sampler === null ? [] : [[trainSamplers, trainSamplers.get(sampler)] as const]),
    ...(o.approx === "none" ? [] : [[approximations, approximations.get(o.approx)] as const]),
  ];
  const guessed = sampler !== null && o.sampler === "auto" ? guessedSampler(o) : [];
  const all = allParams(chosen, o, [...guessed, ...contradictions(o, common)]);
  const [modelParams, optimizerParams, scheduleParams, ...others] = all as [
    Params,
    Params,
    Params,
    ...Params[],
  ];
  const samplerParams = sampler === null ? null : others.shift()!, approxParams = others.shift();
  return {
    model: o.model,
    modelParams,
    optimizerParams,
    scheduleParams,
    task: null,
    options,
    approx: approxParams ? { name: o.approx, params: approxParams } : null,
    sampler: samplerParams && { name: sampler!, params: samplerParams },
    seed: common.seed,
  };
}

/** The feature cache that the options ask for; null: none. It changes no result, and a resumed run may have another. */
export function cacheChoice(o: Options): CacheChoice | null {
  if (o.featureCache === "none") return null;
  const [params] = allParams([[cachePolicies, cachePolicies.get(o.featureCache)]], o) as [Params];
  const bytes = sizeOf(o.hostMem);
  return { policy: o.featureCache, params, bytes, isBounded: o.featureCacheBound };
}

/** The task, and the loss that its targets call for, with their options. */
export function taskSettings(
  graph: Graph,
  o: Options,
  options: TrainJob["options"],
  given: ReadonlySet<string>,
): NonNullable<Settings["task"]> {
  const task = taskFor(graph, o.task);
  const usual = trainOptions.parse({});
  const idle = (task.unused ?? []).filter((key) => given.has(key) && o[key] !== usual[key]);
  const problems = idle.map((key) => `--${kebab(key)} does not apply to task "${task.name}"`);
  // What the sampler takes is not the task's.
  const taken = o.sampler === "auto" ? {} : trainSamplers.get(o.sampler).params!.shape;
  const own = Object.fromEntries(Object.entries(o).filter(([key]) => !(key in taken)));
  const [taskParams] = allParams([[tasks, task]], own, problems) as [Params];
  const { kind } = task.outputs(graph, taskParams);
  const [lossParams] = allParams([[losses, lossFor(kind, options.loss)]], o) as [Params];
  return { task, taskParams, lossParams };
}

/** Columns of the edges that neither the model, nor what follows it, nor the sampler reads, for a note. */
export function unreadColumns(
  graph: Graph,
  { model, modelParams }: Settings,
  { task, taskParams }: NonNullable<Settings["task"]>,
  sampler: Readonly<Record<string, unknown>>,
): string[] {
  const { document } = graph;
  const columns = {
    edge_type: "edge types",
    edge_feat: "edge features",
    edge_time: "edge times",
    edge_weight: "edge weights",
  };
  const read = new Set<string>([
    ...(task.outputs(graph, taskParams).edgeTypes === undefined ? [] : ["edge_type"]),
    ...(models.get(model).ignoresWeights?.(modelParams) ? [] : ["edge_weight"]),
    ...(sampler["typeFanout"] === undefined ? [] : ["edge_type"]),
    ...(sampler["temporal"] === undefined ? [] : ["edge_time"]),
  ]);
  return Object.entries(columns).filter(([name]) => document.has(name) && !read.has(name)).map(([, what]) =>
    `${document.label} has ${what}, which model "${model}" does not read`
  );
}

/**
 * A model that propagates features by itself takes the steps of the cache that is there instead.
 * @throws {GustError} (usage) if others were asked for.
 */
export function withCache(settings: Settings, cache: Document | null, given: ReadonlySet<string>): Settings {
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

/**
 * The operators that came begin an approximated run.
 * @throws {GustError} (usage) if the run is none, (mismatch) if a resumed one began otherwise.
 */
export function withOperators(
  settings: Settings,
  operators: Document | null,
  resumed: Document | null,
): Settings {
  const { approx } = settings;
  if (operators && !approx) {
    throw new GustError(
      "usage",
      `${operators.label} holds sampled operators, which a run of exact gradients does not multiply by`,
      `--approx ${(operators.meta as unknown as OperatorsMeta).approx.name}`,
    );
  }
  if (resumed && approx?.operators !== undefined && !operators) {
    throw new GustError(
      "mismatch",
      `${describeDocument(resumed)} began with the sampled operators ${approx.operators.slice(0, 12)}`,
      "give the inputs that the run began with",
    );
  }
  return operators ? { ...settings, approx: { ...approx!, operators: operators.digest } } : settings;
}

/** Settings of a resumed run: what its document says; only --epochs may differ, and grow. */
export function resumedSettings(
  given: ReadonlySet<string>,
  o: Options,
  common: CommonOptions,
  resumed: Document,
): Settings {
  const { model, config, progress } = modelMeta(resumed);
  const { params, optimizer_params, train, sampler = null, approx = null, seed } = config;
  const { task, schedule_params, loss_params } = config;
  const own = { ...params, ...optimizer_params, ...schedule_params, ...loss_params, ...task.params };
  const was: Params = {
    model,
    task: task.name,
    ...own,
    ...train,
    ...sampler?.params,
    ...(sampler ? { sampler: sampler.name } : {}),
    approx: approx?.name ?? "none",
    ...approx?.params,
    seed,
  };
  const now: Params = { ...o, seed: common.seed };
  const shown = (value: unknown) => value === undefined ? "not taken" : JSON.stringify(value);
  const owned = [
    ...Object.keys(was),
    ...samplerKeys,
    ...approxKeys,
    ...[...models, ...optimizers, ...schedules, ...losses, ...tasks].flatMap((e) =>
      Object.keys(e.params?.shape ?? {})
    ),
  ];
  const differing = [...given].filter((key) =>
    key !== "epochs" && owned.includes(key) && JSON.stringify(now[key]) !== JSON.stringify(was[key])
  );
  const problems = [
    ...contradictions({ ...o, ...train, approx: was["approx"] as Options["approx"] }, common),
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
    approx,
    sampler,
    seed,
  };
}

/** Refuse to go on with batches or caches that the run did not begin with. */
export function checkSameInputs(resumed: Document, used: readonly Document[], source: string): void {
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

/** The chosen model's published settings, and the chosen entries' defaults, where nothing else was given. */
export function withPublished(o: Options, given: ReadonlySet<string>): Options {
  const model = models.get(o.model);
  const published = Object.entries(model.train ?? {}).filter(([key]) => !given.has(key));
  const settings = { ...o, ...Object.fromEntries(published) };
  const chosen = [model, optimizers.get(settings.optimizer), schedules.get(settings.schedule)];
  const defaults = Object.assign({}, ...chosen.map(entryDefaults));
  const open = Object.entries(defaults).filter(([key]) => settings[key as keyof Options] === undefined);
  return { ...settings, ...Object.fromEntries(open) };
}

/** Where checkpoints go, {seed} and {split} not yet filled in; undefined: nowhere. */
export function checkpointPattern(o: Options, output: string | undefined): string | undefined {
  // The output of a part is a temporary file.
  return o.checkpoint ?? (output === undefined || o.part ? undefined : `${output}.checkpoint`);
}

/** Where the checkpoint of a run goes; undefined: nowhere. */
export function checkpointPath(
  o: Options,
  output: string | undefined,
  seed: number,
  split = 0,
): string | undefined {
  const path = checkpointPattern(o, output);
  return path && filled(path, seed, split);
}

/** A file name with the numbers of the run in place of {seed} and {split}. */
export function filled(path: string, seed: number, split: number): string {
  return path.replaceAll("{seed}", String(seed)).replaceAll("{split}", String(split));
}
