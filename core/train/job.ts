/**
 * A training job: a graph and what was made of it (samples, caches), a model and its settings; runs it for one or
 * several seeds and gives model documents.
 */
import { Engine } from "../../ffi/engine.ts";
import { memoryUse } from "../../ffi/native.ts";
import { approximations } from "../approx/mod.ts";
import type { Approximation } from "../approx/approximation.ts";
import { operatorsDocument, StoredOperators } from "../approx/operators.ts";
import { approximatedBatch, approximatedSource } from "../approx/source.ts";
import { WeightGradients } from "../approx/weight_gradients.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, ProvenanceRecord } from "../format/document.ts";
import type { CachedRows, CacheReport } from "../feature_cache/cached_rows.ts";
import { type FeatureReads, FeatureStore } from "../graph/feature_store.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatStats } from "../graph/features.ts";
import { type ForwardInput, Init, type ModelEntry, type Signature } from "../models/model.ts";
import { orderedForApproximation } from "../models/reorder.ts";
import type { PredictionKind } from "../metrics/predictions.ts";
import { optimizers } from "../optim/mod.ts";
import type { SamplerChoice } from "../sampling/mod.ts";
import { learningRate, schedules } from "../schedules/mod.ts";
import type { TaskEntry } from "../tasks/task.ts";
import { adaptiveSampler, checkAdaptive } from "./adaptive.ts";
import type { TrainOptions } from "./config.ts";
import { Ema } from "./ema.ts";
import { NotFinite } from "./finite.ts";
import { fullInput } from "./full_batch.ts";
import { checkAccepted, checkApproximation, checkBounds, checkRecipe } from "./job_checks.ts";
import {
  type FeatureRecipe,
  loadTensors,
  modelDocument,
  type ModelMeta,
  modelMeta,
  resumeTraining,
} from "./model_document.ts";
import {
  type CacheChoice,
  checkStore,
  featureRecipe,
  modelFeatures,
  openCache,
  openStore,
  type StoreChoice,
} from "./model_features.ts";
import { type PlanReport, planReport } from "./plan_report.ts";
import { Rehearsal } from "./rehearsal.ts";
import { type EpochRecord, runEpochs, startTraining, type Training, weightsOf } from "./run.ts";
import type { SampleFeed } from "./sampled.ts";
import type { Scorer, Scores } from "./scorer.ts";
import type { BatchSource } from "./source.ts";
import type { Split } from "./split.ts";
import { trainingStep } from "./step.ts";

/** An approximation by name, with its options. */
export interface ApproxChoice {
  readonly name: string;
  readonly params: Record<string, unknown>;
  /** Digest of the operators that the run begins with. */
  readonly operators?: string | undefined;
}

/** What happens to the operators of an approximation besides training: they are kept, or are all that is wanted. */
export type OperatorUse = "save" | "measure";

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
  /** What stands for exact gradients; null or absent: nothing. */
  readonly approx?: ApproxChoice | null;
  /** Sampled operators that an approximated run begins with. */
  readonly operators?: Document | null;
  readonly operatorUse?: OperatorUse | null;
  /** What batches are drawn by, where they are drawn as training goes. */
  readonly sampler?: SamplerChoice | null;
  /** Where dense features are kept. */
  readonly featureStore?: StoreChoice | undefined;
  /** Which rows stay in memory when batches read the others of the graph's file; null or absent: nobody asked. */
  readonly featureCache?: CacheChoice | null;
  /** Gets the engine of a run before anything runs on it. */
  readonly onEngine?: ((engine: Engine) => void) | undefined;
}

export interface RunHooks {
  readonly onEpoch?: (seed: number, record: EpochRecord) => void;
  readonly shouldStop?: () => boolean;
  /** Called every `checkpointEvery` epochs, when `shouldStop` ended the run, and for what it was before a NotFinite. */
  readonly checkpoint?: { readonly every: number; readonly write: (document: NewDocument) => void };
  /** Continue this run instead of starting one. */
  readonly resume?: Document | null;
  /** Look at the results of every op, to name the one that made what is not finite. */
  readonly detectAnomaly?: boolean;
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
  /** Batches without an item that counts, which were left out, in all epochs. */
  readonly skipped: number;
  /** What batches read of a feature store; null where there are none. */
  readonly features: FeatureReads | null;
  /** What a feature cache did; null where there is none. */
  readonly feature_cache: CacheReport | null;
  readonly finished: boolean;
}

/**
 * The source with what stands for its exact operators, if anything does.
 * @throws {GustError} as checkApproximation() does.
 */
function approximated(
  job: TrainJob,
  seed: number,
  engine: Engine,
  source: BatchSource,
  training: Training,
): { source: BatchSource; approximation: Approximation | null } {
  const { approx, model, modelParams, options, graph } = job;
  if (!approx) return { source, approximation: null };
  const start = job.operators ? new StoredOperators(job.operators, graph.document) : null;
  checkApproximation(job, source.isStatic, start);
  const layers = model.accepts.hops(modelParams);
  const numNodes = source.isStatic ? graph.numNodes : null, { epochs } = options;
  const approximation = approximations.get(approx.name).create({
    engine,
    seed,
    epochs,
    layers,
    numNodes,
    start,
  }, approx.params);
  const weights = approximation.isCompared
    ? new WeightGradients(
      engine,
      training.model.parameters,
      new Rehearsal(engine, training, seed, source.isStatic),
    )
    : null;
  return { source: approximatedSource(source, approximation, weights), approximation };
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
    private readonly exact: BatchSource,
    private readonly approximation: Approximation | null,
    private readonly scorer: Scorer,
    private readonly signature: Signature,
    private readonly kind: PredictionKind,
    private readonly recipe: FeatureRecipe,
    private readonly stats: FeatStats | null,
    private readonly store: FeatureStore | null,
    private readonly cached: CachedRows | null,
    private readonly input: ForwardInput,
    private readonly free: () => void,
  ) {}

  /** Prepare features, operators, parameters and optimizer. */
  static start(job: TrainJob, seed: number): Run {
    const { graph, model: entry, modelParams, task, taskParams, options } = job;
    checkAccepted(job);
    checkAdaptive(job);
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
    const { input: features, numFeatures, rows, trainingRows: stored, free } = modelFeatures(
      engine,
      arena,
      graph,
      {
        recipe,
        cache: job.cache,
        trainNodes: task.trainNodes?.(graph, split) ?? split.train,
        precalc: entry.precalc?.(modelParams) ?? null,
        among: job.samples?.isInductive ? split.train.toSorted() : null,
        open: (stored) => openStore(engine, arena, job, stored),
      },
    );
    const cached = openCache(engine, job, stored);
    const trainingRows = cached ? { ...stored, store: cached } : stored;
    const signature: Signature = {
      num_features: numFeatures,
      num_classes: width,
      ...(edgeTypes === undefined ? {} : { num_edge_types: edgeTypes }),
    };
    engine.setStep(seed, 0, 0);
    const built = job.approx ? orderedForApproximation(modelParams) : modelParams;
    const model = task.build(new Init(engine), entry, signature, built, taskParams);
    const optimizer = optimizers.get(options.optimizer).create(engine, model.parameters, {
      lr: options.lr,
      weightDecay: ({ layer, decay }) =>
        decay ?? (options.weightDecayOn === "all" || layer === 0 ? options.weightDecay : 0),
    }, job.optimizerParams);
    const input = fullInput(engine, arena, graph, features, entry.operator(modelParams));
    const { source: exact, loss, scorer } = task.start({
      job,
      seed,
      engine,
      arena,
      model,
      input,
      features: rows,
      trainingRows,
      split,
    });
    const ema = options.ema > 0 ? new Ema(engine, model.parameters, options.ema) : null;
    const { clipNorm } = options;
    const training = startTraining(engine, { model, loss, optimizer, clipNorm, ema });
    const { source, approximation } = approximated(job, seed, engine, exact, training);
    const { store } = trainingRows, { stats } = rows;
    return new Run(
      job,
      seed,
      engine,
      training,
      split,
      source,
      exact,
      approximation,
      scorer,
      signature,
      kind,
      recipe,
      stats,
      (job.samples || adaptiveSampler(job)) && store instanceof FeatureStore ? store : null,
      cached,
      input,
      free,
    );
  }

  /**
   * Train to the end, or until the hooks stop it.
   * @throws {NotFinite} where a number is not finite, after the last good epoch's checkpoint.
   */
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
    let skipped = 0;
    const { checkpoint } = hooks;
    const { progress } = this.training;
    const msPerEpoch = await runEpochs(this.training, this.source, this.scorer, {
      seed: this.seed,
      epochs: options.epochs,
      learningRate: (epoch) => learningRate(choice, epoch),
      patience: options.patience,
      evalEvery: options.evalEvery,
      shouldStop: hooks.shouldStop,
      detectAnomaly: hooks.detectAnomaly,
      onEpoch: (record) => {
        skipped += record.skipped ?? 0;
        const { cached } = this;
        hooks.onEpoch?.(this.seed, cached ? { ...record, feature_cache: cached.endEpoch() } : record);
        if (
          checkpoint && checkpoint.every > 0 && record.epoch % checkpoint.every === 0 &&
          record.epoch < options.epochs
        ) {
          checkpoint.write(this.document([]));
        }
      },
    }).catch((error) => {
      if (error instanceof NotFinite && progress.epoch > 0) checkpoint?.write(this.document([], false));
      throw error;
    });
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
      skipped,
      features: this.store?.counts ?? null,
      feature_cache: this.cached?.report ?? null,
      finished: progress.finished,
    };
  }

  /**
   * What layers do in a training step on the whole graph.
   * @throws {GustError} (usage) where steps are of other sizes, or there is nothing to choose.
   */
  plan(): PlanReport {
    const { job: { model, approx }, training, exact, input } = this;
    const why = approx
      ? `--approx ${approx.name} replaces products`
      : !exact.isStatic
      ? "every batch has sizes of its own, expected steps on the whole graph"
      : training.model.plan
      ? null
      : `model "${model.name}" has layers of one order, expected gcn, sage (mean) or gat without a decoder`;
    if (why !== null) throw new GustError("usage", `--plan: ${why}`);
    return planReport(model.name, training.model.plan!(input));
  }

  /** What the scores are. */
  get metric(): string {
    return this.scorer.metric.name;
  }
  get scores(): Scores {
    return this.training.progress.best;
  }

  /** What it trains on. */
  get batches(): BatchSource {
    return this.source;
  }

  /**
   * The model document as it stands now.
   * @param keepsSource  whether with what the batch source keeps, which a resume needs where there is such.
   */
  document(provenance: ProvenanceRecord[], keepsSource = true): NewDocument {
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
        ...(this.job.sampler ? { sampler: this.job.sampler } : {}),
        ...(this.job.approx ? { approx: this.job.approx } : {}),
        seed: this.seed,
      },
      signature: this.signature,
      outputs: this.kind,
      metric: this.scorer.metric.name,
      graph: graph.digest,
    };
    const source = keepsSource ? this.source : { state: undefined };
    return modelDocument(this.training, meta, this.split, this.stats, source, provenance);
  }

  /**
   * The sampled operators of the last approximated epoch, as a document that is valid until close(); null: no epoch of
   * this process was approximated.
   */
  operators(provenance: readonly ProvenanceRecord[]): NewDocument | null {
    const { job: { approx, graph, model }, approximation } = this;
    const operators = approximation?.operators();
    if (!approx || !operators) return null;
    const from = { graph: graph.digest, model: model.name, approx };
    return operatorsDocument(operators, from, provenance);
  }

  /**
   * Choose operators by one exact step, forward and backward, of the best weights of `model`.
   * @param drawSeed  what draws of rows follow.
   */
  measure(model: Document, drawSeed: number): void {
    const { engine, training, approximation, seed, job: { options } } = this;
    const weights = weightsOf(training.model);
    loadTensors(model, weights.map((p) => [`best/${p.name}`, p.handle]));
    const { progress } = modelMeta(model);
    Object.assign(training.progress, progress);
    const arena = engine.arena();
    const epoch = progress.bestEpoch;
    const [batch] = this.exact.batches(epoch, () => arena);
    engine.setStep(seed, epoch, progress.step);
    training.optimizer.prepare(progress.step + 1, options.lr);
    approximation!.measure(
      { epoch, seed: drawSeed },
      () => trainingStep(engine, arena, training, approximatedBatch(batch!, approximation!)),
    );
  }

  /** Forward and backward of the step that comes next, which is not taken, with other operators than the exact ones. */
  rehearse(operator: Approximation["operator"]): void {
    const { engine, training, seed, exact } = this, arena = engine.arena();
    const [batch] = exact.batches(training.progress.epoch, () => arena);
    new Rehearsal(engine, training, seed, exact.isStatic).run({
      ...batch!,
      operator: (layer, count, kind) => operator(layer, batch!.operator(layer, count, kind)),
    });
  }

  /** Free everything. The documents made before stay valid only if they were written. */
  close(): void {
    this.engine.destroy();
    this.cached?.close();
    this.free();
  }
}
