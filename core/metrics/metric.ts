/** What a metric is. */
import type { Entry } from "../registry.ts";
import type {
  ClassPredictions,
  LabelPredictions,
  LinkPredictions,
  PredictionKind,
  Predictions,
  ValuePredictions,
} from "./predictions.ts";

/** How a metric is computed, for each kind of predictions that it is defined for; NaN where it has no value. */
export interface Computations {
  classes?(p: ClassPredictions): number;
  labels?(p: LabelPredictions): number;
  values?(p: ValuePredictions): number;
  links?(p: LinkPredictions): number;
}

export interface Metric extends Entry {
  /** Which value is the better of two. */
  readonly better: "higher" | "lower";
  /** It lies in 0..1 and is shown in per cent. */
  readonly isFraction: boolean;
  readonly kinds: readonly PredictionKind[];
  /** NaN where it is not defined (no items, one class only). @throws {RangeError} for another kind. */
  compute(p: Predictions): number;
}

export function defineMetric(
  entry: Omit<Metric, "kinds" | "compute" | "better" | "isFraction"> & {
    /** @default {"higher"} */
    readonly better?: Metric["better"];
    /** @default {where higher is better} */
    readonly isFraction?: boolean;
    readonly computes: Computations;
  },
): Metric {
  const { computes, ...rest } = entry;
  return {
    better: "higher",
    isFraction: rest.better !== "lower",
    ...rest,
    kinds: Object.keys(computes) as PredictionKind[],
    compute(p) {
      const body = computes[p.kind] as ((p: Predictions) => number) | undefined;
      if (!body) throw new RangeError(`metric "${entry.name}" of ${p.kind}`);
      return body(p);
    },
  };
}
