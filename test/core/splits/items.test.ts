import { describe, expect, test } from "bun:test";
import { splitters } from "../../../core/splits/mod.ts";
import { resolveSplit } from "../../../core/train/split.ts";
import { caught } from "../_errors.ts";
import { type GraphParts, makeGraph, renumbered } from "../_graphs.ts";
import { permutation } from "../sampling/_graphs.ts";
import { itemsOfMask, parts, split } from "./_splits.ts";

// 300 nodes: classes 0, 1, 2 in shares of about 1/2, 1/3, 1/6, and every 25th node without a class.
const n = 300;
const labels = Array.from({ length: n }, (_, v) => v % 25 === 3 ? -1 : v % 6 < 3 ? 0 : v % 6 < 5 ? 1 : 2);
const known = labels.flatMap((c, v) => c < 0 ? [] : [v]);
const plain: GraphParts = {
  rows: Array.from({ length: n }, (_, v) => v > 0 ? [v - 1] : []),
  labels,
  directed: true,
};
const graph = makeGraph(plain);
const ofClass = (nodes: readonly number[], c: number) => nodes.filter((v) => labels[v] === c).length;
const ascending = (xs: readonly number[]) => xs.toSorted((a, b) => a - b);

/** 40 graphs of two nodes; labels 0 and 1 in turns, one graph without. */
const set = makeGraph({
  rows: Array.from({ length: 80 }, (_, v) => [v ^ 1]),
  numClasses: 2,
  tensors: [
    {
      name: "graph_ptr",
      dtype: "I64",
      shape: [41],
      data: BigInt64Array.from({ length: 41 }, (_, g) => BigInt(2 * g)),
    },
    {
      name: "graph_label",
      dtype: "I32",
      shape: [40],
      data: Int32Array.from({ length: 40 }, (_, g) => g === 7 ? -1 : g % 2),
    },
  ],
});

describe("every split of items", () => {
  for (
    const { name } of [...splitters].filter(({ name }) => ["random", "per-class", "k-fold"].includes(name))
  ) {
    const params = name === "per-class" ? { trainPerClass: 5, valPerClass: 4 } : {};

    test(`${name}: parts are disjoint, have a class, and are the same on 1 and 2 threads`, () => {
      const one = split(graph, name, { params, threads: 1 }),
        two = split(graph, name, { params, threads: 2 });
      expect(two.document.digest).toBe(one.document.digest);
      one.counts.forEach((counts, r) => {
        const [train, val, rest] = parts(one, r);
        expect(ascending([...train, ...val, ...rest])).toEqual(known);
        expect(counts).toEqual({ train: train.length, val: val.length, test: rest.length });
      });
      expect(split(graph, name, { params, seed: 1 }).document.digest).not.toBe(one.document.digest);
    });

    test(`${name}: follows the original ids through every renumbering`, () => {
      const order = permutation(n, 5);
      const moved = split(makeGraph(renumbered(plain, order)), name, { params });
      const here = split(graph, name, { params });
      for (const r of [0, here.counts.length - 1]) {
        const back = parts(moved, r).map((nodes) => ascending(nodes.map((v) => order[v]!)));
        expect(back).toEqual(parts(here, r));
      }
    });

    test(`${name}: copies everything else, and takes the place of the split that was there`, () => {
      const had = makeGraph({ ...plain, split: { train: [0], val: [1], test: [2] } });
      const made = split(had, name, { params });
      expect(made.document.digest).toBe(split(graph, name, { params }).document.digest);
      expect(made.document.names.filter((t) => !t.startsWith("split."))).toEqual(
        had.document.names.filter((t) => !t.startsWith("split.")),
      );
      expect(made.document.meta).toEqual(had.document.meta);
    });

    test(`${name}: splits the graphs of a set, into folds`, () => {
      const made = split(set, name, { params });
      const all = parts(made, 0, "fold").flat();
      expect(ascending(all)).toEqual(Array.from({ length: 40 }, (_, g) => g).filter((g) => g !== 7));
      expect(made.document.has("split.train")).toBe(false);
      const nodes = () => split(set, name, { params, over: "nodes" });
      if (name === "random") expect(nodes().counts[0]).toEqual({ train: 48, val: 16, test: 16 });
      else expect(caught(nodes).message).toContain("has no labels");
    });

    test(`${name}: refuses edges, graphs where there is one, and typed graphs, with the reason`, () => {
      expect(caught(() => split(graph, name, { over: "edges" }))).toMatchObject({
        code: "usage",
        hint: "--method links",
      });
      expect(caught(() => split(graph, name, { over: "graphs" })).message).toBe(
        "--over graphs: a graph in memory is one graph, expected a set of graphs",
      );
      const typed = { rows: [[], []], meta: { node_types: ["user", "item"], node_counts: [1, 1] } };
      const error = caught(() => split(makeGraph(typed), name));
      expect([error.code, error.message]).toEqual([
        "unsupported",
        "a graph in memory is a typed graph (user, item), expected a homogeneous one: its nodes are of several types, and a split would mix them",
      ]);
    });
  }
});

describe("random", () => {
  const sizes = (params: Record<string, unknown>) => split(graph, "random", { params }).counts[0]!;

  test("takes fractions, numbers, and what is left", () => {
    const m = known.length;
    expect(m).toBe(288);
    expect(sizes({})).toEqual({ train: 173, val: 58, test: m - 173 - 58 });
    expect(sizes({ train: 20, val: 0.25 })).toEqual({ train: 20, val: 72, test: m - 92 });
    expect(sizes({ train: 1, val: 2, test: 3 })).toEqual({ train: 1, val: 2, test: 3 });
    expect(sizes({ train: 0.5, val: 0, test: 0.5 })).toEqual({ train: 144, val: 0, test: 144 });
    expect(split(graph, "random", { params: { val: 0 } }).document.has("split.val")).toBe(false);
  });

  test("split r of several is the split of seed + r", () => {
    const several = split(graph, "random", { params: { splits: 3 }, seed: 4 });
    expect(several.document.spec("split.train").shape).toEqual([3, n]);
    for (const r of [0, 1, 2]) {
      expect(parts(several, r)).toEqual(parts(split(graph, "random", { seed: 4 + r })));
    }
  });

  test("splits all nodes where there are no classes, or several", () => {
    const bare = makeGraph({ ...plain, labels: undefined as never, numClasses: 0 });
    expect(split(bare, "random").counts[0]).toEqual({ train: 180, val: 60, test: 60 });
    const multi = makeGraph({
      rows: [[], [], []],
      numClasses: 2,
      meta: { multi_label: true },
      tensors: [{ name: "label", dtype: "U8", shape: [3, 2], data: new Uint8Array(6) }],
    });
    expect(split(multi, "random", { params: { train: 1, val: 1 } }).counts[0]).toEqual({
      train: 1,
      val: 1,
      test: 1,
    });
    expect(caught(() => split(multi, "per-class")).message).toContain("has no labels to draw a split from");
  });

  test("is uniform: each node trains in its share of many splits", () => {
    const R = 400, m = known.length;
    const made = split(graph, "random", { params: { train: 0.5, val: 0, splits: R } });
    const times = new Float64Array(n);
    for (let r = 0; r < R; r++) for (const v of itemsOfMask(made, "split.train", r)) times[v]!++;
    // Hypergeometric counts: mean R/2, variance R/4; 5 sigma for 288 nodes is 50 away.
    expect(Math.max(...known.map((v) => Math.abs(times[v]! - R / 2)))).toBeLessThan(5 * Math.sqrt(R / 4));
    // Sum of squares over the variance: about m with standard deviation sqrt(2 m).
    const chi = known.reduce((sum, v) => sum + (times[v]! - R / 2) ** 2 / (R / 4), 0);
    expect(Math.abs(chi - m)).toBeLessThan(5 * Math.sqrt(2 * m));
  });

  test("names what there is too little of", () => {
    const message = (params: Record<string, unknown>) => caught(() => sizes(params)).message;
    expect(message({ train: 0.9 })).toBe(
      "Too few nodes in a graph in memory: 259 + 58 + 0 are wanted, but there are 288 nodes with a class",
    );
    expect(message({ val: 0.001 })).toBe(
      "Too few nodes in a graph in memory: --val 0.001 of 288 is none, expected at least one",
    );
    expect(message({ train: 0 })).toContain("expected at least one to train on");
    for (const [train, said] of [[1.5, "a fraction below 1"], [-1, ">=0"]] as const) {
      expect(() => sizes({ train })).toThrow(said);
    }
  });
});

describe("per-class", () => {
  test("is what training draws for the same seed", () => {
    const made = split(graph, "per-class", {
      params: { trainPerClass: 6, valPerClass: 3, splits: 2 },
      seed: 7,
    });
    for (const r of [0, 1]) {
      const drawn = resolveSplit(graph, {
        split: "random",
        splitIndex: 0,
        trainPerClass: 6,
        valPerClass: 3,
        valShare: 0.1,
        testShare: 0.1,
        seed: 7 + r,
      });
      expect(parts(made, r)).toEqual(
        [drawn.train, drawn.val, drawn.test].map((x) => Array.from(x, Number)) as never,
      );
    }
    for (const c of [0, 1, 2]) {
      expect(parts(made).map((nodes) => ofClass(nodes, c)).slice(0, 2)).toEqual([6, 3]);
    }
  });

  test("names the class that is too small", () => {
    const error = caught(() => split(graph, "per-class"));
    expect(error.message).toBe("Random split: class 2 has 48 nodes, expected at least 20 + 30");
  });
});

describe("k-fold", () => {
  test("tests each node once, and every part has its even share of each class", () => {
    const made = split(graph, "k-fold", { params: { folds: 7, valFraction: 0.2 } });
    expect(made.counts.length).toBe(7);
    const tests = made.counts.flatMap((_, r) => parts(made, r)[2]);
    expect(ascending(tests)).toEqual(known);
    const perClass = [0, 1, 2].map((c) => ofClass(known, c));
    made.counts.forEach((_, r) => {
      const [train, val, rest] = parts(made, r);
      expect(val.length).toBe(Math.round(0.2 * (train.length + val.length)));
      perClass.forEach((count, c) => {
        expect(Math.abs(ofClass(rest, c) - count / 7)).toBeLessThanOrEqual(1);
        expect(Math.abs(ofClass(val, c) - 0.2 * (count - ofClass(rest, c)))).toBeLessThanOrEqual(1);
      });
    });
  });

  test("draws each fold's validation part anew, and leaves it out where none is wanted", () => {
    const made = split(graph, "k-fold", { params: { folds: 3, valFraction: 0.5 } });
    const [a, b] = [parts(made, 0)[1], parts(made, 1)[1]];
    expect(a.filter((v) => b.includes(v)).length).toBeGreaterThan(0);
    expect(a).not.toEqual(b);
    expect(split(graph, "k-fold", { params: { valFraction: 0 } }).document.has("split.val")).toBe(false);
  });

  test("needs labels, unless it does not stratify", () => {
    const bare = makeGraph({ rows: Array.from({ length: 25 }, () => []) });
    const error = caught(() => split(bare, "k-fold"));
    expect([error.code, error.hint]).toEqual(["missing", "--no-stratify splits without labels"]);
    const made = split(bare, "k-fold", { params: { stratify: false, folds: 5 } });
    expect(made.counts).toEqual(Array.from({ length: 5 }, () => ({ train: 18, val: 2, test: 5 })));
  });

  test("names too few items, and a share that is none or all", () => {
    const four = makeGraph({ rows: [[], [], [], []], labels: [0, 0, 1, -1] });
    expect(caught(() => split(four, "k-fold", { params: { folds: 4 } })).message).toBe(
      "Too few nodes in a graph in memory: 3 nodes with a class for 4 folds, expected at least one each",
    );
    expect(caught(() => split(four, "k-fold", { params: { folds: 3 } })).message).toContain(
      "--val-fraction 0.1 of 2 in the training folds is none",
    );
  });
});
