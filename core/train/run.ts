/**
 * One training run: the epoch loop for every strategy. Batches come from a source, sparse products from operators,
 * updates from an optimizer; the weights of the best validation epoch are kept.
 */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { call } from "../../ffi/native.ts";
import { dtypes } from "../../ffi/dtype.ts";
import { GustError } from "../errors.ts";
import type { Model } from "../models/model.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { BatchSource } from "./source.ts";
import { RecordedStep, type Scorer, type Scores, trainingStep } from "./step.ts";

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
  loss: number;
  batches: number;
  train: number;
  val: number;
  test: number;
  ms: number;
}

export interface RunOptions {
  readonly seed: number;
  readonly epochs: number;
  readonly lr: number;
  readonly patience: number;
  readonly evalEvery: number;
  /** Called after each epoch. */
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Asked between epochs; true ends the run with what it has. */
  readonly shouldStop?: () => boolean;
}

/** Model, optimizer and best weights of a run in progress. */
export interface Training {
  readonly engine: Engine;
  readonly model: Model;
  readonly optimizer: Optimizer;
  /** The best validation epoch's weights, in the order of the parameters. */
  readonly best: readonly TensorHandle[];
  readonly progress: Progress;
}

export function startTraining(engine: Engine, model: Model, optimizer: Optimizer): Training {
  const best = model.parameters.map((p) => engine.persistent.tensor(p.dtype, p.shape));
  const progress: Progress = {
    epoch: 0,
    step: 0,
    bestEpoch: 0,
    best: { train: NaN, val: NaN, test: NaN },
    finished: false,
  };
  const training = { engine, model, optimizer, best, progress };
  keepBest(training);
  return training;
}

function copyParameter(from: TensorHandle, to: TensorHandle): void {
  call("gust_copy", to.address, from.address, from.rows * from.cols * dtypes[from.dtype].size);
}

function keepBest({ model, best }: Training): void {
  model.parameters.forEach((p, i) => copyParameter(p.handle, best[i]!));
}

/** Put the best weights in place of the last ones. */
export function restoreBest({ model, best }: Training): void {
  model.parameters.forEach((p, i) => copyParameter(best[i]!, p.handle));
}

/** Let signals and timers of the process run: a native loop would otherwise hold them off. */
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));
const BREATH_MS = 50;

/**
 * Train until `epochs`, patience or `shouldStop` end it.
 *
 * @returns the median milliseconds per epoch, scoring included.
 * @throws {GustError} (data) if the loss is not finite, naming the epoch.
 */
export async function runEpochs(
  training: Training,
  source: BatchSource,
  scorer: Scorer | null,
  options: RunOptions,
): Promise<number> {
  const { engine, progress } = training;
  const arena = engine.arena();
  const recorded = source.isStatic ? new RecordedStep(engine, arena) : null;
  const times: number[] = [];
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
    const { loss, batches } = runEpoch(training, source, recorded, arena, options);
    progress.epoch++;
    const isLast = progress.epoch === options.epochs;
    const scores = scorer && (progress.epoch % options.evalEvery === 0 || isLast) ? scorer.run() : null;
    if (scores) selectBest(training, scores);
    else if (!scorer) keepLast(training);
    const ms = performance.now() - start;
    times.push(ms);
    options.onEpoch?.({
      epoch: progress.epoch,
      loss,
      batches,
      train: scores?.train ?? NaN,
      val: scores?.val ?? NaN,
      test: scores?.test ?? NaN,
      ms,
    });
    progress.finished = isLast || (scores !== null && isStale());
  }
  arena.destroy();
  return median(times);
}

function runEpoch(
  { engine, model, optimizer, progress }: Training,
  source: BatchSource,
  recorded: RecordedStep | null,
  arena: Arena,
  { seed, lr }: RunOptions,
) {
  let total = 0, weight = 0, batches = 0;
  for (const batch of source.batches(progress.epoch, arena)) {
    // A batch without a labelled node has no loss: it is left out, and counted as such by the caller's log.
    if (batch.numLossRows > 0) {
      engine.setStep(seed, progress.epoch, progress.step);
      optimizer.prepare(progress.step + 1, lr);
      const feedback = recorded
        ? recorded.run(model, optimizer, batch)
        : stepOnce(engine, arena, model, optimizer, batch);
      if (!Number.isFinite(feedback.loss)) {
        throw new GustError(
          "data",
          `The loss is ${feedback.loss} in epoch ${progress.epoch + 1}, expected a finite number`,
          "lower --lr, or look for non-finite features with gust inspect --check",
        );
      }
      source.observe?.(batch, feedback);
      total += feedback.loss * batch.numLossRows;
      weight += batch.numLossRows;
      progress.step++;
      batches++;
    }
    if (!recorded) arena.reset();
  }
  return { loss: weight ? total / weight : NaN, batches };
}

function stepOnce(
  engine: Engine,
  arena: Arena,
  model: Model,
  optimizer: Optimizer,
  batch: Parameters<RecordedStep["run"]>[2],
) {
  const { loss, logits, gradients } = trainingStep(engine, arena, model, optimizer, batch);
  return { loss: loss.item(), logits, gradients };
}

/** Keep the weights if the validation score is the best so far; without a validation split, the latest. */
function selectBest(training: Training, scores: Scores): void {
  const { progress } = training;
  if (progress.bestEpoch > 0 && !Number.isNaN(scores.val) && !(scores.val > progress.best.val)) return;
  progress.best = scores;
  progress.bestEpoch = progress.epoch;
  keepBest(training);
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
