/** Several labels per node that its neighbourhood decides (--label-count), against the definition. */
import { afterEach, describe, expect, test } from "bun:test";
import { setThreads } from "../../../ffi/engine.ts";
import { make } from "./_graphs.ts";

afterEach(() => setThreads(0));

const small = {
  rows: 20,
  cols: 21,
  degree: 6,
  reach: 2,
  features: 5,
  classes: 1,
  trainPerClass: 300,
  valPerClass: 60,
};
const cases: [string, Record<string, unknown>][] = [
  ["small-world", { ...small, labelCount: 13, labelHops: 2 }],
  ["small-world", { ...small, labelCount: 10, labelHops: 9, features: 1, labelShare: 0.1, directed: true }],
  ["sbm", { nodes: 600, degree: 3, classes: 4, features: 12, labelCount: 12, labelHops: 0, labelShare: 0.5 }],
  ["rmat", {
    scale: 8,
    classes: 2,
    features: 20,
    labelCount: 40,
    labelHops: 1,
    trainPerClass: 9,
    valPerClass: 9,
  }],
  ["grid", { rows: 1, cols: 9, features: 1, labelCount: 3 }],
];

describe.each(cases)("labels of %s %j", (name, params) => {
  const { document, graph, rows } = make(name, params, 4);
  const n = graph.numNodes,
    count = params["labelCount"] as number,
    hops = (params["labelHops"] ?? 2) as number;
  const share = (params["labelShare"] ?? 0.3) as number;
  const labels = document.tensor("label", "U8").toNumbers();

  test("are whether the mean at the end of walks is among the highest", () => {
    expect(document.spec("label").shape).toEqual([n, count]);
    expect(document.meta).toMatchObject({ multi_label: true, num_classes: count });
    const width = params["features"] as number, features = document.tensor("feat", "F32").toNumbers();
    const most = Math.floor(n * share);
    for (let l = 0; l < count; l++) {
      const column = Math.floor(l / (hops + 1));
      let x = Array.from({ length: n }, (_, v) => features[v * width + column]!);
      for (let r = 0; r < l % (hops + 1); r++) {
        x = rows.map((row) => row.length === 0 ? 0 : row.reduce((sum, u) => sum + x[u]!, 0) / row.length);
      }
      const own = labels.filter((_, i) => i % count === l);
      // Isolated nodes share the mean 0; without them the share is exact to one node.
      const ties = new Set(x).size === n ? 0 : x.filter((value) => value === 0).length;
      expect(Math.abs(own.reduce((a, b) => a + b, 0) - most)).toBeLessThanOrEqual(ties + 1);
      const highest = Math.max(...x.filter((_, v) => own[v] === 0));
      const lowest = Math.min(...x.filter((_, v) => own[v] === 1), Infinity);
      // The native sums are in float32: nodes at the bound may change places.
      expect(lowest).toBeGreaterThan(highest - 1e-5);
    }
  });

  test("are the same for any number of threads, and leave graph, features and split as they were", () => {
    for (const threads of [1, 3]) {
      setThreads(threads);
      expect(make(name, params, 4).document.digest).toBe(document.digest);
    }
    const plain = make(name, { ...params, labelCount: 0 }, 4).document;
    for (const tensor of ["indptr", "indices", "feat", "split.train", "split.val", "split.test"]) {
      if (!plain.has(tensor)) continue;
      expect(document.tensor(tensor).toNumbers()).toEqual(plain.tensor(tensor).toNumbers());
    }
  });
});

test("labels at three distances of features that are too few are refused", () => {
  expect(() => make("small-world", { ...small, labelCount: 16, labelHops: 2 })).toThrow(
    "--label-count 16: labels at 3 distances read 6 features, expected --features 6 at least, not 5",
  );
  expect(() => make("sbm", { labelCount: 4, unlabelled: 0.5 })).toThrow(
    "--unlabelled 0.5: every node has the labels",
  );
});

test("all nodes or none may have a label, and there may be no nodes", () => {
  const of = (labelShare: number) =>
    make("small-world", { ...small, labelCount: 3, labelShare }).document.tensor("label", "U8").toNumbers();
  expect(new Set(of(1))).toEqual(new Set([1]));
  expect(new Set(of(0))).toEqual(new Set([0]));
  const none = make("grid", { rows: 0, cols: 3, features: 1, labelCount: 2 }).document;
  expect(none.spec("label").shape).toEqual([0, 2]);
});
