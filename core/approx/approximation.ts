/**
 * What an approximation of training is: it puts operators of its own in place of the exact ones, epoch by epoch. Models
 * do not know of it, and exact inference never sees it.
 */
import type { Engine, TensorHandle } from "../../ffi/engine.ts";
import type { Entry } from "../registry.ts";
import type { Operator } from "../tensor/operator.ts";

/** What an epoch's approximation did, for logs: shares of the exact multiply-adds, and numbers per layer. */
export interface ApproxReport {
  /** Multiply-adds of the approximated products over those of the exact ones. */
  readonly budget: number;
  /** Rows of the operands that take part, by layer; null: the layer has no such product. */
  readonly rows: readonly (number | null)[];
  /** Entries of the matrices that are multiplied by. */
  readonly entries: readonly (number | null)[];
  /** Rows that the last two choices have in common over those of either. */
  readonly overlap: readonly (number | null)[];
}

export interface Approximation {
  /** Epoch number `epoch`, from 0, begins: its steps ask for operators next. */
  begin(epoch: number): void;
  /** The last step of epoch number `epoch` has run. */
  finish(epoch: number): void;
  /** What stands for the exact operator of message passing layer `layer` in a training step. */
  operator(layer: number, exact: Operator): Operator;
  /** Whether forward passes are those of the exact operators. */
  readonly isForwardExact: boolean;
  /** Tensors to keep for a resume, by name. */
  state(): ReadonlyMap<string, TensorHandle>;
  /** What the epoch did so far; null where it was exact. */
  report(): ApproxReport | null;
}

/** The run that is approximated. */
export interface ApproxRun {
  readonly engine: Engine;
  readonly seed: number;
  readonly epochs: number;
  /** Message passing layers of the model. */
  readonly layers: number;
  /** Nodes of the graph whose operators are the same in every step; null: steps have operators of their own. */
  readonly numNodes: number | null;
}

export interface ApproxEntry extends Entry {
  /** What contradicts itself or the number of epochs. */
  problems(params: Record<string, unknown>, epochs: number): string[];
  create(run: ApproxRun, params: Record<string, unknown>): Approximation;
}
