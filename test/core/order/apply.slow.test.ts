/** A graph in an order says of every node, by its original number, what it said before. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument, type Document, type NewTensor, piecesOf } from "../../../core/format/document.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { applyOrder } from "../../../core/order/apply.ts";
import { memoryUse, NativeArray } from "../../../ffi/native.ts";
import { type GraphParts, longs, makeGraph } from "../_graphs.ts";
import { directedRows, drawnRows } from "../partition/_partitions.ts";

const numbers = (n: number, f: (i: number) => number) => Array.from({ length: n }, (_, i) => f(i));
const permutation = (n: number, seed: number) =>
  numbers(n, (i) => i).sort((a, b) => ((a + 1) * seed) % 1009 - ((b + 1) * seed) % 1009 || a - b);
const applied = (graph: Graph, order: readonly number[], ptr: readonly number[] | null = null) =>
  buildDocument(applyOrder(graph, NativeArray.from<"I64">(longs(order)), ptr && longs(ptr), []));

/** All that can belong to nodes, arcs and links. */
function everything(rows: readonly (readonly number[])[], directed: boolean): GraphParts {
  const n = rows.length, e = rows.flat().length;
  const name = (v: number) => "x".repeat(v % 4) + v;
  const bytes = new TextEncoder().encode(numbers(n, (v) => v).map(name).join(""));
  const ends = numbers(n, (v) => name(v).length).reduce<number[]>((p, l) => [...p, p.at(-1)! + l], [0]);
  const tensors: NewTensor[] = [
    { name: "edge_time", dtype: "F64", shape: [e], data: Float64Array.from(numbers(e, (i) => i / 2)) },
    { name: "edge_type", dtype: "I32", shape: [e], data: Int32Array.from(numbers(e, (i) => i % 5)) },
    { name: "edge_feat", dtype: "F32", shape: [e, 2], data: Float32Array.from(numbers(2 * e, (i) => i)) },
    { name: "edge_ids", dtype: "I64", shape: [e], data: longs(numbers(e, (i) => 1000 + i)) },
    { name: "target", dtype: "F32", shape: [n, 2], data: Float32Array.from(numbers(2 * n, (i) => i / 4)) },
    { name: "node_time", dtype: "I64", shape: [n], data: longs(numbers(n, (v) => 7 * v)) },
    { name: "node_weight", dtype: "I32", shape: [n, 2], data: Int32Array.from(numbers(2 * n, (v) => v)) },
    { name: "pos", dtype: "F64", shape: [n, 3], data: Float64Array.from(numbers(3 * n, (v) => v)) },
    { name: "node_names", dtype: "U8", shape: [bytes.length], data: bytes },
    { name: "node_names.indptr", dtype: "I64", shape: [n + 1], data: longs(ends) },
    { name: "link.test", dtype: "I64", shape: [2, 2], data: longs([0, n - 1, n - 1, 0]) },
    { name: "link_weight.test", dtype: "F32", shape: [2], data: Float32Array.of(3, 4) },
    { name: "extra/node_size", dtype: "I64", shape: [n], data: longs(numbers(n, (v) => v * v)) },
  ];
  return {
    rows,
    directed,
    weights: rows.map((row, v) => row.map((u) => 1 + Math.min(u, v) + n * Math.max(u, v))),
    features: numbers(n, (v) => v).map((v) => [v, v % 2, 0, v % 3]),
    labels: numbers(n, (v) => v % 3),
    numClasses: 3,
    split: { train: [0, n - 1], test: [1] },
    tensors,
  };
}

/** What a document says, by original ids. */
function told(d: Document) {
  const graph = new Graph(d), n = graph.numNodes;
  const ids = graph.nodeIds()?.toNumbers() ?? numbers(n, (v) => v);
  const column = (name: string) => d.tensor(name).toNumbers();
  const indptr = column("indptr"), indices = column("indices");
  const arcColumns = d.names.filter((name) => name.startsWith("edge_"));
  const arcs = ids.map((id, v) => {
    const list = [];
    for (let e = indptr[v]!; e < indptr[v + 1]!; e++) {
      const values = arcColumns.map((name) => {
        const all = column(name), width = all.length / indices.length;
        return all.slice(e * width, (e + 1) * width);
      });
      list.push(JSON.stringify([ids[indices[e]!], values]));
    }
    return [id, list.sort()] as const;
  });
  const nodes = ids.map((id, v) => {
    const say: Record<string, number[]> = {};
    for (const name of ["feat", "label", "target", "node_time", "node_weight", "pos", "extra/node_size"]) {
      if (!d.has(name)) continue;
      const all = column(name), width = all.length / n;
      say[name] = all.slice(v * width, (v + 1) * width);
    }
    for (
      const [ptr, name] of [["node_names.indptr", "node_names"], ["feat.indptr", "feat.indices"], [
        "feat.indptr",
        "feat.values",
      ]] as const
    ) {
      if (!d.has(name)) continue;
      const at = column(ptr);
      say[name] = column(name).slice(at[v], at[v + 1]);
    }
    const splits = (["train", "val", "test"] as const).map((s) => graph.split(s)?.includes(BigInt(v)));
    return [id, say, splits] as const;
  });
  const byId = <T extends readonly [number, ...unknown[]]>(list: T[]) => list.sort((a, b) => a[0] - b[0]);
  return {
    arcs: byId(arcs),
    nodes: byId(nodes),
    links: d.has("link.test") ? [column("link.test").map((v) => ids[v]), column("link_weight.test")] : null,
  };
}

describe("applyOrder()", () => {
  test("moves all that belongs to nodes, arcs and links, in any graph and order", () => {
    const graphs = fc.record({
      n: fc.integer({ min: 3, max: 40 }),
      degree: fc.integer({ min: 0, max: 5 }),
      directed: fc.boolean(),
      duplicates: fc.boolean(),
      sparse: fc.boolean(),
      seed: fc.integer({ min: 2, max: 1000 }),
    });
    fc.assert(
      fc.property(graphs, ({ n, degree, directed, duplicates, sparse, seed }) => {
        const rows = directed ? directedRows(n, degree, duplicates) : drawnRows(n, n * degree, seed);
        const graph = makeGraph({ ...everything(rows, directed), sparse });
        const document = applied(graph, permutation(n, seed), [0, 1, n]);
        expect(checkDocument(document)).toEqual([]);
        expect(told(document)).toEqual(told(graph.document));
        expect(document.tensor("node_ids", "I64").toNumbers()).toEqual(permutation(n, seed));
        expect(document.tensor("part_ptr", "I64").toNumbers()).toEqual([0, 1, n]);
        // Twice: ids are those of the first graph, and the parts of the first order are gone.
        const twice = applied(new Graph(document), permutation(n, seed + 3));
        expect(checkDocument(twice)).toEqual([]);
        expect(twice.has("part_ptr")).toBeFalse();
        expect(told(twice)).toEqual(told(graph.document));
      }),
      { numRuns: 60 },
    );
  });

  test("moves masks of several splits, and keeps rows in the order of time", () => {
    const rows = drawnRows(30, 80), e = rows.flat().length;
    const graph = makeGraph({
      rows: rows.map((row) => row.toReversed()),
      meta: { row_order: "time" },
      tensors: [
        { name: "edge_time", dtype: "I64", shape: [e], data: longs(numbers(e, (i) => i)) },
        {
          name: "split.train",
          dtype: "BOOL",
          shape: [2, 30],
          data: Uint8Array.from(numbers(60, (i) => i % 7 === 0 ? 1 : 0)),
        },
      ],
    });
    const order = permutation(30, 17), document = applied(graph, order);
    expect(checkDocument(document)).toEqual([]);
    expect(told(document).arcs).toEqual(told(graph.document).arcs);
    for (const split of [0, 1]) {
      const before = [...graph.split("train", split)!].map(Number);
      const after = [...new Graph(document).split("train", split)!].map((v) => order[Number(v)]!);
      expect(after.sort((a, b) => a - b)).toEqual(before);
    }
  });

  test("takes a graph without nodes, refuses what is no permutation, typed graphs and unknown tensors", () => {
    expect(checkDocument(applied(makeGraph({ rows: [] }), []))).toEqual([]);
    const path = { rows: [[1], [0, 2], [1]] };
    expect(() => applied(makeGraph(path), [0, 1, 1])).toThrow("holds 1 at position 2");
    expect(() => applied(makeGraph(path), [0, 1, 3])).toThrow("holds 3 at position 2");
    expect(() => applied(makeGraph({ ...path, meta: { node_types: ["a"], node_counts: [3] } }), [2, 1, 0]))
      .toThrow("several types");
    const own: NewTensor = { name: "extra/mine", dtype: "F32", shape: [3], data: new Float32Array(3) };
    expect(() => applied(makeGraph({ ...path, tensors: [own] }), [2, 1, 0])).toThrow('"extra/mine"');
  });

  test("keeps the graphs of a data set in their places, and refuses an order that mixes them", () => {
    const graph = makeGraph({
      rows: [[1], [0], [3], [2, 4], [3]],
      tensors: [
        { name: "graph_ptr", dtype: "I64", shape: [3], data: longs([0, 2, 5]) },
        { name: "graph_label", dtype: "I32", shape: [2], data: Int32Array.of(1, 0) },
      ],
      numClasses: 0,
      meta: { num_classes: 2 },
    });
    const document = applied(graph, [1, 0, 4, 2, 3]);
    expect(checkDocument(document)).toEqual([]);
    expect(document.tensor("graph_ptr", "I64").toNumbers()).toEqual([0, 2, 5]);
    expect(() => applied(graph, [0, 2, 1, 3, 4])).toThrow("puts node 2 at 1, among those of graph 0");
  });
});

test("a graph with wide features is written without a second copy of them", () => {
  const n = 20_000, width = 400;
  const features: NewTensor = {
    name: "feat",
    dtype: "F32",
    shape: [n, width],
    data: NativeArray.allocate("F32", n * width),
  };
  const graph = makeGraph({
    rows: numbers(n, (v) => v).map((v) => [(v + 1) % n, (v + n - 1) % n].sort((a, b) => a - b)),
    meta: { num_features: width },
    tensors: [features],
  });
  const before = memoryUse().held;
  const document = applyOrder(graph, NativeArray.from<"I64">(longs(numbers(n, (v) => n - 1 - v))), null, []);
  let most = 0, rows = 0;
  for (const piece of piecesOf(document.tensors.find(({ name }) => name === "feat")!)) {
    most = Math.max(most, memoryUse().held - before);
    rows += piece.length / width;
  }
  expect(rows).toBe(n);
  // One piece of 8 MiB, of 32 MB, and 24 bytes per node: the order, its inverse and the row pointer.
  expect(most).toBeLessThanOrEqual(2 ** 23 + 32 * n);
});
