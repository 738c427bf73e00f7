/**
 * Gradients of batches beside the exact one: of runs that are not trained by their loop, at weights that the caller loads.
 *
 * With f the gradient of the mean training loss, g that of a batch's loss by exact rows of its nodes, and s that which the
 * step takes, |s - f|^2 = |s - g|^2 + |g - f|^2 + 2 <s - g, g - f>: Terms adds each up over batches.
 */
import { hostArray, writeTensor } from "../../ffi/engine.ts";
import { finishDevice, NativeArray } from "../../ffi/native.ts";
import { node, nodeTargets } from "../tasks/node.ts";
import type { TaskParts, TaskRun } from "../tasks/task.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fullBatchSource } from "../train/full_batch.ts";
import { Run, type TrainJob } from "../train/job.ts";
import type { Batch, BatchSource } from "../train/source.ts";
import { trainingStep } from "../train/step.ts";
import { isKnown } from "../train/targets.ts";

/** By parameter. */
export type Weights = readonly Float32Array[];

/** Squared distances over |f|^2. */
export interface VarianceTerms {
  readonly rows: number;
  readonly draws: number;
  readonly cross: number;
  readonly error: number;
}

/** A run that is not trained by its loop: its batches, and the whole graph as one. */
export class Subject {
  private constructor(
    readonly run: Run,
    readonly source: BatchSource,
    private readonly parts: TaskParts,
    private readonly full: Batch,
    readonly numTrain: number,
    private readonly nodeOf: (original: number) => number,
  ) {}

  static open(job: TrainJob, seed: number): Subject {
    const { graph } = job;
    let of: TaskRun | null = null, parts: TaskParts | null = null;
    const start = (run: TaskRun) => parts = node.start(of = run);
    const run = Run.start({ ...job, task: { ...node, start } }, seed);
    const { input, arena, split } = of! as TaskRun, targets = nodeTargets(graph);
    const train = split.train.filter((v) => isKnown(targets)(Number(v)));
    const [full] = fullBatchSource(input, arena, graph, targets, train).batches(0, () => arena);
    const ids = graph.nodeIds()?.toNumbers(), places = ids && new Map(ids.map((id, v) => [id, v]));
    const { source } = parts! as TaskParts;
    return new Subject(run, source, parts!, full!, train.length, (id) => places ? places.get(id)! : id);
  }

  /** The weights now. */
  weights(): Weights {
    return this.run.training.model.parameters.map(({ handle }) => hostArray(handle, "F32").read());
  }
  load(weights: Weights): void {
    const { parameters } = this.run.training.model;
    parameters.forEach(({ handle }, i) => writeTensor(handle, NativeArray.from<"F32">(weights[i]!)));
  }

  /** Forward and backward, nothing updated; `arena` is the caller's. */
  private pass(tape: Tape, batch: Batch): { loss: Tensor; logits: Tensor; gradients: (Tensor | null)[] } {
    const { model } = this.run.training, logits = model.forward(tape, batch);
    const loss = this.parts.loss(tape, {
      outputs: logits,
      targets: batch.targets,
      rows: batch.lossRows,
      count: batch.numLossRows,
      weights: batch.lossRowWeights ?? null,
    });
    return { loss, logits, gradients: tape.grad(loss, model.parameters) };
  }

  /** Gradients of a batch's loss, by parameter; zeros where no row counts. */
  gradients(batch: Batch): Weights {
    const { engine, training: { model } } = this.run;
    if (batch.numLossRows === 0) return model.parameters.map(({ size }) => new Float32Array(size));
    const arena = engine.arena();
    const { gradients } = this.pass(new Tape(engine, arena, true), batch);
    const read = gradients.map((g) => hostArray(g!.handle, "F32").read());
    arena.destroy();
    return read;
  }

  /** The gradient of the mean training loss. */
  exact(): Weights {
    return this.gradients(this.full);
  }

  /** The same loss as a batch's, by the rows that the whole graph gives its nodes. */
  exactOf(batch: Batch): Weights {
    const { engine } = this.run, arena = engine.arena();
    const ids = batch.ids && hostArray(batch.ids).toNumbers();
    const rows = hostArray(batch.lossRows).toNumbers().map((row) =>
      BigInt(this.nodeOf(ids ? ids[row]! : row))
    );
    const { lossRowWeights: weights } = batch;
    const result = this.gradients({
      ...this.full,
      lossRows: arena.bind(NativeArray.from<"I64">(BigInt64Array.from(rows))),
      numLossRows: batch.numLossRows,
      ...(weights ? { lossRowWeights: weights } : {}),
    });
    arena.destroy();
    return result;
  }

  /** A pass over a source's batches that tells it of each, without an update. */
  observe(epoch: number): void {
    const { engine } = this.run, arena = engine.arena();
    for (const batch of this.source.batches(epoch, () => arena)) {
      const { loss, logits, gradients } = this.pass(new Tape(engine, arena, true), batch);
      this.source.observe?.(batch, { loss: loss.item(), logits, gradients });
      arena.reset();
    }
    arena.destroy();
  }

  /** Milliseconds per step of making batches and of training, in `runs` runs of `inner` steps. */
  time(
    runs: number,
    inner: number,
    seed: number,
    lr: number,
  ): { sample: number; train: number; steps: number[] } {
    const { source, run: { engine, training } } = this, arena = engine.arena();
    const clock = () => {
      finishDevice();
      return performance.now();
    };
    let epoch = 0, batches: Iterator<Batch> | null = null, sample = 0, train = 0, step = 0;
    /** The next batch that counts; a first run warms up. */
    const next = (): Batch => {
      for (;;) {
        batches ??= source.batches(epoch++, () => arena)[Symbol.iterator]();
        arena.reset();
        const { value, done } = batches.next();
        if (done) batches = null;
        else if (value.numLossRows > 0) return value;
      }
    };
    const times: number[] = [];
    for (let r = -1; r < runs; r++) {
      if (r === 0) sample = train = 0;
      const start = clock();
      for (let i = 0; i < inner; i++) {
        const from = clock(), batch = next(), made = clock();
        engine.setStep(seed, epoch, step);
        training.optimizer.prepare(++step, lr);
        const { loss, logits, gradients } = trainingStep(engine, arena, training, batch);
        source.observe?.(batch, { loss: loss.item(), logits, gradients });
        sample += made - from;
        train += clock() - made;
      }
      if (r >= 0) times.push((clock() - start) / inner);
    }
    arena.destroy();
    return { sample: sample / runs / inner, train: train / runs / inner, steps: times };
  }

  close(): void {
    this.run.close();
  }
}

/** Sums of the terms over batches, by parameter. */
export class Terms {
  private count = 0;
  private readonly sums: Record<keyof VarianceTerms, number>[];
  /** Of what steps take, and of its squared length. */
  private readonly mean: Float64Array[];
  private squares = 0;
  private readonly lengths: number[];

  /** @param layers  of each parameter. */
  constructor(private readonly full: Weights, private readonly layers: readonly number[]) {
    this.sums = full.map(() => ({ rows: 0, draws: 0, cross: 0, error: 0 }));
    this.mean = full.map((f) => new Float64Array(f.length));
    this.lengths = full.map((f) => f.reduce((sum, x) => sum + x * x, 0));
  }

  add(sampled: Weights, exact: Weights): void {
    this.count++;
    this.full.forEach((f, p) => {
      const s = sampled[p]!, g = exact[p]!, mean = this.mean[p]!, sums = this.sums[p]!;
      let rows = 0, draws = 0, cross = 0, error = 0, square = 0;
      for (let i = 0; i < f.length; i++) {
        const row = s[i]! - g[i]!, draw = g[i]! - f[i]!, off = s[i]! - f[i]!;
        rows += row * row;
        draws += draw * draw;
        cross += 2 * row * draw;
        error += off * off;
        square += s[i]! * s[i]!;
        mean[i]! += s[i]!;
      }
      sums.rows += rows;
      sums.draws += draws;
      sums.cross += cross;
      sums.error += error;
      this.squares += square;
    });
  }

  private over(takes: (parameter: number) => boolean): VarianceTerms {
    const some = this.sums.filter((_, p) => takes(p));
    const length = this.lengths.filter((_, p) => takes(p)).reduce((a, b) => a + b, 0);
    const of = (key: keyof VarianceTerms) =>
      some.reduce((sum, terms) => sum + terms[key], 0) / this.count / length;
    return { rows: of("rows"), draws: of("draws"), cross: of("cross"), error: of("error") };
  }

  get all(): VarianceTerms {
    return this.over(() => true);
  }
  get byLayer(): VarianceTerms[] {
    return [...new Set(this.layers)].map((layer) => this.over((p) => this.layers[p] === layer));
  }

  /** |mean - f|^2 less what the mean of so many varies by, over |f|^2. */
  get systematic(): number {
    const { count } = this;
    let off = 0, length = 0;
    this.full.forEach((f, p) => {
      f.forEach((x, i) => {
        const mean = this.mean[p]![i]! / count;
        off += (mean - x) ** 2;
        length += mean * mean;
      });
    });
    const variance = (this.squares - count * length) / (count - 1);
    return (off - variance / count) / this.lengths.reduce((a, b) => a + b, 0);
  }
}
