/** Batch sources: what training iterates over. A new strategy implements this and nothing of the loop changes. */
import type { Arena, TensorHandle } from "../../ffi/engine.ts";
import type { ApproxReport } from "../approx/approximation.ts";
import type { ForwardInput } from "../models/model.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ReadReport } from "./packed_rows.ts";

/** One step's input: the forward pass's view, and the rows of its output that count in the loss. */
export interface Batch extends ForwardInput {
  readonly numNodes: number;
  /** Target of every output row: I32 [rows] classes (-1: none), or (rows, width) numbers. */
  readonly targets: TensorHandle;
  /** I64 output rows that count in the loss. */
  readonly lossRows: TensorHandle;
  readonly numLossRows: number;
  /** F32 [numLossRows] what each of these rows counts, so that their sum stands for the mean over all training items. */
  readonly lossRowWeights?: TensorHandle;
  /** What its mean loss counts in the gradient, 1 where absent. */
  readonly lossWeight?: number;
  /** An input whose forward pass is the same, where only gradients differ. */
  readonly sameForwardAs?: ForwardInput;
}

/** What a finished step tells its source (importance scores, histories). */
export interface Feedback {
  readonly loss: number;
  readonly logits: Tensor;
  /** Parameter gradients in the order of the model's parameters. */
  readonly gradients: readonly (Tensor | null)[];
}

export interface BatchSource {
  readonly name: string;
  /** The one batch never changes: the step is planned once and replayed. */
  readonly isStatic: boolean;
  /**
   * The batches of an epoch, in order.
   * @param arena  gives each batch, once, the arena that its tensors live in until its step has run.
   */
  batches(epoch: number, arena: () => Arena): Iterable<Batch>;
  /** Called after each step. */
  observe?(batch: Batch, feedback: Feedback): void;
  /** Tensors to keep for a resume, by name. */
  state?(): ReadonlyMap<string, TensorHandle>;
  /** What was approximated in the epoch. */
  report?(): ApproxReport;
  /** What was read of features that are not in memory, since it was last asked; null: nothing. */
  reads?(): ReadReport | null;
}
