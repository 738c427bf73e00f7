/** A training step that is not taken: what its gradients would be, with everything that training changes left as it is. */
import type { Arena, Engine } from "../../ffi/engine.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { copyTensor } from "./ema.ts";
import type { Training } from "./run.ts";
import type { Batch, Feedback } from "./source.ts";
import { PlannedStep, type StepParts, trainingStep } from "./step.ts";

const idle: Optimizer = { prepare() {}, update() {}, state: new Map() };

export class Rehearsal {
  private readonly parts: StepParts;
  private readonly arena: Arena;
  private readonly planned: PlannedStep | null;

  /**
   * @param training  the step that comes next in it is rehearsed, with the same draws.
   * @param isStatic  whether every batch is the same one: its step is planned once.
   */
  constructor(
    private readonly engine: Engine,
    private readonly training: Training,
    private readonly seed: number,
    isStatic: boolean,
  ) {
    this.parts = { ...training, optimizer: idle, ema: null };
    this.arena = engine.arena();
    this.planned = isStatic ? new PlannedStep(engine, this.arena, true) : null;
  }

  /** Gradients of the parameters, in their order, valid until the next run. */
  run(batch: Batch): Feedback["gradients"] {
    const { engine, arena, planned, parts, seed, training: { progress } } = this;
    if (!planned) arena.reset();
    const { buffers = [] } = parts.model, kept = engine.arena();
    const copies = buffers.map((p) => kept.tensor(p.dtype, p.shape));
    buffers.forEach((p, i) => copyTensor(p.handle, copies[i]!));
    engine.setStep(seed, progress.epoch, progress.step);
    const { gradients } = planned ? planned.run(parts, batch) : trainingStep(engine, arena, parts, batch);
    buffers.forEach((p, i) => copyTensor(copies[i]!, p.handle));
    kept.destroy();
    return gradients;
  }
}
