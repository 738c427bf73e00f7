import { defineMetric } from "./metric.ts";

export const accuracy = defineMetric({
  name: "accuracy",
  summary: "share of items whose class is predicted; of several labels per item, share of right decisions",
  source: "gust",
  computes: {
    classes({ labels, predicted }) {
      let correct = 0;
      labels.forEach((label, i) => correct += Number(label === predicted[i]));
      return correct / labels.length;
    },
    labels({ count, numClasses, truth, scores }) {
      let correct = 0;
      for (let c = 0; c < numClasses; c++) {
        const has = truth(c);
        scores(c).forEach((score, i) => correct += Number((score >= 0.5) === (has[i] === 1)));
      }
      return correct / (count * numClasses);
    },
  },
});
