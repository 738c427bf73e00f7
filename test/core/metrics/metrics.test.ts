import { describe, expect, test } from "bun:test";
import { confusionMatrix, metricFor, metrics } from "../../../core/metrics/mod.ts";
import type { ClassPredictions } from "../../../core/metrics/predictions.ts";
import { binaryAuc } from "../../../core/metrics/roc_auc.ts";

/** Predictions from labels, predicted classes and rows of scores. */
function predictions(
  labels: readonly number[],
  predicted: readonly number[],
  numClasses: number,
  scores: readonly (readonly number[])[] = [],
): ClassPredictions {
  return {
    kind: "classes",
    labels: Int32Array.from(labels),
    predicted: Int32Array.from(predicted),
    numClasses,
    scores: (c) => Float32Array.from(labels, (_, i) => scores[i]![c]!),
  };
}
const compute = (name: string, p: ClassPredictions) => metrics.get(name).compute(p);

// Classes 0 1 2: found 2 of 3, 1 of 2, 0 of 1; predicted 3, 2, 1 times.
const three = predictions([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 0], 3);

describe("by hand", () => {
  test("accuracy is the share of nodes whose class is predicted", () => {
    expect(compute("accuracy", three)).toBe(3 / 6);
    expect(compute("accuracy", predictions([1, 1], [1, 1], 2))).toBe(1);
  });

  test("macro F1 is the mean of the classes' F1, micro F1 is the accuracy", () => {
    expect(compute("macro-f1", three)).toBeCloseTo((4 / 6 + 2 / 4 + 0) / 3, 15);
    expect(compute("micro-f1", three)).toBe(0.5);
  });

  test("ROC AUC of two classes is the share of pairs in order", () => {
    // Positives 0.9, 0.4; negatives 0.5, 0.1, 0.35: of 6 pairs only (0.4, 0.5) is out of order.
    const scores = [0.9, 0.4, 0.5, 0.1, 0.35].map((s) => [1 - s, s]);
    expect(compute("roc-auc", predictions([1, 1, 0, 0, 0], [1, 0, 0, 0, 0], 2, scores))).toBe(5 / 6);
  });

  test("ROC AUC of more classes is the mean of one against the rest", () => {
    const scores = [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3], [0.5, 0.1, 0.4]];
    // Class 0 (nodes 0, 3): 4 of 4 pairs; class 1 (node 1): 3 of 3; class 2 (node 2): above 0.1, level with 0.3, below 0.4.
    expect(compute("roc-auc", predictions([0, 1, 2, 0], [0, 1, 1, 0], 3, scores))).toBeCloseTo(
      (1 + 1 + 1.5 / 3) / 3,
      15,
    );
  });

  test("the confusion matrix counts true class by predicted class", () => {
    expect(confusionMatrix(three)).toEqual([[2, 1, 0], [0, 1, 1], [1, 0, 0]]);
  });
});

describe("binaryAuc()", () => {
  const auc = (scores: readonly number[], positives: readonly number[]) =>
    binaryAuc(Float32Array.from(scores), (i) => positives.includes(i));

  test("counts ties half", () => {
    expect(auc([1, 1, 1, 1], [0, 2])).toBe(0.5);
    // (2, 2) is a tie, (2, 1) is in order.
    expect(auc([2, 2, 1], [0])).toBe(0.75);
    expect(auc([1, 2, 2, 3], [1, 3])).toBe(3.5 / 4);
  });

  test("is 0 for the wrong way round, and does not depend on the order of the nodes", () => {
    expect(auc([0.1, 0.2, 0.8, 0.9], [0, 1])).toBe(0);
    expect(auc([0.9, 0.1, 0.8, 0.2], [1, 3])).toBe(0);
  });

  test("is not defined without a positive or without a negative", () => {
    expect(auc([0.1, 0.2], [])).toBeNaN();
    expect(auc([0.1, 0.2], [0, 1])).toBeNaN();
    expect(auc([], [])).toBeNaN();
  });

  test("is not defined where a score is not a number", () => {
    expect(auc([0.1, NaN, 0.3], [0])).toBeNaN();
    expect(auc([NaN, NaN], [0])).toBeNaN();
  });

  test("equals the count over all pairs on random scores with many ties", () => {
    const scores = Array.from({ length: 200 }, (_, i) => (i * 37 % 23) / 23),
      isPositive = (i: number) => i * 61 % 7 < 3;
    let pairs = 0, good = 0;
    scores.forEach((a, i) =>
      scores.forEach((b, j) => {
        if (!isPositive(i) || isPositive(j)) return;
        pairs++;
        good += a > b ? 1 : a === b ? 0.5 : 0;
      })
    );
    expect(binaryAuc(Float32Array.from(scores), isPositive)).toBeCloseTo(good / pairs, 14);
  });
});

describe("degenerate cases", () => {
  test("no nodes: every metric is undefined", () => {
    for (const metric of metrics) {
      if (!metric.kinds.includes("classes")) continue;
      expect([metric.name, metric.compute(predictions([], [], 3))]).toEqual([metric.name, NaN]);
    }
    expect(confusionMatrix(predictions([], [], 2))).toEqual([[0, 0], [0, 0]]);
  });

  test("one class in the labels: accuracy and F1 are defined, the area is not", () => {
    const p = predictions([1, 1, 1], [1, 1, 1], 2, [[0.2, 0.8], [0.3, 0.7], [0.4, 0.6]]);
    expect(["accuracy", "macro-f1", "micro-f1"].map((name) => compute(name, p))).toEqual([1, 1, 1]);
    expect(compute("roc-auc", p)).toBeNaN();
    const single = predictions([0, 0], [0, 0], 1, [[1], [1]]);
    expect(["accuracy", "macro-f1", "micro-f1"].map((name) => compute(name, single))).toEqual([1, 1, 1]);
    expect(compute("roc-auc", single)).toBeNaN();
  });

  test("classes that occur nowhere are left out of macro F1 and of the area", () => {
    const p = predictions([0, 1], [0, 1], 5, [[0.9, 0.1, 0, 0, 0], [0.2, 0.8, 0, 0, 0]]);
    expect(compute("macro-f1", p)).toBe(1);
    expect(compute("roc-auc", p)).toBe(1);
    // A class that is predicted but never right counts as 0.
    expect(compute("macro-f1", predictions([0, 0], [0, 3], 5))).toBeCloseTo((2 / 3 + 0) / 2, 15);
  });

  test("every node wrong: shares are 0, the precision is that of the last place, a sure mistake costs much", () => {
    const p = predictions([0, 1], [1, 0], 2, [[0, 1], [1, 0]]);
    for (const name of ["accuracy", "macro-f1", "micro-f1", "roc-auc"]) {
      expect([name, compute(name, p)]).toEqual([name, 0]);
    }
    expect(compute("average-precision", p)).toBe(0.5);
    expect(compute("log-loss", p)).toBeCloseTo(-Math.log(1e-12), 6);
  });
});

describe("several labels per item", () => {
  // Items x labels: [1 0], [1 1], [0 0]; predicted [1 0], [0 1], [0 1].
  const truth = [[1, 1, 0], [0, 1, 0]], scores = [[0.9, 0.4, 0.3], [0.2, 0.8, 0.6]];
  const p = {
    kind: "labels",
    count: 3,
    numClasses: 2,
    truth: (c: number) => Uint8Array.from(truth[c]!),
    scores: (c: number) => Float32Array.from(scores[c]!),
  } as const;
  const of = (name: string) => metrics.get(name).compute(p);

  test("decisions count, one by one or label by label", () => {
    expect(of("accuracy")).toBe(4 / 6);
    expect(of("micro-f1")).toBeCloseTo(2 * 2 / (3 + 3), 15);
    expect(of("macro-f1")).toBeCloseTo((2 * 1 / 3 + 2 * 1 / 3) / 2, 15);
  });
  test("as many labels as an item has: one of item 0, two of item 1, none of item 2", () => {
    expect(of("micro-f1-top")).toBe(1);
    const wrong = { ...p, scores: (c: number) => Float32Array.from([[0.2, 0.4, 0.3], [0.9, 0.8, 0.6]][c]!) };
    // Item 0 gets label 1 in place of label 0: 2 of 3 right; label 0: 1 of 1 of 2, label 1: 1 of 2 of 1.
    expect(metrics.get("micro-f1-top").compute(wrong)).toBeCloseTo(2 * 2 / (3 + 3), 15);
    expect(metrics.get("macro-f1-top").compute(wrong)).toBeCloseTo((2 / 3 + 2 / 3) / 2, 15);
  });
  test("areas are means over labels", () => {
    expect(of("roc-auc")).toBe(1);
    expect(of("average-precision")).toBe(1);
  });
  test("the log loss is the mean over all decisions", () => {
    const each = [0.9, 0.4, 0.7, 0.8, 0.8, 0.4].map((x) => -Math.log(x));
    expect(of("log-loss")).toBeCloseTo(each.reduce((a, b) => a + b) / 6, 6);
  });
});

test("regression: mean errors, and the share of the variance that is explained", () => {
  const p = {
    kind: "values",
    count: 4,
    columns: 1,
    truth: () => Float64Array.of(1, 2, 3, 4),
    predicted: () => Float64Array.of(1, 2, 3, 6),
  } as const;
  expect(metrics.get("mae").compute(p)).toBe(0.5);
  expect(metrics.get("rmse").compute(p)).toBe(1);
  expect(metrics.get("r2").compute(p)).toBeCloseTo(1 - 4 / 5, 15);
});

test("average precision of links: positives at ranks 1 and 3 of 4; items of equal score share a place", () => {
  const links = (positive: number[], negative: number[]) => ({
    kind: "links" as const,
    positive: Float32Array.from(positive),
    negative: Float32Array.from(negative),
    negativesPer: 1,
  });
  expect(metrics.get("average-precision").compute(links([0.9, 0.5], [0.7, 0.1]))).toBeCloseTo(
    (1 + 2 / 3) / 2,
    15,
  );
  expect(metrics.get("average-precision").compute(links([0.5, 0.5], [0.5, 0.5]))).toBe(0.5);
  expect(metrics.get("roc-auc").compute(links([0.9, 0.5], [0.7, 0.1]))).toBe(0.75);
});

test("a metric that is not defined for a kind of predictions is refused, with those that are", () => {
  expect(() => metricFor("values", "accuracy")).toThrow("expected one of mae, rmse, r2");
  expect(metricFor("values", undefined).name).toBe("mae");
  expect(metricFor("classes", undefined).name).toBe("accuracy");
});

test("every metric that is a fraction is one, and has a summary and a source", () => {
  const labels = Array.from({ length: 60 }, (_, i) => i * 7 % 4),
    predicted = labels.map((l, i) => i % 3 === 0 ? (l + 1) % 4 : l);
  const scores = predicted.map((c, i) => [0, 1, 2, 3].map((k) => k === c ? 0.5 : 0.1 + (i % 5) / 50));
  for (const metric of metrics) {
    expect([metric.summary, metric.source]).not.toContain("");
    if (!metric.kinds.includes("classes") || !metric.isFraction) continue;
    const value = metric.compute(predictions(labels, predicted, 4, scores));
    expect(value).toBeGreaterThan(0.5);
    expect(value).toBeLessThan(1);
  }
});
