/** What metrics read: predictions of one kind, in the order of the items that are scored. */

/** One class per item. */
export interface ClassPredictions {
  readonly kind: "classes";
  /** True class of each item. */
  readonly labels: Int32Array;
  /** Predicted class of each item. */
  readonly predicted: Int32Array;
  readonly numClasses: number;
  /** Probability of class `c` for each item. */
  scores(c: number): Float32Array;
}

/** Any number of labels per item. */
export interface LabelPredictions {
  readonly kind: "labels";
  readonly count: number;
  readonly numClasses: number;
  /** 1 where the item has label `c`. */
  truth(c: number): Uint8Array;
  /** Probability of label `c` for each item; predicted from 0.5 on. */
  scores(c: number): Float32Array;
}

/** Numbers per item. */
export interface ValuePredictions {
  readonly kind: "values";
  readonly count: number;
  readonly columns: number;
  truth(c: number): Float64Array;
  predicted(c: number): Float64Array;
}

/** Scores of true links, and of negatives that each one is ranked among. */
export interface LinkPredictions {
  readonly kind: "links";
  readonly positive: Float32Array;
  /** `negativesPer` scores for each positive, row-major. */
  readonly negative: Float32Array;
  readonly negativesPer: number;
  /** Places among all candidates, any number per link, where they were counted apart from `negative`. */
  readonly ranks?: Float64Array;
}

export type Predictions = ClassPredictions | LabelPredictions | ValuePredictions | LinkPredictions;
export type PredictionKind = Predictions["kind"];

/** The metric that is shown first and selects weights, where none is asked for. */
export const usualMetric: Readonly<Record<PredictionKind, string>> = {
  classes: "accuracy",
  labels: "micro-f1",
  values: "mae",
  links: "roc-auc",
};
