/** What a loss is: from a model's outputs and the targets of the rows that count to one number. */
import type { z } from "zod";
import type { Arena, TensorHandle } from "../../ffi/engine.ts";
import type { Entry } from "../registry.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { PredictionKind } from "../metrics/predictions.ts";
import type { Targets } from "../train/targets.ts";

/** One step's rows. */
export interface LossRows {
  /** (n, width) logits or numbers; of links the first column, the others are pairs without one. */
  readonly outputs: Tensor;
  /** I32 [n] classes, or (n, width) 0/1 or numbers. */
  readonly targets: TensorHandle;
  /** I64 [count] rows that count. */
  readonly rows: TensorHandle;
  readonly count: number;
  /** F32 [count] what each of these rows counts, their share of a mean included; null or absent: 1 / count. */
  readonly weights?: TensorHandle | null;
}

/** Gives the mean loss over the rows that count, or their sum with weights. */
export type Loss = (tape: Tape, rows: LossRows) => Tensor;

/** What a loss may look at before training. */
export interface LossContext {
  /** Lives as long as the run. */
  readonly arena: Arena;
  readonly targets: Targets;
  /** Training items. */
  readonly train: BigInt64Array;
}

export interface LossEntry extends Entry {
  readonly kinds: readonly PredictionKind[];
  create(context: LossContext, params: Record<string, unknown>): Loss;
}

/** Type the `params` of `create` from the entry's schema. */
export function defineLoss<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly kinds: readonly PredictionKind[];
  readonly params: S;
  create(context: LossContext, params: z.infer<S>): Loss;
}): LossEntry {
  return entry as unknown as LossEntry;
}
