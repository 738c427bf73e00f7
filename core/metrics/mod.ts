/** Scores of predictions, by name. */
import { GustError } from "../errors.ts";
import { registry } from "../registry.ts";
import { accuracy } from "./accuracy.ts";
import { averagePrecisionMetric } from "./average_precision.ts";
import { macroF1, macroF1Top, microF1, microF1Top } from "./f1.ts";
import { logLoss } from "./log_loss.ts";
import type { Metric } from "./metric.ts";
import { type ClassPredictions, type PredictionKind, type Predictions, usualMetric } from "./predictions.ts";
import { hitsAt1, hitsAt10, hitsAt3, mrr, sharedHits } from "./ranking.ts";
import { mae, r2, rmse } from "./regression.ts";
import { rocAuc } from "./roc_auc.ts";

export const metrics = registry<Metric>("metric", [
  accuracy,
  macroF1,
  microF1,
  macroF1Top,
  microF1Top,
  rocAuc,
  averagePrecisionMetric,
  logLoss,
  mae,
  rmse,
  r2,
  mrr,
  hitsAt1,
  hitsAt3,
  hitsAt10,
  ...sharedHits,
]);

/**
 * The metric of that name, or the usual one of the kind.
 * @throws {GustError} (usage) for one that is not defined for the kind.
 */
export function metricFor(kind: PredictionKind, name: string | undefined): Metric {
  const metric = metrics.get(name ?? usualMetric[kind]);
  if (metric.kinds.includes(kind)) return metric;
  const fitting = [...metrics].filter(({ kinds }) => kinds.includes(kind)).map((m) => m.name);
  throw new GustError(
    "usage",
    `Metric "${metric.name}" is not defined for predictions of ${kind}, expected one of ${
      fitting.join(", ")
    }`,
  );
}

/** "81.50 %" of a fraction, "0.1234" of another number, "-" of none. */
export function showScore({ isFraction }: Metric, value: number | null): string {
  if (value === null || Number.isNaN(value)) return "-";
  return isFraction ? `${(100 * value).toFixed(2)} %` : value.toPrecision(5);
}

/** Every metric that is defined for these predictions; null where it has no value. */
export function allMetrics(p: Predictions): Record<string, number | null> {
  const fitting = [...metrics].filter(({ kinds }) => kinds.includes(p.kind));
  return Object.fromEntries(fitting.map((metric) => {
    const value = metric.compute(p);
    return [metric.name, Number.isNaN(value) ? null : value];
  }));
}

/** counts[t][p] = items of class t that were predicted as p. */
export function confusionMatrix({ labels, predicted, numClasses }: ClassPredictions): number[][] {
  const counts = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  labels.forEach((t, i) => counts[t]![predicted[i]!]!++);
  return counts;
}
