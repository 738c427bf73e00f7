import { describe, expect, test } from "bun:test";
import { losses, lossFor } from "../../../core/losses/mod.ts";
import type { LossEntry } from "../../../core/losses/loss.ts";
import type { Targets } from "../../../core/train/targets.ts";
import {
  checkGradients,
  expectNear,
  fixed,
  index,
  integers,
  native,
  variable,
  vector,
  withTape,
} from "../tensor/_autograd.ts";

// Five items, three outputs; items 4, 0, 2 and 3 count, in this order.
const rows = [4, 0, 2, 3];
const x = () => variable([5, 3]);
const labels = [2, 0, 1, 1, 0];
const several = [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0];
const numbers = [0.5, -1, 2, 0.25, 3, -2, 1, 1.5, -0.5, 0, 4, 0.75, -3, 0.1, 0.2];

const targetsOf: Record<Targets["kind"], Targets> = {
  classes: { kind: "classes", width: 3, array: native("I32", labels) },
  labels: { kind: "labels", width: 3, array: native("U8", several) },
  values: { kind: "values", width: 3, array: native("F32", numbers) },
};
const handleOf = {
  classes: integers("I32", labels),
  labels: fixed.reshape(vector(several), [5, 3]),
  values: fixed.reshape(vector(numbers), [5, 3]),
};

/** The loss of an entry on the five items, in float64; with weights of the rows that count, their sum. */
function lossOf(entry: LossEntry, params: Record<string, unknown>, weights?: readonly number[]) {
  const kind = entry.kinds.find((k) => k !== "links") ?? "labels";
  const context = { arena: fixed, targets: targetsOf[kind], train: BigInt64Array.from(rows, BigInt) };
  const loss = entry.create(context, entry.params!.parse(params) as Record<string, unknown>);
  return {
    inputs: [x()],
    f: (tape: Parameters<typeof loss>[0], [outputs]: readonly ReturnType<typeof x>[]) =>
      loss(tape, {
        outputs: outputs!,
        targets: handleOf[kind],
        rows: index(rows).handle,
        count: rows.length,
        weights: weights ? vector(weights) : null,
      }),
  };
}
const valueOf = (entry: LossEntry, params: Record<string, unknown>, weights?: readonly number[]) => {
  const { inputs, f } = lossOf(entry, params, weights);
  return withTape((tape) => f(tape, inputs).item());
};

// ---- float64 references, written from the formulas ----

const grid = () => {
  const values = x().toNumbers();
  return rows.map((r) => values.slice(3 * r, 3 * r + 3));
};
const logSoftmax = (row: readonly number[]) => {
  const log = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
  return row.map((v) => v - log);
};
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** Of the class weights w (ones without): sum of w -log p / sum of w, with a share spread over all classes. */
function softmaxReference(w: readonly number[], share: number): number {
  const weights = rows.map((r) => w[labels[r]!]!);
  const terms = grid().map((row, i) => {
    const log = logSoftmax(row);
    return -weights[i]! * ((1 - share) * log[labels[rows[i]!]!]! + share * sum(log) / 3);
  });
  return sum(terms) / sum(weights);
}
function sigmoidReference(w: readonly number[]): number {
  const terms = grid().flatMap((row, i) =>
    row.map((v, c) => {
      const p = 1 / (1 + Math.exp(-v)), y = several[3 * rows[i]! + c]!;
      return -(y ? w[c]! * Math.log(p) : Math.log(1 - p));
    })
  );
  return sum(terms) / terms.length;
}
const differences = () => grid().flatMap((row, i) => row.map((v, c) => v - numbers[3 * rows[i]! + c]!));
/** Of rows of a link and two pairs without one. */
const meanAbove = (margin: number) =>
  sum(grid().flatMap(([link, ...others]) => others.map((v) => Math.max(0, margin + v - link!)))) / 8;
const meanOf = (f: (d: number) => number) => sum(differences().map(f)) / 12;

// Among the training items classes 0, 1, 2 occur 1, 2 and 1 times.
const cases: readonly (readonly [name: string, params: Record<string, unknown>, want: () => number])[] = [
  ["cross-entropy", {}, () => softmaxReference([1, 1, 1], 0)],
  ["cross-entropy", { labelSmoothing: 0.2 }, () => softmaxReference([1, 1, 1], 0.2)],
  ["cross-entropy", { classWeights: [1, 2, 3] }, () => softmaxReference([1, 2, 3], 0)],
  ["cross-entropy", { classWeights: [1, 2, 3], labelSmoothing: 0.1 }, () => softmaxReference([1, 2, 3], 0.1)],
  ["cross-entropy", { balanced: true }, () => softmaxReference([4 / 3, 2 / 3, 4 / 3], 0)],
  ["bce", {}, () => sigmoidReference([1, 1, 1])],
  // Without label 0 against with it among the training items: 2 and 2; label 1: 2 and 2; label 2: 3 and 1.
  ["bce", { balanced: true }, () => sigmoidReference([1, 1, 3])],
  ["bce", { classWeights: [2, 1, 0.5] }, () => sigmoidReference([2, 1, 0.5])],
  ["mse", {}, () => meanOf((d) => d * d)],
  ["l1", {}, () => meanOf(Math.abs)],
  ["margin", { margin: 0.5 }, () => meanAbove(0.5)],
  ["huber", { delta: 0.7 }, () => meanOf((d) => Math.abs(d) < 0.7 ? d * d / 2 : 0.7 * (Math.abs(d) - 0.35))],
];

describe.each(cases)("%s %j", (name, params, want) => {
  test("equals its formula in float64", () => {
    // A dozen terms of size 1, summed in another order; class weights are stored as float32.
    const isWeighted = "classWeights" in params || "balanced" in params;
    expectNear([valueOf(losses.get(name), params)], [want()], isWeighted ? 1e-7 : 1e-14);
  });
  test("has the gradient that differences give", () => checkGradients(lossOf(losses.get(name), params)));
});

describe.each(cases.filter(([name]) => name !== "margin"))("%s %j of weighted rows", (name, params, want) => {
  const entry = losses.get(name), row = (i: number) => rows.map((_, r) => r === i ? 1 : 0);
  test("is the mean where every row weighs its share of it, and the sum of its rows", () => {
    // Class weights are stored as float32.
    const tolerance = "classWeights" in params || "balanced" in params ? 1e-7 : 1e-14;
    expectNear([valueOf(entry, params, rows.map(() => 1 / rows.length))], [want()], tolerance);
    const weights = [3, 0.5, 0, 7], each = rows.map((_, i) => valueOf(entry, params, row(i)));
    const total = sum(each.map((loss, i) => weights[i]! * loss));
    expectNear([valueOf(entry, params, weights)], [total], 1e-14);
  });
  test("has the gradient that differences give", () =>
    checkGradients(lossOf(entry, params, [3, 0.5, 0.25, 7])));
});

test("every loss is looked at, and the first that fits the targets is the usual one", () => {
  expect([...new Set(cases.map(([name]) => name))].sort()).toEqual(losses.names.toSorted());
  expect(lossFor("classes", undefined).name).toBe("cross-entropy");
  expect(lossFor("labels", undefined).name).toBe("bce");
  expect(lossFor("values", undefined).name).toBe("mse");
  expect(lossFor("links", undefined).name).toBe("bce");
  expect(() => lossFor("values", "bce")).toThrow(
    'Loss "bce" does not fit targets of values, expected one of mse, l1, huber',
  );
});

test("class weights of another number than classes, or given twice, are refused", () => {
  const create = (params: Record<string, unknown>) => valueOf(losses.get("cross-entropy"), params);
  expect(() => create({ classWeights: [1, 2] })).toThrow("2 weights, expected one per class (3)");
  expect(() => create({ classWeights: [1, 2, 3], balanced: true })).toThrow("contradict each other");
  expect(() => create({ classWeights: [0, 0, 0] })).toThrow("every weight is 0");
});
