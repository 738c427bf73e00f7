/**
 * What an approximation of training is: it puts operators of its own in place of the exact ones, epoch by epoch. Models
 * do not know of it, and exact inference never sees it.
 */
import type { Engine, TensorHandle } from "../../ffi/engine.ts";
import type { Entry } from "../registry.ts";
import type { Operator } from "../tensor/operator.ts";
import type { OperatorSet, StoredOperators } from "./operators.ts";

/** What an epoch's approximation did, for logs: shares of the exact multiply-adds, and numbers per layer. */
export interface ApproxReport {
  /** Multiply-adds of the approximated products over those of the exact ones: 1 where the epoch is exact. */
  readonly budget: number;
  /** Rows of the operands that take part, by layer; null: the layer has no such product, or an exact one. */
  readonly rows: readonly (number | null)[];
  /** Entries of the matrices that are multiplied by. */
  readonly entries: readonly (number | null)[];
  /** Rows that the last two choices have in common over those of either. */
  readonly overlap: readonly (number | null)[];
  /** Milliseconds of the last products, and of the choice of rows before them, 0 where none was made; null on a GPU. */
  readonly product_ms: readonly (number | null)[];
  readonly choose_ms: readonly (number | null)[];
  /** Where rows were chosen and products are compared: |got - exact| / |exact|, and the cosine of both. */
  readonly error?: readonly (number | null)[];
  readonly cosine?: readonly (number | null)[];
  /** The same of the gradients of weights, all of a layer as one, against an exact step from the same weights. */
  readonly gradient_error?: readonly (number | null)[];
  readonly gradient_cosine?: readonly (number | null)[];
  /** Milliseconds of the epoch that went into these comparisons; absent: there were none. */
  readonly compare_ms?: number;
}

export interface Approximation {
  /** Whether steps that choose operators are compared with exact ones. */
  readonly isCompared: boolean;
  /** Whether the next step is such a one. */
  comparesNext(): boolean;
  /** Epoch number `epoch`, from 0, begins: its steps ask for operators next. */
  begin(epoch: number): void;
  /** The last step of epoch number `epoch` has run. */
  finish(epoch: number): void;
  /** What stands for the exact operator of message passing layer `layer` in a training step: the same but for gradients. */
  operator(layer: number, exact: Operator): Operator;
  /** Tensors to keep for a resume, by name. */
  state(): ReadonlyMap<string, TensorHandle>;
  /** What the epoch did so far. */
  report(): ApproxReport;
  /**
   * The operators of the last approximated epoch, or of the one that runs, valid as long as the engine is; null: there
   * has been none, or steps have operators of their own.
   */
  operators(): OperatorSet | null;
  /**
   * Choose operators by one exact step, which `step` takes with what operator() gives.
   * @param at  after how many epochs, and what draws follow.
   */
  measure(at: { readonly epoch: number; readonly seed: number }, step: () => void): void;
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
  /** What the first epochs multiply by; null or absent: they are exact. */
  readonly start?: StoredOperators | null;
}

export interface ApproxEntry extends Entry {
  /**
   * What contradicts itself or the number of epochs.
   * @param hasStart  whether the run begins with stored operators.
   */
  problems(params: Record<string, unknown>, epochs: number, hasStart: boolean): string[];
  /** Names of the parameters that operators depend on when they are chosen once. */
  readonly choosing: readonly string[];
  create(run: ApproxRun, params: Record<string, unknown>): Approximation;
}
