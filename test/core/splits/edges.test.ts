import { describe, expect, test } from "bun:test";
import type { NewTensor } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { caught } from "../_errors.ts";
import { type GraphParts, makeGraph, renumbered, sbmGraph } from "../_graphs.ts";
import { permutation } from "../sampling/_graphs.ts";
import { itemsOfMask, numbers, pairs, split } from "./_splits.ts";

type Pair = readonly [source: number, target: number];

/** Arcs (source, target) in the order in which they are stored. */
function arcs(document: Graph["document"]): Pair[] {
  const indptr = numbers(document, "indptr"), indices = numbers(document, "indices");
  return indptr.slice(1).flatMap((end, v) => indices.slice(indptr[v], end).map((u): Pair => [u, v]));
}
const shown = (pairs: readonly Pair[]) => pairs.map(([u, v]) => `${u}>${v}`);
const sorted = (pairs: readonly Pair[]) => shown(pairs).sort();

/** In-neighbours of a graph with `n` nodes: node v has v - 1, v - 2 and v itself, mirrored if undirected. */
function rowsOf(n: number, undirected: boolean): number[][] {
  return Array.from({ length: n }, (_, v) => {
    const near = [v - 2, v - 1, v, ...(undirected ? [v + 1, v + 2] : [])];
    return near.filter((u) => u >= 0 && u < n && (u !== v || v % 10 === 0));
  });
}
const columns = (rows: readonly (readonly number[])[]): NewTensor[] => {
  const e = rows.flat().length;
  const key = rows.flatMap((row, v) => row.map((u) => 1000 * Math.min(u, v) + Math.max(u, v)));
  return [
    { name: "edge_weight", dtype: "F32", shape: [e], data: Float32Array.from(key) },
    { name: "edge_type", dtype: "I32", shape: [e], data: Int32Array.from(key) },
    { name: "edge_time", dtype: "I64", shape: [e], data: BigInt64Array.from(key, BigInt) },
    {
      name: "edge_feat",
      dtype: "F32",
      shape: [e, 3],
      data: Float32Array.from(key.flatMap((k) => [k, -k, 0])),
    },
    { name: "edge_ids", dtype: "I64", shape: [e], data: BigInt64Array.from(key, (_, i) => BigInt(i)) },
  ];
};

describe("links", () => {
  for (const undirected of [true, false]) {
    const rows = rowsOf(200, undirected);
    const g: GraphParts = {
      rows,
      directed: !undirected,
      tensors: columns(rows),
      features: rows.map((_, v) => [v]),
    };
    const graph = makeGraph(g);
    const all = arcs(graph.document);
    const edges = all.filter(([u, v]) => undirected ? u < v : u !== v);
    const kind = undirected ? "an undirected graph" : "a directed graph";

    test(`${kind}: what is left and what is held out are the graph`, () => {
      const made = split(graph, "links", { params: { val: 0.1, test: 37 } });
      const { document } = made;
      const val = pairs(document, "link.val"), rest = pairs(document, "link.test");
      expect([val.length, rest.length]).toEqual([Math.round(0.1 * edges.length), 37]);
      const held = [...val, ...rest];
      expect(held.every(([u, v]) => undirected ? u < v : u !== v)).toBe(true);
      const back = undirected ? held.flatMap(([u, v]): Pair[] => [[u, v], [v, u]]) : held;
      expect(sorted([...arcs(document), ...back])).toEqual(sorted(all));
      // Self-loops stay.
      expect(document.meta["self_loops"]).toBe(20);
      expect(made.counts[0]!.train).toBe(edges.length - held.length + 20);
      expect(document.meta["num_edges"]).toBe(arcs(document).length);
    });

    test(`${kind}: the columns of an arc go with it`, () => {
      const { document } = split(graph, "links");
      const key = ([u, v]: Pair) => 1000 * Math.min(u, v) + Math.max(u, v);
      for (const [list, suffix] of [[arcs(document), null], [pairs(document, "link.val"), ".val"]] as const) {
        const name = (column: string) => suffix === null ? `edge_${column}` : `link_${column}${suffix}`;
        const keys = list.map(key);
        for (const column of ["weight", "type", "time"]) {
          expect(numbers(document, name(column))).toEqual(keys);
        }
        expect(numbers(document, name("feat"))).toEqual(keys.flatMap((k) => [k, -k, 0]));
      }
      const ids = numbers(document, "edge_ids").map((i) => all[i]!);
      expect(shown(ids)).toEqual(shown(arcs(document)));
      expect(numbers(document, "feat")).toEqual(rows.map((_, v) => v));
    });

    test(`${kind}: threads and the numbering of the nodes do not matter`, () => {
      const here = split(graph, "links", { threads: 1 });
      expect(split(graph, "links", { threads: 2 }).document.digest).toBe(here.document.digest);
      expect(split(graph, "links", { seed: 1 }).document.digest).not.toBe(here.document.digest);
      const order = permutation(200, 3);
      const moved = split(makeGraph(renumbered({ rows, directed: !undirected }, order)), "links").document;
      for (const name of ["link.val", "link.test"]) {
        const ends = (document: Graph["document"], id: (v: number) => number) =>
          sorted(
            pairs(document, name).map(([u, v]): Pair => {
              const [a, b] = [id(u), id(v)];
              return undirected && a > b ? [b, a] : [a, b];
            }),
          );
        expect(ends(moved, (v) => order[v]!)).toEqual(ends(here.document, (v) => v));
      }
    });

    test(`${kind}: the edges with the smallest random numbers are held out`, () => {
      const { document } = split(graph, "links", { params: { val: 9, test: 4 }, seed: 5 });
      const number = ([u, v]: Pair) => new Random({ seed: 5, stream: "split.links", step: v }).u64(u, 0);
      const ranked = edges.toSorted((a, b) => number(a) < number(b) ? -1 : 1);
      expect(sorted(pairs(document, "link.val"))).toEqual(sorted(ranked.slice(0, 9)));
      expect(sorted(pairs(document, "link.test"))).toEqual(sorted(ranked.slice(9, 13)));
    });
  }

  test("parallel arcs go together", () => {
    const rows = Array.from({ length: 60 }, (_, v) => v === 0 ? [] : [v - 1, v - 1]);
    const { document } = split(makeGraph({ rows, directed: true }), "links", { params: { val: 7, test: 0 } });
    const held = pairs(document, "link.val");
    expect(held.length).toBe(8);
    expect(new Set(shown(held)).size).toBe(4);
    expect(document.has("link.test")).toBe(false);
  });

  test("hold out none of a part that is not wanted, and take the place of those that were there", () => {
    const graph = sbmGraph({ nodes: 200, classes: 2, features: 0 });
    const { document } = split(graph, "links", { params: { val: 0, test: 0.2 } });
    expect(document.has("link.val")).toBe(false);
    const again = split({ document } as Graph, "links", { params: { val: 3, test: 0 } }).document;
    expect([again.has("link.test"), pairs(again, "link.val").length]).toEqual([false, 3]);
  });

  test("refuse nodes, too few edges, and arcs that lead outside", () => {
    const graph = makeGraph({ rows: [[1], [0], [2]] });
    expect(caught(() => split(graph, "links", { over: "nodes" })).code).toBe("usage");
    expect(caught(() => split(graph, "links", { params: { val: 0, test: 1 } })).message).toBe(
      "Too few edges in a graph in memory: 0 + 1 are to be held out of 1 edge between different nodes, expected at least one left to train on",
    );
    expect(caught(() => split(graph, "links")).message).toContain("--val 0.05 of 1 is none");
    expect(caught(() => split(makeGraph({ rows: [] }), "links", { params: { val: 0, test: 0 } })).code).toBe(
      "data",
    );
    const outside = makeGraph({ rows: [[5], []], directed: true });
    expect(caught(() => split(outside, "links")).message).toContain('tensor "indices" holds node 5');
  });
});

describe("time", () => {
  /** Events at times 0, 0, 1, 1, 2, 2, ... from node 0 to node i, some back in the past; sorted by time. */
  const events = (n: number, dtype: "I64" | "F64" = "I64"): Graph => {
    const times = Array.from({ length: n }, (_, i) => Math.floor(i / 2) - 20);
    const data = dtype === "I64" ? BigInt64Array.from(times, BigInt) : Float64Array.from(times, (t) => t / 8);
    return makeGraph({
      rows: [Array.from({ length: n }, (_, i) => i % 7), ...Array.from({ length: 6 }, () => [])],
      directed: true,
      tensors: [{ name: "edge_time", dtype, shape: [n], data }],
      meta: { row_order: "time" },
    });
  };

  for (const dtype of ["I64", "F64"] as const) {
    test(`edges: the past stays, later ones are pairs with their times (${dtype})`, () => {
      const { document, counts } = split(events(100, dtype), "time", { params: { train: 0.7, val: 0.15 } });
      expect(counts).toEqual([{ train: 70, val: 16, test: 14 }]);
      const [past, val, rest] = ["edge_time", "link_time.val", "link_time.test"].map((t) =>
        numbers(document, t)
      );
      expect(Math.max(...past!)).toBeLessThan(Math.min(...val!));
      expect(Math.max(...val!)).toBeLessThan(Math.min(...rest!));
      expect([...past!, ...val!, ...rest!]).toEqual(numbers(events(100, dtype).document, "edge_time"));
      expect(pairs(document, "link.val")).toEqual(Array.from({ length: 16 }, (_, i) => [(70 + i) % 7, 0]));
      expect(document.meta).toMatchObject({ num_edges: 70, row_order: "time", self_loops: 10 });
    });
  }

  test("edges: cut times instead of shares", () => {
    const { counts } = split(events(100), "time", { params: { trainUntil: -1, valUntil: 10.5 } });
    expect(counts).toEqual([{ train: 40, val: 22, test: 38 }]);
    const message = (params: Record<string, unknown>) =>
      caught(() => split(events(100), "time", { params })).message;
    expect(message({ trainUntil: 3 })).toContain("go together");
    expect(message({ trainUntil: 3, valUntil: 2 })).toBe("--train-until 3 is after --val-until 2");
    expect(message({ trainUntil: -30, valUntil: 99 })).toBe(
      "Cannot split a graph in memory by time:\n  - nothing to train on: no time up to -30\n  - nothing to test on: no time after 99",
    );
  });

  test("edges of an undirected graph: both arcs leave, the pair is there once", () => {
    const rows = rowsOf(50, true);
    const graph = makeGraph({ rows, tensors: columns(rows).slice(2, 3) });
    const { document, counts } = split(graph, "time", { params: { train: 0.5, val: 0.2 } });
    expect(pairs(document, "link.val").every(([u, v]) => u <= v)).toBe(true);
    const left = arcs(document);
    expect(sorted(left)).toEqual(sorted(left.map(([u, v]): Pair => [v, u])));
    const held = [...pairs(document, "link.val"), ...pairs(document, "link.test")];
    expect(
      left.length + 2 * held.filter(([u, v]) => u !== v).length + held.filter(([u, v]) => u === v).length,
    ).toBe(
      rows.flat().length,
    );
    expect(counts[0]!.val).toBe(pairs(document, "link.val").length);
  });

  test("nodes: masks by node_time, those of one time together", () => {
    const years = [2019, 2015, 2016, 2018, 2017, 2017, 2016, 2019, 2018, 2015];
    const nodes = {
      name: "node_time",
      dtype: "I64" as const,
      shape: [10],
      data: BigInt64Array.from(years, BigInt),
    };
    const graph = makeGraph({ rows: years.map(() => []), tensors: [nodes] });
    const until = split(graph, "time", { params: { trainUntil: 2017, valUntil: 2018 } });
    const inYears = (...wanted: number[]) => years.flatMap((y, v) => wanted.includes(y) ? [v] : []);
    expect(["train", "val", "test"].map((s) => itemsOfMask(until, `split.${s}`))).toEqual([
      inYears(2015, 2016, 2017),
      inYears(2018),
      inYears(2019),
    ]);
    // 0.5 of 10 ends inside 2017, which goes with the past.
    const shares = split(graph, "time", { params: { train: 0.5, val: 0.3 } });
    expect(shares.counts).toEqual([{ train: 6, val: 2, test: 2 }]);
  });

  test("nodes before edges, unless edges are asked for; graphs never", () => {
    const both = makeGraph({
      rows: [[1], [0], [1]],
      directed: true,
      tensors: [
        { name: "node_time", dtype: "F64", shape: [3], data: Float64Array.of(3, 1, 2) },
        { name: "edge_time", dtype: "F64", shape: [3], data: Float64Array.of(1, 2, 3) },
      ],
    });
    const params = { train: 1, val: 1 };
    expect(split(both, "time", { params }).document.has("split.val")).toBe(true);
    expect(pairs(split(both, "time", { params, over: "edges" }).document, "link.val")).toEqual([[0, 1]]);
    expect(caught(() => split(both, "time", { params, over: "graphs" })).code).toBe("usage");
  });

  test("refuses graphs without times, times that are no numbers, and parts that would be empty", () => {
    const bare = makeGraph({ rows: [[]] });
    expect(caught(() => split(bare, "time")).message).toBe(
      'a graph in memory has no tensor "node_time" or "edge_time" to split by',
    );
    const timed = (times: number[]) =>
      makeGraph({
        rows: times.map(() => []),
        tensors: [{ name: "node_time", dtype: "F64", shape: [times.length], data: Float64Array.from(times) }],
      });
    expect(caught(() => split(timed([1, NaN, 2]), "time")).message).toContain("not-a-number");
    expect(caught(() => split(timed([1, 1, 1, 1, 1, 1, 2]), "time")).message).toContain(
      "nothing to validate on after 1, up to 1",
    );
    expect(caught(() => split(timed([1, 2]), "time")).message).toContain("Too few nodes");
    // -0 and 0 are one time.
    const zeros = caught(() => split(timed([-0, 0, 1, 2]), "time", { params: { train: 1, val: 1 } }));
    expect(zeros.message).toContain("nothing to validate on after 0, up to 0");
  });
});
