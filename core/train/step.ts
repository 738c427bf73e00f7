/** The training step: forward, loss, backward, update; recorded once where its input is static. */
import type { Arena, Engine, Program } from "../../ffi/engine.ts";
import type { Loss } from "../losses/loss.ts";
import type { Model } from "../models/model.ts";
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
  const loss = lossOf(tape, {
    outputs: logits,
    targets: batch.targets,
    rows: batch.lossRows,
    count: batch.numLossRows,
  });
  engine.phase = "backward";
  const raw = tape.grad(loss, model.parameters);
  const gradients = clipNorm > 0 ? tape.noGrad(() => clipped(tape, raw, clipNorm)) : raw;
  engine.phase = "update";
  gradients.forEach((g, i) => g && optimizer.update(i, g));
  ema?.update();
  engine.phase = "input";
  return { loss, logits, gradients };
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

/** A step on a static batch: the first run records, later ones replay with one native call. */
export class RecordedStep {
  private program: Program | null = null;
  private result: { loss: Tensor; logits: Tensor; gradients: readonly (Tensor | null)[] } | null = null;

  constructor(private readonly engine: Engine, private readonly arena: Arena) {}

  run(parts: StepParts, batch: Batch): Feedback {
    if (this.program) this.program.replay();
    else {
      this.program = this.engine.record(() => {
        this.result = trainingStep(this.engine, this.arena, parts, batch);
      });
    }
    const { loss, logits, gradients } = this.result!;
    return { loss: loss.item(), logits, gradients };
  }
}
