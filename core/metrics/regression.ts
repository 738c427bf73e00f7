import { defineMetric } from "./metric.ts";
import type { ValuePredictions } from "./predictions.ts";

/** Mean over all items and columns. */
function mean(p: ValuePredictions, f: (truth: number, predicted: number) => number): number {
  let sum = 0;
  for (let c = 0; c < p.columns; c++) {
    const truth = p.truth(c);
    p.predicted(c).forEach((x, i) => sum += f(truth[i]!, x));
  }
  return sum / (p.count * p.columns);
}

const squared = (a: number, b: number) => (a - b) ** 2;

export const mae = defineMetric({
  name: "mae",
  summary: "mean absolute error",
  source: "gust",
  better: "lower",
  computes: { values: (p) => mean(p, (a, b) => Math.abs(a - b)) },
});

export const rmse = defineMetric({
  name: "rmse",
  summary: "root of the mean squared error",
  source: "gust",
  better: "lower",
  computes: { values: (p) => Math.sqrt(mean(p, squared)) },
});

export const r2 = defineMetric({
  name: "r2",
  summary: "coefficient of determination, the mean over columns; 0 is what the mean of the targets gives",
  source: "Draper and Smith 1998, section 1.3",
  isFraction: false,
  computes: {
    values(p) {
      let sum = 0;
      for (let c = 0; c < p.columns; c++) {
        const truth = p.truth(c), predicted = p.predicted(c);
        const centre = truth.reduce((a, b) => a + b, 0) / p.count;
        const total = truth.reduce((s, x) => s + squared(x, centre), 0);
        sum += 1 - truth.reduce((s, x, i) => s + squared(x, predicted[i]!), 0) / total;
      }
      return sum / p.columns;
    },
  },
});
