import { describe, expect, test } from "bun:test";
import type { GustError } from "../../../core/errors.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import { arcsOf, batchesOf, draw, epochsOf, graphOf, permutation, randomRows } from "./_graphs.ts";

await openTestDevice();

const N = 200;
const rows = randomRows(N, 8);
const graph = graphOf(rows);
const all = { split: "all", batchSize: 50 };

describe("neighbor", () => {
  // Weights are drawn by on the CPU alone.
  test.skipIf(testDevice !== "cpu")(
    "names the graph where it has weights that nobody draws by, or arcs that lead outside",
    () => {
      const weights = rows.map((row) => row.map(() => 1)), wrong = rows.map((row) => [...row]);
      const first = rows.findIndex((row) => row.length > 0);
      weights[first]![0] = -3;
      wrong[first]![0] = N;
      const fails = (g: Graph, params: object) => {
        try {
          draw(g, "neighbor", { ...all, ...params });
        } catch (error) {
          const { name, message, hint } = error as GustError;
          return [name, message, hint];
        }
      };
      const { label } = graph.document;
      expect(fails(graphOf(rows, { weights }), { weighted: true })).toEqual([
        "GustError",
        `Cannot sample ${label}: tensor "edge_weight" holds -3 at position 0, expected weights of 0 to 1e+300 to draw by`,
        "leave --weighted out",
      ]);
      expect(fails(graphOf(wrong), {})).toEqual([
        "GustError",
        `Cannot sample ${label}: tensor "indices" holds node ${N} at position 0, expected numbers below num_nodes = ${N}`,
        "gust inspect --check lists every problem",
      ]);
    },
  );

  test("keeps every in-neighbour where the fanout is at least the degree", () => {
    for (const fanout of [[-1, -1], [N, N]]) {
      for (const batch of batchesOf(draw(graph, "neighbor", { ...all, fanout }))) {
        batch.blocks.forEach((block, hop) => {
          const reached = batch.nodes.toNumbers().slice(0, block.numRows);
          const wanted = reached.flatMap((v) => rows[v]!.map((u) => `${v},${u}`));
          expect(arcsOf(batch, hop).map(String).sort()).toEqual(wanted.sort());
        });
      }
    }
  });

  test("draws min(fanout, degree) distinct in-neighbours of every node reached", () => {
    for (const batch of batchesOf(draw(graph, "neighbor", { ...all, fanout: [5, 0, 3] }))) {
      [5, 0, 3].forEach((fanout, hop) => {
        const { numRows, numCols, indptr } = batch.blocks[hop]!;
        expect([numRows, numCols]).toEqual([batch.levelSizes[hop]!, batch.levelSizes[hop + 1]!]);
        const ptr = indptr.toNumbers(), nodes = batch.nodes.toNumbers();
        for (let r = 0; r < numRows; r++) {
          expect(ptr[r + 1]! - ptr[r]!).toBe(Math.min(fanout, rows[nodes[r]!]!.length));
        }
      });
    }
  });

  test("puts seeds first and then nodes in the order of hops: block columns beyond the rows were found by that hop", () => {
    for (const batch of batchesOf(draw(graph, "neighbor", { ...all, fanout: [3, 3] }))) {
      batch.blocks.forEach((block, hop) => {
        const found = new Set(block.indices.toNumbers().filter((i) => i >= block.numRows));
        expect([...found].sort((a, b) => a - b)).toEqual(
          Array.from({ length: block.numCols - block.numRows }, (_, i) => block.numRows + i),
        );
        expect(block.numRows).toBe(batch.levelSizes[hop]!);
      });
    }
  });

  test("keeps nodes without in-neighbours with empty rows", () => {
    const [batch] = batchesOf(
      draw(graphOf([[], [], [0]], { train: [0, 2] }), "neighbor", { fanout: [2, 2] }),
    );
    const seeds = batch!.nodes.toNumbers().slice(0, 2);
    expect(batch!.levelSizes).toEqual([2, 2, 2]);
    expect(arcsOf(batch!, 0)).toEqual([[2, 0]]);
    expect(seeds.sort()).toEqual([0, 2]);
  });

  // 40 in-neighbours, 8 drawn, say: each is in with probability p = 1/5. Over T independent draws the sum of
  // (count - T p)^2 / (T p (1 - p)), times (d - 1) / d for the fixed total, is chi-square with d - 1 = 39 degrees of
  // freedom: mean 39, standard deviation sqrt(78) = 8.8. The bounds are 5 of these, the low one near 0.
  // Rows of up to 64 arcs, longer ones, and more than 64 picks are drawn in three ways.
  const rowKinds = [
    ["few picks", 40, 8],
    ["many picks", 120, 60],
    ["few picks of a long row", 300, 12],
    ["most picks", 200, 100],
  ] as const;
  for (const [name, degree, fanout] of rowKinds) {
    test(`draws each in-neighbour equally often (${name})`, () => {
      const star = graphOf([
        ...Array.from({ length: degree }, () => []),
        Array.from({ length: degree }, (_, u) => u),
      ], { train: [degree] });
      const T = epochsOf(4000), p = fanout / degree;
      const counts = Array<number>(degree).fill(0);
      for (const { nodes, blocks } of batchesOf(draw(star, "neighbor", { fanout: [fanout], epochs: T }))) {
        const list = nodes.toNumbers();
        for (const i of blocks[0]!.indices.toNumbers()) counts[list[i]!]!++;
      }
      const chi = counts.reduce((sum, c) => sum + (c - T * p) ** 2, 0) / (T * p * (1 - p)) *
        ((degree - 1) / degree);
      const deviation = Math.sqrt(2 * (degree - 1));
      expect(Math.abs(chi - (degree - 1))).toBeLessThan(5 * deviation);
    });
  }

  test("draws pairs of in-neighbours equally often", () => {
    // 2 of 5: ten pairs, chi-square with 9 degrees of freedom, mean 9, deviation 4.24; the bound is 5 of these above.
    const star = graphOf([[], [], [], [], [], [0, 1, 2, 3, 4]], { train: [5] });
    const T = epochsOf(5000);
    const counts = new Map<string, number>();
    for (const batch of batchesOf(draw(star, "neighbor", { fanout: [2], epochs: T }))) {
      const pair = arcsOf(batch, 0).map(([, u]) => u).sort().join();
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    const chi = [...counts.values()].reduce((sum, c) => sum + (c - T / 10) ** 2 / (T / 10), 0);
    expect(chi).toBeLessThan(9 + 5 * Math.sqrt(18));
  });

  test("shuffles seeds uniformly: each comes first equally often", () => {
    const n = 8, T = epochsOf(4000);
    const alone = graphOf(Array.from({ length: n }, () => []));
    const first = Array<number>(n).fill(0), second = Array<number>(n).fill(0);
    for (const { nodes } of batchesOf(draw(alone, "neighbor", { fanout: [1], split: "all", epochs: T }))) {
      first[nodes.at(0)]!++;
      second[nodes.at(1)]!++;
    }
    // Chi-square with 7 degrees of freedom: mean 7, deviation 3.74; the bound is 5 of these above.
    for (const counts of [first, second]) {
      const chi = counts.reduce((sum, c) => sum + (c - T / n) ** 2 / (T / n), 0);
      expect(chi).toBeLessThan(7 + 5 * Math.sqrt(14));
    }
  });

  test("shuffles large epochs into a permutation", () => {
    const n = 200_000;
    const big = graphOf(Array.from({ length: n }, () => []));
    const [batch] = batchesOf(draw(big, "neighbor", { fanout: [1], split: "all", batchSize: n }));
    const nodes = batch!.nodes.toNumbers();
    expect(nodes.slice().sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, v) => v));
    // Neighbours in a random order differ by n / 3 on average, with a deviation of about n / 4 / sqrt(n).
    const step = nodes.slice(1).reduce((sum, v, i) => sum + Math.abs(v - nodes[i]!), 0) / (n - 1);
    expect(Math.abs(step / n - 1 / 3)).toBeLessThan(0.005);
  });

  test("takes rows of temporal graphs by position, whatever the ids", () => {
    const wanted = [[], [], [], [2, 0, 1, 0]];
    const time = graphOf(wanted, { order: "time", train: [3], ids: [9, 8, 7, 6] });
    const plain = graphOf(wanted, { order: "time", train: [3], ids: [6, 7, 8, 6] });
    const [a] = batchesOf(draw(time, "neighbor", { fanout: [3] })),
      [b] = batchesOf(draw(plain, "neighbor", { fanout: [3] }));
    expect(arcsOf(a!, 0)).toEqual(arcsOf(b!, 0));
  });

  test("draws the same for ids in any order of numbers, hubs and small rows alike", () => {
    // Beyond the contract test: a hub row longer than the fanout is ranked by id.
    const hub = 64;
    const star = [
      ...Array.from({ length: hub }, () => [] as number[]),
      Array.from({ length: hub }, (_, u) => u),
    ];
    const to = permutation(hub + 1, 4);
    const ids: number[] = [], moved: number[][] = [];
    to.forEach((w, v) => {
      ids[w] = v;
      moved[w] = star[v]!.map((u) => to[u]!).sort((a, b) => a - b);
    });
    const [a] = batchesOf(draw(graphOf(star, { train: [hub] }), "neighbor", { fanout: [9] }));
    const [b] = batchesOf(draw(graphOf(moved, { train: [to[hub]!], ids }), "neighbor", { fanout: [9] }));
    expect(b!.nodes.toNumbers().map((v) => ids[v]!)).toEqual(a!.nodes.toNumbers());
  });

  test("gives the same nodes and blocks past the size of the direct table", () => {
    // More than 2^22 nodes: positions come from a hash table. Arcs lie among the last N nodes, which have ids 0 .. N-1.
    const n = 2 ** 22 + 300, base = n - N;
    const flat = rows.flat();
    const indptr = new BigInt64Array(n + 1), ids = new BigInt64Array(n);
    for (let v = 0; v < base; v++) ids[v] = BigInt(v + N);
    rows.forEach((row, v) => {
      ids[base + v] = BigInt(v);
      indptr[base + v + 1] = indptr[base + v]! + BigInt(row.length);
    });
    const far = new Graph(buildDocument({
      kind: "graph",
      meta: { ...graph.meta, num_nodes: n },
      tensors: [
        { name: "indptr", dtype: "I64", shape: [n + 1], data: indptr },
        { name: "indices", dtype: "I32", shape: [flat.length], data: Int32Array.from(flat, (u) => u + base) },
        { name: "node_ids", dtype: "I64", shape: [n], data: ids },
        {
          name: "split.train",
          dtype: "I64",
          shape: [40],
          data: BigInt64Array.from({ length: 40 }, (_, i) => BigInt(base + 2 * i)),
        },
      ],
      provenance: [],
    }));
    const near = graphOf(rows, { train: Array.from({ length: 40 }, (_, i) => 2 * i) });
    const params = { fanout: [6, 5, 4], batchSize: 7 };
    const a = batchesOf(draw(near, "neighbor", params)), b = batchesOf(draw(far, "neighbor", params));
    expect(b.map((x) => x.nodes.toNumbers().map((v) => v - base))).toEqual(a.map((x) => x.nodes.toNumbers()));
    expect(b.map((x) => x.blocks.map((y) => y.indices.toNumbers()))).toEqual(
      a.map((x) => x.blocks.map((y) => y.indices.toNumbers())),
    );
  });

  test("says which split is missing or empty", () => {
    expect(() => draw(graph, "neighbor", {})).toThrow(/stores no split.train to take seeds from/);
    expect(() => draw(graphOf(rows, { train: [] }), "neighbor", {})).toThrow(
      /split.train of .* holds no nodes/,
    );
  });
});
