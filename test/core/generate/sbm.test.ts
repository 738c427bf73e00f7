import { describe, expect, test } from "bun:test";
import { edges, make } from "./_graphs.ts";

/** Standard deviations between a count and n p. */
const deviations = (count: number, n: number, p: number) =>
  Math.abs(count - n * p) / Math.sqrt(n * p * (1 - p));

describe("sbm", () => {
  const { graph, rows } = make(
    "sbm",
    { nodes: 10_000, degree: 10, homophily: 0.7, classes: 8, features: 16 },
    3,
  );
  const labels = graph.labels()!.toNumbers();

  test("classes are balanced to one node and scattered over the ids", () => {
    for (const [n, c] of [[10_000, 8], [1003, 10], [7, 3], [5, 5]] as const) {
      const counts = new Array(c).fill(0);
      const params = { nodes: n, classes: c, degree: 0, trainPerClass: 0, valPerClass: 0 };
      make("sbm", params).graph.labels()!.toNumbers().forEach((label) => counts[label]++);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
    // Neighbours in id order share a class no more often than chance.
    const same = labels.filter((c, v) => v > 0 && c === labels[v - 1]).length;
    expect(deviations(same, labels.length - 1, 1 / 8)).toBeLessThan(5);
  });

  test("edges stay in their class as often as asked for, and end anywhere there", () => {
    const list = edges("sbm", { nodes: 10_000, degree: 10, homophily: 0.7, classes: 8 }, 3);
    expect(list.length).toBe(50_000);
    const inside = list.filter(([u, v]) => labels[u] === labels[v]);
    expect(deviations(inside.length, list.length, 0.7)).toBeLessThan(5);
    const outside = list.filter(([u, v]) => labels[u] !== labels[v]);
    for (let c = 0; c < 8; c++) {
      expect(deviations(list.filter(([u]) => labels[u] === c).length, list.length, 1 / 8)).toBeLessThan(5);
      expect(deviations(outside.filter(([, v]) => labels[v] === c).length, outside.length, 1 / 8))
        .toBeLessThan(5);
    }
    // Degrees are binomial: their variance is close to their mean.
    const degrees = rows.map((row) => row.length), mean = graph.numEdges / graph.numNodes;
    const variance = degrees.reduce((sum, d) => sum + (d - mean) ** 2, 0) / degrees.length;
    expect(mean).toBeCloseTo(10, 1);
    // The variance of a variance over 10^4 nodes is about 2 * 10^2 / 10^4, so five deviations are 0.7.
    expect(Math.abs(variance - mean)).toBeLessThan(0.7);
  });

  test("communities of a class are as large as each other, and hold a share of the edges", () => {
    const params = { nodes: 1000, degree: 20, classes: 2, communities: 5, trainPerClass: 1, valPerClass: 1 };
    // Every edge inside: the components are the communities, as degree 20 connects 100 nodes.
    const { rows, graph } = make("sbm", { ...params, homophily: 1, closeness: 1 });
    const label = graph.labels()!.toNumbers(), community = new Int32Array(1000).fill(-1);
    const sizes: number[] = [];
    for (let v = 0; v < 1000; v++) {
      if (community[v]! >= 0) continue;
      const stack = [v];
      community[v] = sizes.length;
      let size = 0;
      for (let u = stack.pop(); u !== undefined; u = stack.pop()) {
        size++;
        expect(label[u]).toBe(label[v]!);
        for (const w of rows[u]!) {
          if (community[w]! >= 0) continue;
          community[w] = sizes.length;
          stack.push(w);
        }
      }
      sizes.push(size);
    }
    expect(sizes).toEqual(new Array(10).fill(100));
    // 0.6 of the edges stay by closeness, and a fifth of the 0.2 that stay in the class alone.
    const list = edges("sbm", { ...params, homophily: 0.8, closeness: 0.6 });
    const near = list.filter(([u, v]) => community[u] === community[v]).length;
    expect(deviations(near, list.length, 0.6 + 0.2 * 99 / 499)).toBeLessThan(5);
    const same = list.filter(([u, v]) => label[u] === label[v]).length;
    expect(deviations(same, list.length, 0.8)).toBeLessThan(5);
  });

  test("a skew makes degrees a power law, the same in every community", () => {
    const params = { nodes: 5000, degree: 100, classes: 5, communities: 2, homophily: 0.5, closeness: 0.2 };
    const labels = make("sbm", params).graph.labels()!.toNumbers();
    const list = edges("sbm", { ...params, skew: 3 });
    expect(list.length).toBe(250_000);
    const degrees = new Array<number>(5000).fill(0);
    for (const [u, v] of list) {
      expect(u).not.toBe(v);
      degrees[u]!++;
      degrees[v]!++;
    }
    expect(deviations(list.filter(([u, v]) => labels[u] === labels[v]).length, 250_000, 0.5)).toBeLessThan(5);
    // The node at the share x of its community draws x^(1/3 - 1) / 3 times the mean: more than y times at x < (3 y)^-1.5.
    for (const y of [0.5, 1, 2, 4]) {
      const share = degrees.filter((d) => d > 100 * y).length / 5000;
      expect(Math.abs(share - (3 * y) ** -1.5)).toBeLessThan(0.02);
    }
    expect(Math.min(...degrees)).toBeGreaterThan(10); // a third of the mean is 33, and deviates by 6
    // Ten communities: the 20 heaviest nodes are two of each, as far as 15 percent of noise can tell.
    const heavy = degrees.map((d, v) => [d, v] as const).sort((a, b) => b[0] - a[0]).slice(0, 20);
    for (let c = 0; c < 5; c++) expect(heavy.filter(([, v]) => labels[v] === c).length).toBe(4);
  });

  test("homophily 0 and 1 have no exceptions", () => {
    for (const homophily of [0, 1]) {
      const params = { nodes: 200, degree: 6, classes: 4, homophily, trainPerClass: 1, valPerClass: 1 };
      const { graph, rows } = make("sbm", params), label = graph.labels()!.toNumbers();
      expect(graph.numEdges).toBeGreaterThan(1000);
      rows.forEach((row, v) => row.forEach((u) => expect(label[u] === label[v]).toBe(homophily === 1)));
    }
    // Classes of one node have no inside, a single class has no outside.
    const lone = { nodes: 5, degree: 2, classes: 5, homophily: 1, trainPerClass: 0, valPerClass: 0 };
    expect(make("sbm", lone).graph.numEdges).toBeGreaterThan(0);
    expect(make("sbm", { ...lone, classes: 1, homophily: 0 }).graph.numEdges).toBeGreaterThan(0);
  });

  test("features are a centre of the class and noise of the asked size", () => {
    const params = { nodes: 4000, degree: 0, classes: 4, features: 50, featureNoise: 2.5 };
    const { graph } = make("sbm", params, 1), label = graph.labels()!.toNumbers();
    const features = graph.features()!;
    if (features.kind !== "dense") throw new Error("dense features expected");
    const x = features.array.window() as Float32Array;
    const at = (v: number, f: number) => x[v * 50 + f]!;
    const centres = Array.from({ length: 4 }, (_, c) => {
      const own = label.flatMap((l, v) => l === c ? [v] : []);
      return Array.from({ length: 50 }, (_, f) => own.reduce((sum, v) => sum + at(v, f), 0) / own.length);
    });
    let squares = 0, fourth = 0;
    label.forEach((c, v) => {
      for (let f = 0; f < 50; f++) {
        const z = (at(v, f) - centres[c]![f]!) / 2.5;
        squares += z ** 2;
        fourth += z ** 4;
      }
    });
    const count = 4000 * 50;
    // 200000 deviates: a variance of 1 is known to 5 sqrt(2 / 200000) = 0.016; Irwin-Hall of eight has kurtosis 2.85,
    // known to 5 sqrt(96 / 200000) = 0.11.
    expect(Math.abs(squares / count - 1)).toBeLessThan(0.02);
    expect(Math.abs(fourth / count - 2.85)).toBeLessThan(0.11);
    // 200 entries of centres: variance 1 within 5 sqrt(2 / 200) = 0.5.
    const spread = centres.flat().reduce((sum, m) => sum + m * m, 0) / 200;
    expect(Math.abs(spread - 1)).toBeLessThan(0.5);
  });

  test("features are finite with the most noise that may be asked for", () => {
    const params = { nodes: 1000, degree: 0, classes: 4, features: 50, featureNoise: 1e30 };
    const { graph } = make("sbm", params), features = graph.features()!;
    if (features.kind !== "dense") throw new Error("dense features expected");
    expect(features.array.window().every(Number.isFinite)).toBe(true);
  });

  test("label noise gives nodes another class, and features of their own", () => {
    const params = { nodes: 20_000, degree: 0, classes: 4, features: 8, trainPerClass: 1, valPerClass: 1 };
    const [clean, noisy] = [0, 0.3].map((labelNoise) => make("sbm", { ...params, labelNoise }, 4).graph);
    const [own, seen] = [clean!, noisy!].map((graph) => graph.labels()!.toNumbers());
    const wrong = own!.flatMap((c, v) => c === seen![v] ? [] : [(seen![v]! - c + 4) % 4]);
    expect(deviations(wrong.length, 20_000, 0.3)).toBeLessThan(5);
    for (const shift of [1, 2, 3]) {
      expect(deviations(wrong.filter((s) => s === shift).length, wrong.length, 1 / 3)).toBeLessThan(5);
    }
    const [x, y] = [clean!, noisy!].map((graph) => graph.features()!);
    expect(x!.kind === "dense" && y!.kind === "dense" && x!.array.window())
      .toEqual(y!.kind === "dense" && y!.array.window());
    // One class has no other.
    expect(new Set(make("sbm", { ...params, classes: 1, labelNoise: 1 }).graph.labels()!.toNumbers()))
      .toEqual(
        new Set([0]),
      );
    expect(() => make("sbm", { ...params, labelCount: 4, labelNoise: 0.1 })).toThrow("--label-noise 0.1");
  });

  test("the split takes the asked number of each class, the rest tests, and nothing twice", () => {
    const params = { nodes: 2000, degree: 2, classes: 5, trainPerClass: 7, valPerClass: 11, unlabelled: 0.3 };
    const { graph } = make("sbm", params, 2), label = graph.labels()!.toNumbers();
    const split = (["train", "val", "test"] as const).map((name) => Array.from(graph.split(name)!, Number));
    for (const nodes of split) {
      expect(nodes).toEqual([...nodes].sort((a, b) => a - b));
      expect(nodes.every((v) => label[v]! >= 0)).toBe(true);
    }
    for (let c = 0; c < 5; c++) {
      expect(split.slice(0, 2).map((nodes) => nodes.filter((v) => label[v] === c).length)).toEqual([7, 11]);
    }
    const labelled = label.filter((c) => c >= 0).length;
    expect(new Set(split.flat()).size).toBe(labelled);
    expect(split.flat().length).toBe(labelled);
    expect(deviations(2000 - labelled, 2000, 0.3)).toBeLessThan(5);
    // Training nodes lie all over the graph.
    expect(split[0]!.at(-1)! - split[0]![0]!).toBeGreaterThan(1000);
  });

  test("contradictions are refused with the option to change", () => {
    expect(() => make("sbm", { nodes: 3, classes: 4 })).toThrow("--classes: 4, expected at most --nodes 3");
    expect(() => make("sbm", { homophily: 0.5, closeness: 0.6 })).toThrow(
      "--closeness: 0.6, expected at most",
    );
    expect(() => make("sbm", { classes: 0 })).toThrow("expected at least one community");
    expect(() => make("sbm", { nodes: 1, classes: 1 })).toThrow("--degree: 4, expected 0");
    expect(() => make("sbm", { nodes: 100 })).toThrow(
      "class 0 has 10 labelled nodes, expected at least 20 + 30",
    );
  });
});
