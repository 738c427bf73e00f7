import type { Metric } from "./mod.ts";

export const accuracy: Metric = {
  name: "accuracy",
  summary: "share of nodes whose class is predicted",
  source: "gust",
  compute({ labels, predicted }) {
    let correct = 0;
    labels.forEach((label, i) => correct += Number(label === predicted[i]));
    return correct / labels.length;
  },
};
