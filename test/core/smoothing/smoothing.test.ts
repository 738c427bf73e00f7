import { describe, expect, test } from "bun:test";
import { NativeArray } from "../../../ffi/native.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { smoothers } from "../../../core/smoothing/mod.ts";
import { smooth } from "../../../core/smoothing/smooth.ts";
import type { ItemPrediction } from "../../../core/train/prediction_document.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { openFile } from "../../../core/format/read.ts";
import { graphPath } from "../../../fixtures/graphs.ts";
import { makeGraph, renumbered, sbmGraph } from "../_graphs.ts";

type Matrix = number[][];
type Params = Record<string, unknown>;

/** Two triangles joined by an edge, and a node apart; weights, two classes, one training label in each triangle. */
const parts = {
  rows: [[1, 2], [0, 2], [0, 1, 3], [2, 4, 5], [3, 5], [3, 4], []],
  weights: [[1, 2], [1, 1], [2, 1, 0.5], [0.5, 1, 3], [1, 1], [3, 1], []],
  labels: [0, 0, 0, 1, 1, 1, 1],
  numClasses: 2,
};
const train = [0, 4], n = 7;
const graph = makeGraph(parts);
const base: Matrix = [[0.6, 0.4], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3], [0.45, 0.55], [0.9, 0.1], [0.3, 0.7]];

function predictionOf(rows: Matrix): ItemPrediction {
  const width = rows[0]!.length, scores = NativeArray.from<"F32">(Float32Array.from(rows.flat()));
  const predicted = NativeArray.allocate("I32", rows.length);
  return { items: "nodes", kind: "classes", count: rows.length, outputs: { scores, predicted, width } };
}

function run(
  name: string,
  params: Params = {},
  of: Graph = graph,
  from: Matrix | null = null,
  nodes = train,
) {
  const smoother = smoothers.get(name);
  const { prediction, unreached } = smooth(
    of,
    BigInt64Array.from(nodes, BigInt),
    smoother,
    smoother.params.parse(params),
    from && predictionOf(from),
  );
  const { scores, predicted, width } = prediction.outputs, flat = scores.toNumbers();
  return {
    rows: Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width)),
    predicted: predicted!.toNumbers(),
    unreached,
  };
}

// ---- float64, written from the papers ----

/** D^-1/2 W D^-1/2 or D^-1 W; rows of nodes without edges are 0. */
function average(norm: string): Matrix {
  const w = parts.rows.map((row, v) => {
    const dense = new Array<number>(n).fill(0);
    row.forEach((u, k) => dense[u] = parts.weights[v]![k]!);
    return dense;
  });
  const degree = w.map((row) => row.reduce((a, b) => a + b, 0));
  return w.map((row, i) =>
    row.map((x, j) => x === 0 ? 0 : norm === "sym" ? x / Math.sqrt(degree[i]! * degree[j]!) : x / degree[i]!)
  );
}
const times = (a: Matrix, x: Matrix) =>
  a.map((row) => x[0]!.map((_, c) => row.reduce((sum, w, j) => sum + w * x[j]![c]!, 0)));
const zip = (f: (...values: number[]) => number, ...m: Matrix[]) =>
  m[0]!.map((row, i) => row.map((_, c) => f(...m.map((x) => x[i]![c]!))));
const spread = (start: Matrix, norm: string, alpha: number, steps: number, after: (x: Matrix) => Matrix) => {
  let x = start;
  for (let t = 0; t < steps; t++) {
    x = after(zip((a, b) => alpha * a + (1 - alpha) * b, times(average(norm), x), start));
  }
  return x;
};
const oneHot = () =>
  base.map((row, v) => row.map((_, c) => train.includes(v) && parts.labels[v] === c ? 1 : 0));
const fixed = (to: Matrix) => (x: Matrix) => x.map((row, v) => train.includes(v) ? to[v]! : row);
const clamped = (low: number, high: number) => (x: Matrix) => zip((v) => Math.min(high, Math.max(low, v)), x);
const length = (row: number[]) => row.reduce((sum, x) => sum + Math.abs(x), 0);
/** Rows over their sums; the node apart has the frequencies of two training labels, one of each class. */
const shares = (x: Matrix) =>
  x.map((row) =>
    length(row) === 0 ? [0.5, 0.5] : row.map((v) => Math.max(0, v) / length(row.map((u) => Math.max(0, u))))
  );

function propagated({ alpha = 0.9, iterations = 50, norm = "sym", clamp = true }): Matrix {
  const labels = oneHot();
  return shares(spread(labels, norm, alpha, iterations, clamp ? fixed(labels) : (x) => x));
}

function corrected(
  {
    correction = "autoscale",
    scale = 1,
    correctAlpha = 0.8,
    smoothAlpha = 0.8,
    correctNorm = "sym",
    smoothNorm = "sym",
  },
): Matrix {
  const labels = oneHot();
  const error = zip((y, z) => y - z, labels, base).map((row, v) =>
    train.includes(v) ? row : row.map(() => 0)
  );
  let z: Matrix;
  if (correction === "fixed-diff") {
    const e = spread(error, correctNorm, correctAlpha, 50, fixed(error));
    z = zip((a, b) => a + scale * b, base, e);
  } else {
    const e = spread(error, correctNorm, correctAlpha, 50, clamped(-1, 1));
    const mean = train.reduce((sum, v) => sum + length(error[v]!), 0) / train.length;
    z = base.map((row, v) => row.map((x, c) => x + (length(e[v]!) ? mean / length(e[v]!) : 0) * e[v]![c]!));
  }
  return shares(spread(fixed(labels)(z), smoothNorm, smoothAlpha, 50, clamped(0, 1)));
}

/** Fifty steps of float32 sums of numbers up to 1: each adds 1e-7 at most, and shrinks what was there. */
function near(got: Matrix, want: Matrix): void {
  got.flat().forEach((x, i) => expect(Math.abs(x - want.flat()[i]!)).toBeLessThan(5e-6));
}

describe("label-propagation equals its formula in float64", () => {
  const cases: Params[] = [{}, { alpha: 1, norm: "row" }, { clamp: false }, {
    alpha: 0.5,
    iterations: 1,
    norm: "row",
  }];
  test.each(cases)("%j", (params) => near(run("label-propagation", params).rows, propagated(params)));

  test("training labels are kept exactly, and what no label reaches has the training frequencies", () => {
    const { rows, predicted, unreached } = run("label-propagation");
    expect([rows[0], rows[4], rows[6]]).toEqual([[1, 0], [0, 1], [0.5, 0.5]]);
    expect(unreached).toBe(1);
    expect(predicted.slice(0, 6)).toEqual([0, 0, 0, 1, 1, 1]);
  });

  test("by hand: a path whose ends are known, one step", () => {
    const path = makeGraph({ rows: [[1], [0, 2], [1]], labels: [0, 1, 1], numClasses: 2 });
    const { rows } = run("label-propagation", { iterations: 1, norm: "row" }, path, null, [0, 2]);
    expect(rows).toEqual([[1, 0], [0.5, 0.5], [0, 1]]);
  });
});

test("from its two leaders, label propagation finds the factions of the karate club", () => {
  const karate = new Graph(openFile(graphPath("karate")));
  const labels = karate.labels()!.toNumbers();
  const { rows, predicted } = run(
    "label-propagation",
    { alpha: 1, norm: "row", iterations: 500 },
    karate,
    null,
    [0, 33],
  );
  // Zhu and Ghahramani 2002: the fixed point is the mean over the neighbours, the leaders being held.
  const pointer = karate.csr.indptr.toNumbers(), sources = karate.csr.indices.toNumbers();
  for (let v = 1; v < 33; v++) {
    const neighbours = sources.slice(pointer[v]!, pointer[v + 1]!);
    const mean = neighbours.reduce((sum, u) => sum + rows[u]![0]!, 0) / neighbours.length;
    expect(Math.abs(rows[v]![0]! - mean)).toBeLessThan(1e-5);
  }
  expect([rows[0]![labels[0]!], rows[33]![labels[33]!]]).toEqual([1, 1]);
  expect(predicted.filter((c, v) => c === labels[v]).length).toBeGreaterThanOrEqual(31);
});

describe("correct-and-smooth equals its formulas in float64", () => {
  const cases: Params[] = [
    {},
    { correction: "fixed-diff", scale: 1.5 },
    { correction: "fixed-diff", correctNorm: "row", correctAlpha: 1 },
    { correctAlpha: 0.5, smoothAlpha: 0.3, smoothNorm: "row" },
  ];
  test.each(cases)(
    "%j",
    (params) => near(run("correct-and-smooth", params, graph, base).rows, corrected(params)),
  );

  test("without steps it gives back what it was given", () => {
    const none = run("correct-and-smooth", { correctIterations: 0, smoothIterations: 0 }, graph, base);
    near(none.rows, base);
  });
});

describe.each(smoothers.names)("%s", (name) => {
  const sbm = sbmGraph({ nodes: 300, classes: 3, features: 2 });
  const some = Array.from(sbm.split("train")!, Number);
  const third = Array.from({ length: 300 }, (_, v) => [0, 1, 2].map((c) => (v + c) % 3 === 0 ? 0.5 : 0.25));

  test("is the same on 1 and 2 threads", () => {
    setThreads(1);
    const one = run(name, {}, sbm, third, some);
    setThreads(2);
    expect(run(name, {}, sbm, third, some)).toEqual(one);
    setThreads(0);
  });

  test("gives probabilities, and does not depend on the order of the nodes", () => {
    const order = [3, 6, 0, 5, 1, 4, 2];
    const other = run(
      name,
      {},
      makeGraph(renumbered(parts, order)),
      order.map((v) => base[v]!),
      train.map((v) => order.indexOf(v)),
    );
    const { rows } = run(name, {}, graph, base);
    near(other.rows, order.map((v) => rows[v]!));
    for (const row of rows) expect(Math.abs(row.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-6);
  });

  test("reads no label but those of training nodes", () => {
    const lies = makeGraph({ ...parts, labels: parts.labels.map((c, v) => train.includes(v) ? c : 1 - c) });
    expect(run(name, {}, lies, base)).toEqual(run(name, {}, graph, base));
  });
});

test("what cannot be smoothed is refused with the reason", () => {
  const none = makeGraph({ ...parts, labels: [-1, 0, 0, 1, -1, 1, 1] });
  expect(() => run("label-propagation", {}, none)).toThrow("No training node of");
  expect(() => run("label-propagation", {}, makeGraph({ rows: parts.rows }))).toThrow("no class per node");
  expect(() => run("label-propagation", {}, graph, null, [7])).toThrow("holds node 7, expected 0 to 6");
  expect(() => run("correct-and-smooth", {}, graph, base.map((row) => [...row, 0]))).toThrow(
    "of 2 classes per node",
  );
});
