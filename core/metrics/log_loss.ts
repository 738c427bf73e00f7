import { log } from "../arithmetic.ts";
import { defineMetric } from "./metric.ts";

/** Probabilities are kept this far from 0, so that a sure mistake costs much but not everything. */
const SMALLEST = 1e-12;

export const logLoss = defineMetric({
  name: "log-loss",
  summary: "mean negative log-likelihood of the true class (of every decision, with several labels per item)",
  source: "Good 1952, section 8",
  better: "lower",
  computes: {
    classes({ labels, numClasses, scores }) {
      let sum = 0;
      for (let c = 0; c < numClasses; c++) {
        const score = scores(c);
        labels.forEach((label, i) => {
          if (label === c) sum -= log(Math.max(SMALLEST, score[i]!));
        });
      }
      return sum / labels.length;
    },
    labels({ count, numClasses, truth, scores }) {
      let sum = 0;
      for (let c = 0; c < numClasses; c++) {
        const has = truth(c);
        scores(c).forEach((score, i) => sum -= log(Math.max(SMALLEST, has[i] ? score : 1 - score)));
      }
      return sum / (count * numClasses);
    },
  },
});
