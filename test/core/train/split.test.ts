import { describe, expect, test } from "bun:test";
import type { Graph } from "../../../core/graph/graph.ts";
import { resolveSplit, type SplitOptions } from "../../../core/train/split.ts";
import { caught } from "../_errors.ts";
import { type GraphParts, makeGraph, renumbered } from "../_graphs.ts";
import { permutation } from "../sampling/_graphs.ts";

const options = (o: Partial<SplitOptions>): SplitOptions => ({
  split: "file",
  splitIndex: 0,
  trainPerClass: 3,
  valPerClass: 2,
  valShare: 0.1,
  testShare: 0.1,
  seed: 1,
  ...o,
});
const lists = (graph: Graph, o: Partial<SplitOptions> = {}) => {
  const { train, val, test } = resolveSplit(graph, options(o));
  return [train, val, test].map((nodes) => Array.from(nodes, Number));
};

const bare: GraphParts = { rows: [[], [], [], [], []], labels: [0, 1, 0, 1, 1] };
/** Masks of splits as rows of 0 and 1. */
const masks = (name: string, rows: readonly (readonly number[])[]) => ({
  name: `split.${name}`,
  dtype: "BOOL" as const,
  shape: [rows.length, 5],
  data: Uint8Array.from(rows.flat()),
});

describe("stored splits", () => {
  test("are taken as they are, lists or masks", () => {
    expect(lists(makeGraph({ ...bare, split: { train: [0, 3], val: [1], test: [2, 4] } }))).toEqual([[0, 3], [
      1,
    ], [2, 4]]);
    const tensors = [
      masks("train", [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0]]),
      masks("val", [[0, 1, 0, 0, 0], [1, 0, 0, 0, 1]]),
      masks("test", [[0, 0, 1, 0, 1], [0, 0, 1, 1, 0]]),
    ];
    const graph = makeGraph({ ...bare, tensors });
    expect(lists(graph)).toEqual([[0, 3], [1], [2, 4]]);
    expect(lists(graph, { splitIndex: 1 })).toEqual([[1], [0, 4], [2, 3]]);
    expect([graph.numSplits, makeGraph(bare).numSplits]).toEqual([2, 0]);
  });

  test("may lack validation and test nodes", () => {
    expect(lists(makeGraph({ ...bare, split: { train: [4] } }))).toEqual([[4], [], []]);
  });

  test("that are not there are an error that says how to draw one", () => {
    const error = caught(() => lists(makeGraph(bare)));
    expect([error.code, error.message]).toEqual([
      "missing",
      "a graph in memory stores no split, expected split.train",
    ]);
    expect(error.hint).toContain("--split random");
  });

  test("are counted from 0, and a number past the last is an error", () => {
    const several = makeGraph({ ...bare, tensors: [masks("train", [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]])] });
    const one = makeGraph({ ...bare, split: { train: [0], val: [1], test: [2] } });
    for (const [graph, splitIndex, count] of [[several, 2, 2], [one, 1, 1]] as const) {
      const error = caught(() => lists(graph, { splitIndex }));
      expect([error.code, error.message]).toEqual([
        "usage",
        `Split ${splitIndex} of a graph in memory: it stores ${count} split${
          count === 1 ? "" : "s"
        }, numbered from 0`,
      ]);
    }
  });
});

describe("random splits", () => {
  // Classes 0, 1, 2 of 8, 12 and 6 nodes; two nodes without a label.
  const n = 28;
  const labels = Array.from(
    { length: n },
    (_, v) => v === 5 || v === 20 ? -1 : v % 5 < 2 ? 1 : v % 5 < 4 && v % 2 ? 0 : 2,
  );
  const parts: GraphParts = { rows: Array.from({ length: n }, () => []), labels };
  const graph = makeGraph(parts);
  const counts = (nodes: readonly number[]) =>
    [0, 1, 2].map((c) => nodes.filter((v) => labels[v] === c).length);
  const random = (o: Partial<SplitOptions> = {}) =>
    lists(graph, { split: "random", ...o }) as [number[], number[], number[]];

  test("take the asked number of nodes of each class, and the rest for testing", () => {
    const [train, val, rest] = random();
    expect([counts(train), counts(val)]).toEqual([[3, 3, 3], [2, 2, 2]]);
    const all = [...train, ...val, ...rest].sort((a, b) => a - b);
    expect(all).toEqual(labels.flatMap((c, v) => c < 0 ? [] : [v]));
    for (const nodes of [train, val, rest]) expect(nodes).toEqual(nodes.toSorted((a, b) => a - b));
  });

  test("depend on the seed alone", () => {
    expect(random()).toEqual(random());
    expect(random({ seed: 2 })).not.toEqual(random());
    // Stored splits do not matter.
    const stored = makeGraph({ ...parts, split: { train: [0], val: [1], test: [2] } });
    expect(lists(stored, { split: "random" })).toEqual(random());
  });

  test("more validation nodes leave the training nodes as they were", () => {
    expect(random({ valPerClass: 1 })[0]).toEqual(random()[0]);
    expect(random({ valPerClass: 0 })[1]).toEqual([]);
  });

  test("follow the original ids through every renumbering", () => {
    for (const seed of [1, 2]) {
      const order = permutation(n, seed);
      const moved = lists(makeGraph(renumbered(parts, order)), { split: "random" });
      expect(moved.map((nodes) => nodes.map((v) => order[v]!).sort((a, b) => a - b))).toEqual(random());
    }
  });

  test("every node trains sometimes", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 60; seed++) random({ seed })[0].forEach((v) => seen.add(v));
    expect(seen.size).toBe(26);
  });

  test("need labels, and enough nodes of each class that has any", () => {
    const unlabelled = caught(() => lists(makeGraph({ rows: [[]] }), { split: "random" }));
    expect([unlabelled.code, unlabelled.message]).toEqual([
      "missing",
      "a graph in memory has no labels to draw a split from: expected one class of each of its nodes",
    ]);
    const few = caught(() => random({ trainPerClass: 5, valPerClass: 3 }));
    const smallest = counts(labels.map((_, v) => v)).findIndex((count) => count < 8);
    expect([few.code, few.message]).toEqual([
      "data",
      `Random split: class ${smallest} has ${
        counts(labels.map((_, v) => v))[smallest]
      } nodes, expected at least 5 + 3`,
    ]);
    // A class that nobody is of is no reason to fail.
    expect(lists(makeGraph({ ...parts, numClasses: 5 }), { split: "random" })).toEqual(random());
  });
});
