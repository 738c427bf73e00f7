import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { homophily } from "../../../core/inspect/homophily.ts";
import { graphStatistics, statisticsCost } from "../../../core/inspect/statistics.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import { labelledArcs } from "../../../ffi/native_statistics.ts";
import { example, i32, u8, withTensor } from "../format/examples.ts";

await openNative();

const statistics = (name: string) => graphStatistics(buildDocument(example(name)))!;

describe("graphStatistics() of", () => {
  test("a path with an isolated node", () => {
    expect(statistics("graph, topology only")).toMatchObject({
      self_loops: 0,
      duplicate_edges: 0,
      nodes_without_edges: 1,
      min_degree: 0,
      mean_degree: 1,
      max_degree: 2,
      symmetric: true,
      reciprocity: 1,
      // 4 arcs of 4 * 3 pairs.
      density: 1 / 3,
      degrees: {
        in: {
          least: 0,
          mean: 1,
          greatest: 2,
          bins: [{ from: 0, to: 0, count: 1 }, { from: 1, to: 1, count: 2 }, { from: 2, to: 3, count: 1 }],
        },
      },
      components: {
        count: 2,
        largest: 3,
        bins: [{ from: 1, to: 1, count: 1 }, { from: 2, to: 3, count: 1 }],
      },
      isolated_nodes: 1,
      labels: null,
      feature_density: null,
    });
  });

  test("a directed graph with a self-loop and a duplicate", () => {
    const d = example("graph, topology only");
    const directed = withTensor({ ...d, meta: { ...d.meta, directed: true } }, "indices", {
      data: i32(0, 2, 2, 0),
    });
    expect(graphStatistics(buildDocument(directed))).toMatchObject({
      self_loops: 1,
      duplicate_edges: 1,
      symmetric: false,
      reciprocity: 0.25,
      density: 3 / 12,
      degrees: { in: { greatest: 2 }, out: { least: 0, greatest: 2, mean: 1 } },
    });
  });

  test("labels in splits: all, train, val, test of the first split", () => {
    const s = statistics("graph with dense features, labels, mask splits");
    expect(s.labels).toEqual({
      classes: [
        { class: 0, name: "a", count: 1, train: 1, val: 0, test: 0 },
        { class: 1, name: "b", count: 2, train: 0, val: 1, test: 1 },
      ],
      unlabelled: 1,
    });
    // Arcs 0-1 (classes 0, 1) and 1-2 (1, 1), both ways: 2 of 4 inside.
    expect(s.homophily).toMatchObject({ arcs: 4, edge: 0.5 });
    expect(s.feature_density).toBe(1);
    const lists = statistics("graph with sparse features, list splits, names, weights");
    expect(lists.labels!.classes).toEqual([
      { class: 0, count: 2, train: 1, test: 1 },
      { class: 1, count: 2, train: 0, test: 1 },
    ]);
    expect(lists.feature_density).toBe(3 / 12);
  });

  test("several labels per node", () => {
    const s = statistics("graph with quantised features and several labels per node");
    expect(s.labels).toEqual({
      classes: [{ class: 0, count: 2 }, { class: 1, count: 2 }, { class: 2, count: 2 }],
      unlabelled: null,
    });
    expect(s.homophily).toBeNull();
    expect(statistics("graph with half-precision features").feature_density).toBe(0.25);
  });

  test("a typed graph: each relation, its components over all", () => {
    const s = statistics("typed graph");
    expect(s.degrees).toBeUndefined();
    expect(s.components).toMatchObject({ count: 1, largest: 4 });
    expect(s.relation_statistics).toMatchObject([
      {
        name: "cites",
        arcs: 2,
        self_loops: 0,
        density: 2 / 6,
        // 1 -> 0 has classes 1 and 0; node 2 has no label.
        homophily: { arcs: 1, edge: 0 },
      },
      { name: "writes", arcs: 3, self_loops: 0, density: 1, homophily: null, degrees: { out: { mean: 3 } } },
    ]);
    expect(s.type_labels).toEqual({
      paper: { classes: [{ class: 0, count: 1 }, { class: 1, count: 1 }], unlabelled: 1 },
    });
  });

  test("timed arcs, whose rows are not sorted by index", () => {
    const s = statistics("temporal graph");
    expect(s).toMatchObject({
      symmetric: null,
      duplicate_edges: 1,
      edge_times: { least: 1, greatest: 6 },
      edge_type_counts: [{ name: "0", count: 3 }, { name: "1", count: 1 }],
    });
    const { bins } = s.edge_times!;
    expect(bins[0]).toMatchObject({ from: 1, count: 1 });
    expect(bins.at(-1)).toMatchObject({ to: 6, count: 2 });
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(4);
  });

  test("many graphs: sizes, labels by fold", () => {
    const s = statistics("dataset of many graphs");
    expect(s.graph_sizes).toMatchObject({ least: 1, mean: 2, greatest: 3 });
    expect(s.graph_labels).toEqual({
      classes: [{ class: 0, count: 1, train: 0, test: 1 }, { class: 1, count: 1, train: 1, test: 0 }],
      unlabelled: 0,
    });
  });

  test("a graph without nodes", () => {
    expect(statistics("graph without nodes")).toMatchObject({
      density: 0,
      components: { count: 0, largest: 0, bins: [] },
      degrees: { in: { least: 0, mean: 0, greatest: 0, bins: [] } },
    });
  });

  test("other documents: nothing", () => {
    expect(graphStatistics(buildDocument(example("partition")))).toBeNull();
    expect(statisticsCost(buildDocument(example("partition")))).toBe(0);
    expect(statisticsCost(buildDocument(example("graph, topology only")))).toBe(8);
  });

  test("arrays that break the schema: an error that says where", () => {
    const d = example("graph with dense features, labels, mask splits");
    for (
      const [name, data, message] of [
        ["indices", i32(1, 0, 9, 1), "is 9, expected 0 to 3"],
        ["label", i32(0, 7, 1, -1), "is 7, expected 0 to 1"],
      ] as const
    ) {
      expect(() => graphStatistics(buildDocument(withTensor(d, name, { data })))).toThrow(message);
    }
    const list = withTensor(
      example("graph with sparse features, list splits, names, weights"),
      "split.train",
      {
        data: BigInt64Array.of(9n),
      },
    );
    expect(() => graphStatistics(buildDocument(list))).toThrow('"split.train" holds a node outside 0 .. 3');
    const huge = withTensor(example("temporal graph"), "edge_type", { data: i32(0, 0, 2 ** 30, 0) });
    expect(() => graphStatistics(buildDocument(huge))).toThrow("expected numbers of types");
  });

  test("more classes than nodes could have: an error, and not a line for each", () => {
    const typed = withTensor(example("typed graph"), "label/paper", { data: i32(0, 2 ** 23 - 1, -1) });
    expect(() => graphStatistics(buildDocument(typed))).toThrow(
      '"label/paper" of 8388608 classes, expected at most 65536',
    );
    const d = example("graph with dense features, labels, mask splits");
    const { class_names: _, ...meta } = d.meta;
    const stated = buildDocument({ ...d, meta: { ...meta, num_classes: 10 ** 9 } });
    expect(() => graphStatistics(stated)).toThrow('"label" of 1000000000 classes, expected at most 65536');
    expect(checkDocument(stated)).toEqual([
      expect.stringContaining("metadata num_classes: 1000000000 classes of 4 nodes, expected at most 65536"),
    ]);
  });

  test("masks choose among the rows of several labels", () => {
    const d = example("graph with quantised features and several labels per node");
    const masks = ["train", "test"].map((s, i) => ({
      name: `split.${s}`,
      dtype: "BOOL" as const,
      shape: [1, 4],
      data: i === 0 ? u8(1, 1, 0, 0) : u8(0, 0, 1, 1),
    }));
    const doc = buildDocument({ ...d, tensors: [...d.tensors, ...masks] });
    expect(graphStatistics(doc)!.labels!.classes).toEqual([
      { class: 0, count: 2, train: 1, test: 1 },
      { class: 1, count: 2, train: 0, test: 2 },
      { class: 2, count: 2, train: 1, test: 1 },
    ]);
  });
});

describe("homophily()", () => {
  test("of a hand-made graph agrees with the definitions", () => {
    // Classes 0 0 1 1; edges 0-1, 1-2, 2-3, 0-2 and a loop at 3, stored both ways.
    const rows = [[1, 2], [0, 2], [0, 1, 3], [2, 3]];
    const ptr = [0, 2, 4, 7, 9];
    const arcs = labelledArcs(
      NativeArray.from<"I64">(BigInt64Array.from(ptr, BigInt)),
      NativeArray.from<"I32">(Int32Array.from(rows.flat())),
      NativeArray.from<"I32">(i32(0, 0, 1, 1)),
      2,
    );
    expect(arcs).toEqual({
      into: [4, 4],
      from: [4, 4],
      inside: [2, 2],
      shares: 0.5 + 0.5 + 1 / 3 + 1,
      nodes: 4,
    });
    expect(homophily(arcs, [2, 2])).toEqual({
      arcs: 8,
      edge: 0.5,
      node: (0.5 + 0.5 + 1 / 3 + 1) / 4,
      // Each class keeps half of its arcs and has half of the nodes.
      class_insensitive: 0,
      // (0.5 - 0.5) / (1 - 0.5)
      adjusted: 0,
    });
  });

  test("is null without arcs between labelled nodes; adjusted is null for one class", () => {
    const none = { into: [0], from: [0], inside: [0], shares: 0, nodes: 0 };
    expect(homophily(none, [3])).toBeNull();
    const one = { into: [2], from: [2], inside: [2], shares: 2, nodes: 2 };
    expect(homophily(one, [2])).toMatchObject({ edge: 1, node: 1, class_insensitive: null, adjusted: null });
  });

  test("of complete agreement is 1 in every measure", () => {
    const arcs = { into: [2, 2], from: [2, 2], inside: [2, 2], shares: 4, nodes: 4 };
    expect(homophily(arcs, [2, 2])).toMatchObject({ edge: 1, node: 1, class_insensitive: 1, adjusted: 1 });
  });
});

test("counts of random graphs agree with slow ones", () => {
  const graphs = fc.integer({ min: 1, max: 9 }).chain((n) =>
    fc.array(fc.array(fc.nat(n - 1), { maxLength: 4 }), { minLength: n, maxLength: n })
  );
  fc.assert(
    fc.property(graphs, (unsorted) => {
      const n = unsorted.length;
      const rows = unsorted.map((row) => row.toSorted((a, b) => a - b));
      const indices = rows.flat();
      const ptr = [0, ...rows.map((_, v) => rows.slice(0, v + 1).flat().length)];
      const d = example("graph, topology only");
      const doc = buildDocument({
        ...d,
        meta: { ...d.meta, num_nodes: n, num_edges: indices.length, directed: true },
        tensors: [
          { name: "indptr", dtype: "I64", shape: [n + 1], data: BigInt64Array.from(ptr, BigInt) },
          { name: "indices", dtype: "I32", shape: [indices.length], data: i32(...indices) },
        ],
      });
      const group = Array.from({ length: n }, (_, v) => v);
      for (let pass = 0; pass < n; pass++) {
        rows.forEach((row, v) => {
          for (const u of row) group[v] = group[u] = Math.min(group[u]!, group[v]!);
        });
      }
      const sizes = group.filter((root, v) => root === v).map((root) =>
        group.filter((g) => g === root).length
      );
      const out = Array.from({ length: n }, (_, v) => indices.filter((u) => u === v).length);
      const s = graphStatistics(doc)!;
      expect(s.components.count).toBe(sizes.length);
      expect(s.components.largest).toBe(Math.max(...sizes));
      expect(s.isolated_nodes).toBe(sizes.filter((size) => size === 1).length);
      expect([s.degrees!.out.least, s.degrees!.out.greatest]).toEqual([Math.min(...out), Math.max(...out)]);
      const inBins = (values: number[]) =>
        s.degrees!.out.bins.map(({ from, to }) => values.filter((x) => x >= from && x <= to).length);
      expect(s.degrees!.out.bins.map(({ count }) => count)).toEqual(inBins(out));
    }),
    { numRuns: 60 },
  );
});
