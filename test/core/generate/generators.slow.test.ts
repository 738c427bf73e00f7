/** What every registered graph model owes. */
import { afterEach, describe, expect, test } from "bun:test";
import { generators } from "../../../core/generate/mod.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { edges, make, rowsFromEdges } from "./_graphs.ts";

afterEach(() => setThreads(0));

// Past one task of 65536 items each, with duplicates, self-loops drawn and rows of very unequal length.
const cases: Record<string, Record<string, unknown>[]> = {
  sbm: [{ nodes: 3000, degree: 60, classes: 7, features: 5 }, {
    nodes: 500,
    degree: 8,
    classes: 500,
    directed: true,
    trainPerClass: 0,
    valPerClass: 0,
  }],
  rmat: [{ scale: 11, edgeFactor: 50 }, {
    scale: 10,
    edges: 3000,
    permute: true,
    directed: true,
    classes: 3,
    features: 2,
  }],
  grid: [{ rows: 300, cols: 301, diagonal: true, torus: true }, {
    rows: 1,
    cols: 9,
    classes: 2,
    trainPerClass: 1,
    valPerClass: 0,
  }],
  "erdos-renyi": [{ nodes: 2000, edges: 90_000 }, { nodes: 77, edges: 300, directed: true, features: 3 }],
  "small-world": [{
    rows: 200,
    cols: 301,
    degree: 9,
    reach: 3,
    features: 3,
    classes: 1,
    labelCount: 5,
    labelHops: 1,
    trainPerClass: 9,
  }, { rows: 30, cols: 31, degree: 40, rewired: 0.9, directed: true }],
};

test("every registered model is tested here", () => {
  expect(Object.keys(cases)).toEqual(generators.names);
});

for (const [name, list] of Object.entries(cases)) {
  describe.each(list)(`${name} %j`, (params) => {
    const made = make(name, params, 5);
    const { document, graph, rows } = made;

    test("rows are the edges of the edge list, ascending, without duplicates and self-loops", () => {
      const drawn = edges(name, params, 5);
      const directed = params["directed"] === true;
      expect(rows).toEqual(rowsFromEdges(graph.numNodes, drawn, directed));
      expect(drawn.every(([from, to]) => from !== to)).toBe(true);
      expect(graph.numEdges).toBe(rows.reduce((sum, row) => sum + row.length, 0));
      expect(made.duplicates).toBe(drawn.length * (directed ? 1 : 2) - graph.numEdges);
    });

    test("metadata say what is there", () => {
      const n = graph.numNodes;
      expect(document.meta).toMatchObject({
        num_nodes: n,
        row_order: "index",
        directed: params["directed"] ?? false,
      });
      expect(document.has("feat")).toBe(graph.meta.num_features > 0);
      expect(document.has("label")).toBe(graph.meta.num_classes > 0);
      const labels = graph.labels()?.toNumbers() ?? [];
      expect(labels.every((c) => Number.isInteger(c) && c >= 0 && c < graph.meta.num_classes)).toBe(true);
    });

    test("is the same for any number of threads and another one for another seed", () => {
      const digests = [1, 2, 7].map((threads) => {
        setThreads(threads);
        return make(name, params, 5).document.digest;
      });
      expect(new Set([document.digest, ...digests]).size).toBe(1);
      const other = make(name, params, 6).document.digest;
      // A bare grid has nothing random.
      expect(other === document.digest).toBe(name === "grid" && graph.meta.num_classes === 0);
    });
  });
}

test("generated graphs are the same on every machine", () => {
  // Digests of integers and of products of floats that are rounded once: any change is a change of the stream.
  const digests = Object.entries(cases).map((
    [name, list],
  ) => [name, make(name, list[0]!, 5).document.digest]);
  expect(Object.fromEntries(digests)).toEqual({
    sbm: "15ab4ef10ef2b00a504db9bf70fc52d1",
    rmat: "a0ca942675e42e913faebe907aa10cdd",
    grid: "109a7ddb4f4e2075ec5b7dfb41cae424",
    "erdos-renyi": "86a6c83a5a9c4326426c0e20a65a6925",
    "small-world": "f64f7abebdf7976fff6df8d689d45d26",
  });
});

test("nodes without edges, and no nodes at all, are graphs too", () => {
  expect(make("sbm", { nodes: 200, degree: 0, classes: 4, features: 2 }).graph.numEdges).toBe(0);
  expect(make("erdos-renyi", { nodes: 0, edges: 0 }).rows).toEqual([]);
  expect(make("erdos-renyi", { nodes: 1, edges: 0, features: 2 }).rows).toEqual([[]]);
  expect(make("grid", { rows: 0, cols: 5 }).rows).toEqual([]);
  expect(make("grid", { rows: 1, cols: 1, torus: true, diagonal: true }).rows).toEqual([[]]);
  expect(edges("rmat", { scale: 3, edges: 0 })).toEqual([]);
});
