/** Scores of predictions, by name. All are fractions in 0..1. */
import { type Entry, registry } from "../registry.ts";
import { accuracy } from "./accuracy.ts";
import { macroF1, microF1 } from "./f1.ts";
import { rocAuc } from "./roc_auc.ts";

/** What a metric reads: nodes that have a label, in the order of the split. */
export interface Predictions {
  /** True class of each node. */
  readonly labels: Int32Array;
  /** Predicted class of each node. */
  readonly predicted: Int32Array;
  readonly numClasses: number;
  /** Score of class `c` for each node; larger means more likely. */
  scores(c: number): Float32Array;
}

export interface Metric extends Entry {
  /** NaN where it is not defined (no nodes, one class only). */
  compute(p: Predictions): number;
}

export const metrics = registry<Metric>("metric", [accuracy, macroF1, microF1, rocAuc]);

/** counts[t][p] = nodes of class t that were predicted as p. */
export function confusionMatrix({ labels, predicted, numClasses }: Predictions): number[][] {
  const counts = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  labels.forEach((t, i) => counts[t]![predicted[i]!]!++);
  return counts;
}
