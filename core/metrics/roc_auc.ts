import { defineMetric } from "./metric.ts";

/**
 * Probability that a random positive scores above a random negative, ties counting half (Mann-Whitney U). NaN if a
 * score is: such scores have no order.
 */
export function binaryAuc(scores: Float32Array, isPositive: (i: number) => boolean): number {
  if (scores.some(Number.isNaN)) return NaN;
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let positives = 0, rankSum = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    // Ranks start+1 .. end share their mean.
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (!isPositive(order[i]!)) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  return (rankSum - positives * (positives + 1) / 2) / (positives * negatives);
}

/** The mean over classes of one against the rest; classes without two kinds of items are left out. */
export function meanAuc(numClasses: number, area: (c: number) => number): number {
  const areas = Array.from({ length: numClasses }, (_, c) => area(c)).filter((a) => !Number.isNaN(a));
  return areas.reduce((a, b) => a + b, 0) / areas.length;
}

export const rocAuc = defineMetric({
  name: "roc-auc",
  summary:
    "area under the ROC curve; for more than two classes the mean over classes of one against the rest",
  source: "Fawcett 2006, sections 7 and 9.2",
  computes: {
    classes({ labels, numClasses, scores }) {
      if (numClasses === 2) return binaryAuc(scores(1), (i) => labels[i] === 1);
      return meanAuc(numClasses, (c) => binaryAuc(scores(c), (i) => labels[i] === c));
    },
    labels({ numClasses, truth, scores }) {
      return meanAuc(numClasses, (c) => {
        const has = truth(c);
        return binaryAuc(scores(c), (i) => has[i] === 1);
      });
    },
    links({ positive, negative }) {
      const all = new Float32Array(positive.length + negative.length);
      all.set(positive);
      all.set(negative, positive.length);
      return binaryAuc(all, (i) => i < positive.length);
    },
  },
});
