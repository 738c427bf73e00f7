/**
 * One training run: the epoch loop for every strategy. Batches come from a source, sparse products from operators,
 * updates from an optimizer; the weights of the best validation epoch are kept.
 */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import type { CacheCounts } from "../feature_cache/cached_rows.ts";
import type { ApproxReport } from "../approx/approximation.ts";
import { GustError } from "../errors.ts";
import type { Parameter } from "../tensor/tensor.ts";
import { copyTensor } from "./ema.ts";
import { AnomalyWatch, checkWeights, LastGood, NotFinite } from "./finite.ts";
import type { ReadReport } from "./packed_rows.ts";
import type { Scorer, Scores } from "./scorer.ts";
import type { Batch, BatchSource, Feedback } from "./source.ts";
import { type ForwardPass, PlannedStep, type StepParts, trainingStep } from "./step.ts";

/** Where a run stands: with the tensors, enough to go on bit for bit. */
export interface Progress {
  /** Epochs done. */
  epoch: number;
  /** Optimizer steps done. */
  step: number;
  bestEpoch: number;
  best: Scores;
  finished: boolean;
}

export interface EpochRecord {
  epoch: number;
  /** NaN where every batch was left out. */
  loss: number;
  batches: number;
  /** Batches without an item that counts, which were left out; absent: none. */
  skipped?: number;
  lr: number;
  train: number;
  val: number;
  test: number;
  ms: number;
  /** What was approximated; absent: nothing. */
  approx?: ApproxReport;
  /** What was read of features that are not in memory; absent: nothing. */
  reads?: ReadReport;
  /** What batches read through a feature cache; absent: there is none. */
  feature_cache?: CacheCounts;
}

export interface RunOptions {
  readonly seed: number;
  readonly epochs: number;
  /** Learning rate of an epoch, counted from 0. */
  readonly learningRate: (epoch: number) => number;
  readonly patience: number;
  readonly evalEvery: number;
  /** Called after each epoch. */
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Asked between epochs; true ends the run with what it has. */
  readonly shouldStop?: () => boolean;
  /** Look at the results of every op, to name the one that made what is not finite. */
  readonly detectAnomaly?: boolean | undefined;
}

/** What a run in progress is made of, and its best weights. */
export interface Training extends StepParts {
  readonly engine: Engine;
  /** The best validation epoch's weights, in the order of `weightsOf`. */
  readonly best: readonly TensorHandle[];
  readonly progress: Progress;
}

/** Everything of a model that training changes: parameters, then running statistics. */
export function weightsOf({ parameters, buffers = [] }: StepParts["model"]): readonly Parameter[] {
  return [...parameters, ...buffers];
}

export function startTraining(engine: Engine, parts: StepParts): Training {
  const best = weightsOf(parts.model).map((p) => engine.persistent.tensor(p.dtype, p.shape));
  const progress: Progress = {
    epoch: 0,
    step: 0,
    bestEpoch: 0,
    best: { train: NaN, val: NaN, test: NaN },
    finished: false,
  };
  const training = { ...parts, engine, best, progress };
  keepBest(training);
  return training;
}

function keepBest({ model, best }: Training): void {
  weightsOf(model).forEach((p, i) => copyTensor(p.handle, best[i]!));
}

/** Put the best weights in place of the last ones. */
export function restoreBest({ model, best }: Training): void {
  weightsOf(model).forEach((p, i) => copyTensor(best[i]!, p.handle));
}

/** Score the weights that are kept: their moving average where there is one. */
function scored<T>({ engine, ema }: Training, body: () => T): T {
  return engine.inPhase("score", () => ema ? ema.within(body) : body());
}

/** Keep the weights of an epoch as its score says; null where it is not scored. */
function scoreEpoch(
  training: Training,
  scorer: Scorer | null,
  planned: PlannedStep | null,
  { epochs, evalEvery }: RunOptions,
): Scores | null {
  const { progress: { epoch }, ema } = training;
  return scored(training, () => {
    if (scorer === null) keepLast(training);
    else if (epoch % evalEvery === 0 || epoch === epochs) {
      // Averaged weights are not those that the next step begins with.
      return selectBest(training, scorer, ema ? null : planned?.forward ?? null);
    }
    return null;
  });
}

/** Let signals and timers of the process run: a native loop would otherwise hold them off. */
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));
const BREATH_MS = 50;

/**
 * Train until `epochs`, patience or `shouldStop` end it.
 *
 * @returns the median milliseconds per epoch, scoring included.
 * @throws {NotFinite} if the loss or a weight is not finite, naming the epoch; the run is then as it was after the last
 * epoch without such numbers, but for what its source keeps. {GustError} (data) if no batch of any epoch counted.
 */
export async function runEpochs(
  training: Training,
  source: BatchSource,
  scorer: Scorer | null,
  options: RunOptions,
): Promise<number> {
  const { engine, progress } = training;
  const arena = engine.arena(), queue = new BatchQueue(engine, source, arena);
  const planned = source.isStatic ? new PlannedStep(engine, arena, source.observe !== undefined) : null;
  const again = () => {
    runEpoch(training, queue, planned, options);
    progress.epoch++;
  };
  // A step that is always the same can be done again. A watched one may have ended in its middle.
  const isRepeatable = source.isStatic && !source.observe && !source.state && !source.report &&
    !options.detectAnomaly;
  const times: number[] = [], lastGood = new LastGood(training, isRepeatable ? again : null);
  const watch = options.detectAnomaly ? new AnomalyWatch(training) : null;
  let lastBreath = performance.now();
  /** Whether the best score is as old as patience allows; asked after epochs that were scored. */
  const isStale = () => options.patience > 0 && progress.epoch - progress.bestEpoch >= options.patience;
  // A run that ended goes on if it is given more epochs, unless patience ended it.
  progress.finished = progress.epoch >= options.epochs || (progress.finished && isStale());
  while (!progress.finished) {
    const start = performance.now();
    if (start - lastBreath > BREATH_MS) {
      await breathe();
      lastBreath = start;
      if (options.shouldStop?.()) break;
    }
    const { loss, batches, skipped, scores } = lastGood.orRestore(() => {
      const sums = runEpoch(training, queue, planned, options);
      checkWeights(training);
      progress.epoch++;
      return { ...sums, scores: scoreEpoch(training, scorer, planned, options) };
    });
    const ms = performance.now() - start;
    times.push(ms);
    const approx = source.report?.(), reads = source.reads?.() ?? null;
    options.onEpoch?.({
      epoch: progress.epoch,
      loss,
      batches,
      ...(skipped > 0 ? { skipped } : {}),
      lr: options.learningRate(progress.epoch - 1),
      train: scores?.train ?? NaN,
      val: scores?.val ?? NaN,
      test: scores?.test ?? NaN,
      ms,
      ...(approx ? { approx } : {}),
      ...(reads ? { reads } : {}),
    });
    progress.finished = progress.epoch === options.epochs || (scores !== null && isStale());
  }
  queue.destroy();
  watch?.release();
  lastGood.free();
  if (times.length > 0 && progress.finished && progress.step === 0) {
    throw new GustError(
      "data",
      `No step was taken in ${progress.epoch} epochs, for no batch has a training node`,
      "gust sample --split train draws around training nodes, larger batches have more of them",
    );
  }
  return median(times);
}

/**
 * The batches of a source. On a GPU a batch can be made ready in the second queue, in an arena of its own, while the one
 * before trains; sources that wait for feedback are not run ahead of.
 */
class BatchQueue {
  readonly isAhead: boolean;
  private readonly arenas: readonly Arena[];
  private taken = 0;
  private batches: Iterator<Batch> | null = null;

  /** @param work  the arena of steps, which is that of batches too where none is made ahead. */
  constructor(private readonly engine: Engine, readonly source: BatchSource, readonly work: Arena) {
    this.isAhead = engine.isRemote && !source.isStatic && source.observe === undefined;
    this.arenas = this.isAhead ? [engine.arena(), engine.arena()] : [work];
  }

  begin(epoch: number): void {
    // Batches are made of what the main queue has been given: features and targets on their way to a GPU.
    if (this.isAhead) this.engine.letSideWait();
    this.batches = this.source.batches(epoch, () => this.arenas[this.taken % this.arenas.length]!)
      [Symbol.iterator]();
  }

  /** Make the next batch, in the place of the last but one (of the last, where none is made ahead); null at the end. */
  take(): Batch | null {
    const { engine, source, arenas, batches } = this;
    this.taken++;
    if (!source.isStatic) arenas[this.taken % arenas.length]!.reset();
    const { value, done } = this.isAhead ? engine.onSide(() => batches!.next()) : batches!.next();
    return done ? null : value;
  }

  destroy(): void {
    for (const arena of this.arenas) arena.destroy();
    if (this.isAhead) this.work.destroy();
  }
}

function runEpoch(
  training: Training,
  queue: BatchQueue,
  planned: PlannedStep | null,
  { seed, learningRate }: RunOptions,
) {
  const { engine, optimizer, progress } = training;
  const lr = learningRate(progress.epoch);
  let total = 0, weight = 0, batches = 0, skipped = 0;
  queue.begin(progress.epoch);
  for (let batch = queue.take(), next: Batch | null = null; batch; batch = next) {
    engine.waitForSide();
    // A batch in which no item counts has no loss: it is left out, and counted as such by the caller's log.
    const counts = batch.numLossRows > 0;
    let step: Feedback | null = null;
    if (counts) {
      engine.setStep(seed, progress.epoch, progress.step);
      optimizer.prepare(progress.step + 1, lr);
      step = planned ? planned.run(training, batch) : stepOnce(training, queue.work, batch);
    }
    if (!counts) skipped++;
    if (queue.isAhead) next = queue.take();
    if (step) {
      // The loss is read once, here: on a GPU that waits for the step.
      const feedback: Feedback = { ...step };
      if (!Number.isFinite(feedback.loss)) {
        throw new NotFinite(
          `The loss is ${feedback.loss} in epoch ${progress.epoch + 1}, expected a finite number`,
        );
      }
      queue.source.observe?.(batch, feedback);
      // A loss that stands for all training items is one estimate among others.
      const rows = batch.lossRowWeights ? 1 : batch.numLossRows;
      total += feedback.loss * rows;
      weight += rows;
      progress.step++;
      batches++;
    }
    if (queue.isAhead) queue.work.reset();
    else next = queue.take();
  }
  return { loss: weight ? total / weight : NaN, batches, skipped };
}

/** A step that may still run: its loss is there when it is read. */
function stepOnce(training: Training, arena: Arena, batch: Batch): Feedback {
  const { loss, logits, gradients } = trainingStep(training.engine, arena, training, batch);
  return {
    get loss() {
      return loss.item();
    },
    logits,
    gradients,
  };
}

/** Keep the weights if their validation score is the best so far; without a validation split, the latest. */
function selectBest(training: Training, scorer: Scorer, forward: ForwardPass | null): Scores {
  const { progress } = training;
  const scores = scorer.run(forward);
  const isBetter = scorer.metric.better === "higher"
    ? scores.val > progress.best.val
    : scores.val < progress.best.val;
  if (progress.bestEpoch === 0 || Number.isNaN(scores.val) || Number.isNaN(progress.best.val) || isBetter) {
    progress.best = scores;
    progress.bestEpoch = progress.epoch;
    keepBest(training);
  }
  return scores;
}

function keepLast(training: Training): void {
  training.progress.bestEpoch = training.progress.epoch;
  keepBest(training);
}

/** Middle value; the mean of the middle two for even counts; NaN for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 ? sorted[mid]! : (sorted[mid - 1]! + sorted[mid]!) / 2;
}
