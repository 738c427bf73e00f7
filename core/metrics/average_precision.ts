import { defineMetric } from "./metric.ts";
import { meanAuc } from "./roc_auc.ts";

/**
 * Sum over thresholds of (recall gained) * precision; items of equal score share one threshold. NaN without positives,
 * or if a score is.
 */
export function averagePrecision(scores: Float32Array, isPositive: (i: number) => boolean): number {
  if (scores.some(Number.isNaN)) return NaN;
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  let positives = 0, sum = 0;
  for (let start = 0; start < order.length;) {
    let end = start, found = 0;
    for (; end < order.length && scores[order[end]!] === scores[order[start]!]; end++) {
      found += Number(isPositive(order[end]!));
    }
    positives += found;
    sum += found * positives / end;
    start = end;
  }
  return sum / positives;
}

export const averagePrecisionMetric = defineMetric({
  name: "average-precision",
  summary: "area under the precision-recall curve as a sum over thresholds; the mean over classes or labels",
  source: "Davis and Goadrich 2006; the step-wise sum of Manning et al. 2008, section 8.4",
  computes: {
    classes({ labels, numClasses, scores }) {
      if (numClasses === 2) return averagePrecision(scores(1), (i) => labels[i] === 1);
      return meanAuc(numClasses, (c) => averagePrecision(scores(c), (i) => labels[i] === c));
    },
    labels({ numClasses, truth, scores }) {
      return meanAuc(numClasses, (c) => {
        const has = truth(c);
        return averagePrecision(scores(c), (i) => has[i] === 1);
      });
    },
    links({ positive, negative }) {
      const all = new Float32Array(positive.length + negative.length);
      all.set(positive);
      all.set(negative, positive.length);
      return averagePrecision(all, (i) => i < positive.length);
    },
  },
});
