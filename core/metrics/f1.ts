import { defineMetric } from "./metric.ts";
import type { ClassPredictions, LabelPredictions } from "./predictions.ts";

interface Counts {
  /** Items of the class that were found, all that were predicted so, all that are so. */
  hit: number;
  predicted: number;
  actual: number;
}

function countClasses({ labels, predicted, numClasses }: ClassPredictions): Counts[] {
  const counts = Array.from({ length: numClasses }, () => ({ hit: 0, predicted: 0, actual: 0 }));
  labels.forEach((label, i) => {
    counts[label]!.actual++;
    counts[predicted[i]!]!.predicted++;
    if (label === predicted[i]) counts[label]!.hit++;
  });
  return counts;
}

function countLabels({ numClasses, truth, scores }: LabelPredictions): Counts[] {
  return Array.from({ length: numClasses }, (_, c) => {
    const has = truth(c), counts = { hit: 0, predicted: 0, actual: 0 };
    scores(c).forEach((score, i) => {
      const isPredicted = score >= 0.5;
      counts.predicted += Number(isPredicted);
      counts.actual += has[i]!;
      counts.hit += isPredicted ? has[i]! : 0;
    });
    return counts;
  });
}

/** As many labels as an item has are predicted: those of the highest scores, the first of equals. */
function countTop({ count, numClasses, truth, scores }: LabelPredictions): Counts[] {
  const counts = Array.from({ length: numClasses }, () => ({ hit: 0, predicted: 0, actual: 0 }));
  const has = counts.map((_, c) => truth(c)), score = counts.map((_, c) => scores(c));
  for (let i = 0; i < count; i++) {
    const order = counts.map((_, c) => c).sort((a, b) => score[b]![i]! - score[a]![i]! || a - b);
    const labels = has.reduce((sum, h) => sum + h[i]!, 0);
    order.forEach((c, rank) => {
      counts[c]!.actual += has[c]![i]!;
      if (rank >= labels) return;
      counts[c]!.predicted++;
      counts[c]!.hit += has[c]![i]!;
    });
  }
  return counts;
}

const f1 = ({ hit, predicted, actual }: Counts) => 2 * hit / (predicted + actual);

function macro(counts: readonly Counts[]): number {
  const occurring = counts.filter(({ predicted, actual }) => predicted + actual > 0);
  return occurring.reduce((sum, c) => sum + f1(c), 0) / occurring.length;
}

function micro(counts: readonly Counts[]): number {
  const total = { hit: 0, predicted: 0, actual: 0 };
  for (const { hit, predicted, actual } of counts) {
    total.hit += hit;
    total.predicted += predicted;
    total.actual += actual;
  }
  return f1(total);
}

const source = "Van Rijsbergen 1979, chapter 7";

export const macroF1 = defineMetric({
  name: "macro-f1",
  summary: "mean over classes of F1; classes that occur neither in labels nor in predictions are left out",
  source,
  computes: { classes: (p) => macro(countClasses(p)), labels: (p) => macro(countLabels(p)) },
});

export const microF1 = defineMetric({
  name: "micro-f1",
  summary: "F1 of all decisions together; equals accuracy where every item has one class",
  source,
  computes: { classes: (p) => micro(countClasses(p)), labels: (p) => micro(countLabels(p)) },
});

const protocol = "Perozzi et al. 2014, arXiv:1403.6652, section 6.1";

export const macroF1Top = defineMetric({
  name: "macro-f1-top",
  summary: "macro-f1 where as many labels are predicted of an item as it has",
  source: protocol,
  computes: { labels: (p) => macro(countTop(p)) },
});

export const microF1Top = defineMetric({
  name: "micro-f1-top",
  summary: "micro-f1 where as many labels are predicted of an item as it has",
  source: protocol,
  computes: { labels: (p) => micro(countTop(p)) },
});
