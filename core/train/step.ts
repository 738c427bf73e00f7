/** The standard training step, and scoring by exact inference, each recorded once where their input is static. */
import type { Arena, Engine, Program } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { SplitName } from "../graph/graph.ts";
import { splitNames } from "../graph/graph.ts";
import type { ForwardInput, Model } from "../models/model.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { Tape } from "../tensor/autograd.ts";
import { crossEntropy } from "../tensor/ops/cross_entropy.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Batch, Feedback } from "./source.ts";
import type { Split } from "./split.ts";

/** Forward, loss, backward and update, as ops on `arena`. */
export function trainingStep(engine: Engine, arena: Arena, model: Model, optimizer: Optimizer, batch: Batch) {
  const tape = new Tape(engine, arena, true);
  const logits = model.forward(tape, batch);
  const loss = crossEntropy(tape, logits, batch.labels, { index: batch.lossRows });
  const gradients = tape.grad(loss, model.parameters);
  gradients.forEach((g, i) => g && optimizer.update(i, g));
  return { loss, logits, gradients };
}

/** A step on a static batch: the first run records, later ones replay with one native call. */
export class RecordedStep {
  private program: Program | null = null;
  private result: { loss: Tensor; logits: Tensor; gradients: readonly (Tensor | null)[] } | null = null;

  constructor(private readonly engine: Engine, private readonly arena: Arena) {}

  run(model: Model, optimizer: Optimizer, batch: Batch): Feedback {
    if (this.program) this.program.replay();
    else {
      this.program = this.engine.record(() => {
        this.result = trainingStep(this.engine, this.arena, model, optimizer, batch);
      });
    }
    const { loss, logits, gradients } = this.result!;
    return { loss: loss.item(), logits, gradients };
  }
}

export type Scores = Record<SplitName, number>;

/** Accuracy on each split by one exact forward pass, recorded and replayed. */
export class Scorer {
  private readonly program: Program;
  private readonly counts: Record<SplitName, BigInt64Array>;
  readonly logits: Tensor;

  constructor(
    engine: Engine,
    arena: Arena,
    model: Model,
    input: ForwardInput,
    labels: Batch["labels"],
    split: Split,
  ) {
    const counts: Partial<Record<SplitName, BigInt64Array>> = {};
    let logits: Tensor | undefined;
    this.program = engine.record(() => {
      logits = model.forward(new Tape(engine, arena, false), input);
      for (const name of splitNames) {
        const out = arena.tensor("I64", [2]);
        const index = arena.bind(NativeArray.from<"I64">(split[name]));
        engine.run("count_correct", { x: logits.handle, label: labels, index, out });
        counts[name] = NativeArray.at("I64", 2, out.address, arena).window();
      }
    });
    this.logits = logits!;
    this.counts = counts as Record<SplitName, BigInt64Array>;
  }

  /** Fraction correct per split; NaN where a split is empty. */
  run(): Scores {
    this.program.replay();
    const score = ([correct, labelled]: BigInt64Array) => Number(correct) / Number(labelled);
    return { train: score(this.counts.train), val: score(this.counts.val), test: score(this.counts.test) };
  }
}
