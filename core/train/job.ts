/**
 * A training job: a graph and what was made of it (samples, caches), a model and its settings; runs it for one or
 * several seeds and gives model documents.
 */
import { Engine } from "../../ffi/engine.ts";
import type { Arena } from "../../ffi/engine.ts";
import { memoryUse } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, ProvenanceRecord } from "../format/document.ts";
import { type FeatureReads, FeatureStore, type StoreKind } from "../graph/feature_store.ts";
import type { Features, Graph } from "../graph/graph.ts";
import { type FeatStats, featuresOf, featureStats, prepareFeatures } from "../graph/features.ts";
import { openPropagated, propagate, type PropagatedMeta, propagatedStats } from "../cache/propagated.ts";
import { checkArcs, checkFeatures, checkFinite } from "../graph/arcs.ts";
import { type FeatureInput, Init, type ModelEntry, type Signature } from "../models/model.ts";
import type { PredictionKind } from "../metrics/predictions.ts";
import { optimizers } from "../optim/mod.ts";
import type { ClusterParams } from "../sampling/cluster.ts";
import { learningRate, schedules } from "../schedules/mod.ts";
import type { TaskEntry } from "../tasks/task.ts";
import type { TrainOptions } from "./config.ts";
import { Ema } from "./ema.ts";
import { fullInput } from "./full_batch.ts";
import {
  type FeatureRecipe,
  modelDocument,
  type ModelMeta,
  modelMeta,
  resumeTraining,
} from "./model_document.ts";
import { type EpochRecord, runEpochs, startTraining, type Training } from "./run.ts";
import type { BatchFeatures, SampleFeed } from "./sampled.ts";
import type { Scorer, Scores } from "./scorer.ts";
import type { BatchSource } from "./source.ts";
import type { Split } from "./split.ts";

export interface TrainJob {
  readonly graph: Graph;
  /** Propagated features, or null. */
  readonly cache: Document | null;
  /** Batches drawn ahead, or null for the full graph. */
  readonly samples: SampleFeed | null;
  readonly model: ModelEntry;
  readonly modelParams: Record<string, unknown>;
  readonly task: TaskEntry;
  readonly taskParams: Record<string, unknown>;
  readonly optimizerParams: Record<string, unknown>;
  readonly scheduleParams: Record<string, unknown>;
  readonly lossParams: Record<string, unknown>;
  readonly options: TrainOptions;
  /** How parts become batches, where they are drawn as training goes. */
  readonly cluster?: ClusterParams | null;
  /** Where dense features are kept. */
  readonly featureStore?: StoreChoice | undefined;
  /** Gets the engine of a run before anything runs on it. */
  readonly onEngine?: ((engine: Engine) => void) | undefined;
}

export interface RunHooks {
  readonly onEpoch?: (seed: number, record: EpochRecord) => void;
  readonly shouldStop?: () => boolean;
  /** Called every `checkpointEvery` epochs, and when `shouldStop` ended the run. */
  readonly checkpoint?: { readonly every: number; readonly write: (document: NewDocument) => void };
  /** Continue this run instead of starting one. */
  readonly resume?: Document | null;
}

export interface RunResult {
  readonly seed: number;
  /** Which of several stored splits. */
  readonly split: number;
  readonly epochs: number;
  readonly best_epoch: number;
  readonly train: number | null;
  readonly val: number | null;
  readonly test: number | null;
  readonly seconds: number;
  readonly ms_per_epoch: number | null;
  readonly peak_memory_bytes: number;
  /** Most that was held on a GPU, 0 on the CPU. */
  readonly gpu_memory_bytes: number;
  /** What batches read of a feature store; null where there are none. */
  readonly features: FeatureReads | null;
  readonly finished: boolean;
}

/** Which feature store, and what "tiered" may keep on the device. */
export interface StoreChoice {
  readonly kind: StoreKind;
  readonly hotBytes: number;
}

/**
 * Where the features of a run are kept; null for sparse ones, whose rows the CPU gathers.
 * @throws {GustError} (usage) for a store that does not fit what the batches read.
 */
function openStore(
  engine: Engine,
  arena: Arena,
  { graph, featureStore = { kind: "auto", hotBytes: 0 } }: Pick<TrainJob, "graph" | "featureStore">,
  stored: Features,
): FeatureStore | null {
  const { kind, hotBytes } = featureStore;
  if (stored.kind === "dense") {
    return new FeatureStore(engine, arena, stored, kind, graph.csr.indptr, hotBytes);
  }
  if (kind === "auto" || kind === "host-staged") return null;
  throw refusedStore(
    kind,
    "the features are sparse, and their rows are gathered by the CPU, as by host-staged",
  );
}

function refusedStore(kind: StoreKind, why: string): GustError {
  return new GustError("usage", `--feature-store ${kind}: ${why}`, "leave --feature-store out");
}

/** Refuse a feature store where there are no features to keep. */
function checkStore({ cache, samples, featureStore }: TrainJob): void {
  const kind = featureStore?.kind ?? "auto";
  if (kind === "auto") return;
  if (cache) throw refusedStore(kind, `${cache.label} holds the features already`);
  if (samples?.isPacked) throw refusedStore(kind, "features come packed with the batches");
}

/** Refuse what the model cannot use, with the reason from its entry. */
export function checkAccepted(
  { model, cache, samples }: Pick<TrainJob, "model" | "cache" | "samples">,
): void {
  const { propagated, batches } = model.accepts;
  if (cache && propagated !== null) {
    throw new GustError(
      "usage",
      `Model "${model.name}" does not accept propagated features: ${propagated}`,
      "leave the cache out, or train sgc or mlp on it",
    );
  }
  if (samples && batches !== null) {
    throw new GustError(
      "usage",
      `Model "${model.name}" does not accept sampled batches: ${batches}`,
      "leave the samples out, or train gcn on them",
    );
  }
}

/** How features reach the model: the cache's own recipe where there is one, else the model's and the flag's. */
function featureRecipe({ cache, model, modelParams, options }: TrainJob): FeatureRecipe {
  if (cache) {
    const meta = cache.meta as unknown as PropagatedMeta;
    const flag = options.featNorm;
    if (flag !== undefined && flag !== meta.feat_norm) {
      throw new GustError(
        "usage",
        `--feat-norm ${flag}: the features of ${cache.label} were propagated after --feat-norm ${meta.feat_norm}`,
        "give --feat-norm to gust cache",
      );
    }
    if (options.features !== "file") {
      throw new GustError(
        "usage",
        `--features ${options.features}: ${cache.label} holds the features already`,
      );
    }
    return { source: "file", feat_norm: meta.feat_norm, propagate: { hops: meta.hops, norm: meta.norm } };
  }
  const source = options.features;
  return { source, feat_norm: options.featNorm ?? "none", propagate: model.propagate?.(modelParams) ?? null };
}

/** Features of a run: how batches prepare theirs, and all of them as the model reads them, made when asked for. */
export interface ModelFeatures extends Pick<BatchFeatures, "stats" | "stored" | "store"> {
  readonly input: () => FeatureInput;
}

/**
 * The features as the model reads them, by the recipe that training and evaluation share.
 *
 * @param cache  propagated features of this graph that fit the recipe, to be used instead of computing them.
 * @param width  number of features that a model was trained on, or null.
 * @param open  where they are kept, where no cache holds them.
 * @throws {GustError} (data) naming the place of a feature that is not finite or leads outside of the columns.
 */
export function modelFeatures(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  recipe: FeatureRecipe,
  cache: Document | null,
  trainNodes: BigInt64Array | null,
  stats: FeatStats | null = null,
  width: number | null = null,
  open = (stored: Features) => openStore(engine, arena, { graph }, stored),
): ModelFeatures {
  if (cache) {
    checkFinite(cache, "feat");
    const input = openPropagated(arena, cache, graph);
    return {
      input: () => input,
      stats: propagatedStats(engine, cache),
      stored: null,
      store: null,
    };
  }
  if (recipe.source === "file") checkFeatures(graph);
  const stored = featuresOf(graph, recipe.source, width), store = open(stored);
  const used = stats ?? featureStats(engine, stored, recipe.feat_norm, trainNodes);
  const whole = () =>
    prepareFeatures(engine, arena, stored, recipe.feat_norm, trainNodes, used, null, store).input;
  if (!recipe.propagate) return { input: whole, stats: used, stored, store };
  const { hops, norm } = recipe.propagate, input = propagate(engine, arena, graph, whole(), hops, norm);
  return { input: () => input, stats: used, stored, store };
}

/**
 * Refuse arcs, targets and splits that lead outside of arrays: kernels do not look. O(arcs + nodes).
 * @throws {GustError} (data) naming tensor and position.
 */
export function checkBounds(graph: Graph, task: TaskEntry): void {
  checkArcs(graph);
  task.check(graph);
}

/** Refuse to go on with features that are prepared otherwise than those that the run began with. */
function checkRecipe(resumed: Document, recipe: FeatureRecipe): void {
  const text = ({ feat_norm, propagate }: FeatureRecipe) =>
    `feat-norm ${feat_norm}, ${
      propagate ? `${propagate.hops} hops, norm ${propagate.norm}` : "no propagation"
    }`;
  const began = text(modelMeta(resumed).config.features), now = text(recipe);
  if (began === now) return;
  throw new GustError(
    "mismatch",
    `${resumed.label} was trained on other features (${began}) than it would go on with (${now})`,
    "give the cache that the run began with",
  );
}

/** One run, from initial weights (or a resumed document) to the best ones. */
export class Run {
  private constructor(
    readonly job: TrainJob,
    readonly seed: number,
    readonly engine: Engine,
    readonly training: Training,
    readonly split: Split,
    private readonly source: BatchSource,
    private readonly scorer: Scorer,
    private readonly signature: Signature,
    private readonly kind: PredictionKind,
    private readonly recipe: FeatureRecipe,
    private readonly stats: FeatStats | null,
    private readonly store: FeatureStore | null,
  ) {}

  /** Prepare features, operators, parameters and optimizer. */
  static start(job: TrainJob, seed: number): Run {
    const { graph, model: entry, modelParams, task, taskParams, options } = job;
    checkAccepted(job);
    checkStore(job);
    const { kind, width, edgeTypes } = task.outputs(graph, taskParams);
    if (width < 1) {
      throw new GustError("data", `${graph.document.label} has ${width} classes, expected at least 1`);
    }
    checkBounds(graph, task);
    const split = task.split(graph, { ...options, seed });
    if (split.train.length === 0 && kind !== "links") {
      throw new GustError("data", `The training split of ${graph.document.label} is empty`);
    }
    const engine = new Engine();
    job.onEngine?.(engine);
    const arena = engine.arena();
    const recipe = featureRecipe(job);
    const { input: features, stats, stored, store } = modelFeatures(
      engine,
      arena,
      graph,
      recipe,
      job.cache,
      task.trainNodes?.(graph, split) ?? split.train,
      null,
      null,
      (of) => openStore(engine, arena, job, of),
    );
    const signature: Signature = {
      num_features: stored?.numFeatures ?? graph.meta.num_features,
      num_classes: width,
      ...(edgeTypes === undefined ? {} : { num_edge_types: edgeTypes }),
    };
    engine.setStep(seed, 0, 0);
    const model = task.build(new Init(engine), entry, signature, modelParams, taskParams);
    const optimizer = optimizers.get(options.optimizer).create(engine, model.parameters, {
      lr: options.lr,
      weightDecay: ({ layer, decay }) =>
        decay ?? (options.weightDecayOn === "all" || layer === 0 ? options.weightDecay : 0),
    }, job.optimizerParams);
    const input = fullInput(engine, arena, graph, features, entry.operator(modelParams));
    const { source, loss, scorer } = task.start({
      job,
      seed,
      engine,
      arena,
      model,
      input,
      features: { norm: recipe.feat_norm, stats, stored, store },
      split,
    });
    const ema = options.ema > 0 ? new Ema(engine, model.parameters, options.ema) : null;
    const { clipNorm } = options;
    const training = startTraining(engine, { model, loss, optimizer, clipNorm, ema });
    const used = job.samples ? store : null;
    return new Run(job, seed, engine, training, split, source, scorer, signature, kind, recipe, stats, used);
  }

  /** Train to the end, or until the hooks stop it. */
  async train(hooks: RunHooks = {}): Promise<RunResult> {
    const { options } = this.job;
    const choice = {
      ...options,
      schedule: schedules.get(options.schedule),
      params: this.job.scheduleParams,
    };
    if (hooks.resume) {
      checkRecipe(hooks.resume, this.recipe);
      resumeTraining(this.training, this.source, hooks.resume);
    }
    const start = performance.now();
    const { checkpoint } = hooks;
    const msPerEpoch = await runEpochs(this.training, this.source, this.scorer, {
      seed: this.seed,
      epochs: options.epochs,
      learningRate: (epoch) => learningRate(choice, epoch),
      patience: options.patience,
      evalEvery: options.evalEvery,
      shouldStop: hooks.shouldStop,
      onEpoch: (record) => {
        hooks.onEpoch?.(this.seed, record);
        if (
          checkpoint && checkpoint.every > 0 && record.epoch % checkpoint.every === 0 &&
          record.epoch < options.epochs
        ) {
          checkpoint.write(this.document([]));
        }
      },
    });
    const { progress } = this.training;
    if (!progress.finished) checkpoint?.write(this.document([]));
    const known = (score: number) => Number.isNaN(score) ? null : score;
    return {
      seed: this.seed,
      split: options.splitIndex,
      epochs: progress.epoch,
      best_epoch: progress.bestEpoch,
      train: known(progress.best.train),
      val: known(progress.best.val),
      test: known(progress.best.test),
      seconds: (performance.now() - start) / 1000,
      ms_per_epoch: known(msPerEpoch),
      peak_memory_bytes: memoryUse().residentPeak,
      gpu_memory_bytes: memoryUse().devicePeak,
      features: this.store?.counts ?? null,
      finished: progress.finished,
    };
  }

  /** What the scores are. */
  get metric(): string {
    return this.scorer.metric.name;
  }
  get scores(): Scores {
    return this.training.progress.best;
  }

  /** The model document as it stands now. */
  document(provenance: ProvenanceRecord[]): NewDocument {
    const { graph, model, modelParams, task, taskParams, optimizerParams, options } = this.job;
    const { scheduleParams, lossParams } = this.job;
    const meta: Omit<ModelMeta, "progress"> = {
      model: model.name,
      config: {
        params: modelParams,
        optimizer_params: optimizerParams,
        schedule_params: scheduleParams,
        loss_params: lossParams,
        task: { name: task.name, params: taskParams },
        train: options,
        features: this.recipe,
        source: this.source.name,
        ...(this.job.cluster ? { cluster: this.job.cluster } : {}),
        seed: this.seed,
      },
      signature: this.signature,
      outputs: this.kind,
      metric: this.scorer.metric.name,
      graph: graph.digest,
    };
    return modelDocument(this.training, meta, this.split, this.stats, this.source, provenance);
  }

  /** Free everything. The documents made before stay valid only if they were written. */
  close(): void {
    this.engine.destroy();
  }
}
