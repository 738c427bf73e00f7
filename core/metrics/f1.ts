import type { Metric, Predictions } from "./mod.ts";

interface Counts {
  /** Nodes of the class that were found, all that were predicted so, all that are so. */
  hit: number;
  predicted: number;
  actual: number;
}

function perClass({ labels, predicted, numClasses }: Predictions): Counts[] {
  const counts = Array.from({ length: numClasses }, () => ({ hit: 0, predicted: 0, actual: 0 }));
  labels.forEach((label, i) => {
    counts[label]!.actual++;
    counts[predicted[i]!]!.predicted++;
    if (label === predicted[i]) counts[label]!.hit++;
  });
  return counts;
}

const f1 = ({ hit, predicted, actual }: Counts) => 2 * hit / (predicted + actual);

export const macroF1: Metric = {
  name: "macro-f1",
  summary: "mean over classes of F1; classes that occur neither in labels nor in predictions are left out",
  source: "Van Rijsbergen 1979, chapter 7",
  compute(p) {
    const occurring = perClass(p).filter(({ predicted, actual }) => predicted + actual > 0);
    return occurring.reduce((sum, c) => sum + f1(c), 0) / occurring.length;
  },
};

export const microF1: Metric = {
  name: "micro-f1",
  summary: "F1 of all decisions together; equals accuracy where every node has one class",
  source: "Van Rijsbergen 1979, chapter 7",
  compute(p) {
    const total = { hit: 0, predicted: 0, actual: 0 };
    for (const { hit, predicted, actual } of perClass(p)) {
      total.hit += hit;
      total.predicted += predicted;
      total.actual += actual;
    }
    return f1(total);
  },
};
