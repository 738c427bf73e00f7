/** What an optimizer is. Updates run in place on the parameters, as ops, so that they are part of a recorded step. */
import type { z } from "zod";
import type { Engine, TensorHandle } from "../../ffi/engine.ts";
import type { Entry } from "../registry.ts";
import type { Parameter, Tensor } from "../tensor/tensor.ts";

/** Settings of one run of training. */
export interface OptimizerSettings {
  readonly lr: number;
  /** Weight decay of each parameter. */
  readonly weightDecay: (parameter: Parameter) => number;
}

export interface Optimizer {
  /** Set the step words for step number `step` (from 1): learning rate, bias corrections. */
  prepare(step: number, lr: number): void;
  /** Update parameter `i` with its gradient (one op). */
  update(i: number, gradient: Tensor): void;
  /** What must be kept to go on later: "<parameter>/<part>" -> tensor. */
  readonly state: ReadonlyMap<string, TensorHandle>;
}

export interface OptimizerEntry extends Entry {
  create(
    engine: Engine,
    parameters: readonly Parameter[],
    settings: OptimizerSettings,
    params: Record<string, unknown>,
  ): Optimizer;
}

/** Type the `params` of `create` from the entry's schema. */
export function defineOptimizer<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  create(
    engine: Engine,
    parameters: readonly Parameter[],
    settings: OptimizerSettings,
    params: z.infer<S>,
  ): Optimizer;
}): OptimizerEntry {
  return entry as unknown as OptimizerEntry;
}

/** One zeroed tensor like each parameter, in the persistent arena. */
export function zerosLike(engine: Engine, parameters: readonly Parameter[]): TensorHandle[] {
  return parameters.map((p) => engine.persistent.tensor(p.dtype, p.shape, true));
}
