/** The training step: forward, loss, backward, update; planned once where its input is static. */
import type { Arena, Engine, Program } from "../../ffi/engine.ts";
import type { Loss } from "../losses/loss.ts";
import type { ForwardInput, Model } from "../models/model.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { Tape } from "../tensor/autograd.ts";
import { axpby, scale } from "../tensor/ops/axpby.ts";
import { mul } from "../tensor/ops/mul.ts";
import { broadcastScalar, totalSum } from "../tensor/ops/row_sum.ts";
import { unary } from "../tensor/ops/unary.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Ema } from "./ema.ts";
import type { Batch, Feedback } from "./source.ts";

/** What a step is made of, besides its batch. */
export interface StepParts {
  readonly model: Model;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Largest Euclidean length of all gradients together, 0 = any. */
  readonly clipNorm: number;
  readonly ema: Ema | null;
}

/** Forward, loss, backward and update, as ops on `arena`. */
export function trainingStep(engine: Engine, arena: Arena, parts: StepParts, batch: Batch) {
  const { model, loss: lossOf, optimizer, clipNorm, ema } = parts;
  const tape = new Tape(engine, arena, true);
  engine.phase = "forward";
  const logits = model.forward(tape, batch);
  const isSameInEvaluation = tape.isSameInEvaluation;
  engine.cut();
  const loss = lossOf(tape, {
    outputs: logits,
    targets: batch.targets,
    rows: batch.lossRows,
    count: batch.numLossRows,
    weights: batch.lossRowWeights ?? null,
  });
  engine.phase = "backward";
  const { lossWeight = 1 } = batch;
  const raw = tape.grad(lossWeight === 1 ? loss : scale(tape, loss, lossWeight), model.parameters);
  const gradients = clipNorm > 0 ? tape.noGrad(() => clipped(tape, raw, clipNorm)) : raw;
  engine.phase = "update";
  gradients.forEach((g, i) => g && optimizer.update(i, g));
  ema?.update();
  engine.phase = "input";
  return { loss, logits, gradients, isSameInEvaluation };
}

/**
 * Gradients of Euclidean length `most` together, where they are longer.
 * Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
 */
function clipped(tape: Tape, gradients: readonly (Tensor | null)[], most: number): (Tensor | null)[] {
  const squares = gradients.flatMap((g) => g ? [totalSum(tape, mul(tape, g, g))] : []);
  if (squares.length === 0) return [...gradients];
  const length = unary(tape, squares.reduce((a, b) => axpby(tape, a, b, 1, 1)), "sqrt");
  const factor = unary(tape, unary(tape, scale(tape, length, 1 / most), "max_scalar", 1), "reciprocal");
  return gradients.map((g) => g && mul(tape, g, broadcastScalar(tape, factor, g.shape)));
}

/** A forward pass that training has at hand: exact inference of the weights as they are. */
export interface ForwardPass {
  readonly input: ForwardInput;
  readonly outputs: Tensor;
  /** Compute `outputs`. */
  run(): void;
}

/**
 * A step on a static batch, planned once and replayed with one native call. Where the forward pass is the same in
 * evaluation, the scores of a step's weights need the very pass that the next step begins with: `forward` runs it, and
 * the next step goes on from there.
 */
export class PlannedStep {
  private made: (ReturnType<typeof trainingStep> & { readonly program: Program }) | null = null;
  /** Whether the forward pass of the next step has been run. */
  private isAhead = false;
  private pass: ForwardPass | null = null;

  /** @param readsGradients  whether the feedback's gradients are read; they share memory otherwise. */
  constructor(
    private readonly engine: Engine,
    private readonly arena: Arena,
    private readonly readsGradients: boolean,
  ) {}

  run(parts: StepParts, batch: Batch): Feedback {
    this.made ??= this.plan(parts, batch);
    const { program, loss, logits, gradients } = this.made;
    if (!this.isAhead) program.replay(0);
    program.replay(1);
    this.isAhead = false;
    return { loss: loss.item(), logits, gradients: this.readsGradients ? gradients : [] };
  }

  /** The forward pass on the batch of the last step, or null where training has one of its own. */
  get forward(): ForwardPass | null {
    return this.pass;
  }

  private plan(parts: StepParts, batch: Batch) {
    let step: ReturnType<typeof trainingStep> | undefined;
    const program = this.engine.plan(() => {
      step = trainingStep(this.engine, this.arena, parts, batch);
      const { loss, logits, gradients } = step;
      const read = this.readsGradients ? gradients.flatMap((g) => g ?? []) : [];
      return [loss, logits, ...read].map((t) => t.handle);
    });
    if (step!.isSameInEvaluation) {
      this.pass = {
        input: batch.sameForwardAs ?? batch,
        outputs: step!.logits,
        run: () => {
          program.replay(0);
          this.isAhead = true;
        },
      };
    }
    return { ...step!, program };
  }
}
