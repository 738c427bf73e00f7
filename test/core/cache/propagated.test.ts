import { describe, expect, test } from "bun:test";
import {
  openPropagated,
  propagate,
  propagatedDocument,
  type PropagatedParams,
  propagatedParams,
  propagatedStats,
} from "../../../core/cache/propagated.ts";
import { buildDocument, type Document, type NewTensor } from "../../../core/format/document.ts";
import { type FeatNorm, featNorms, prepareFeatures } from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { Engine, hostArray, setThreads, type TensorHandle } from "../../../ffi/engine.ts";
import { graphOf, randomRows } from "../sampling/_graphs.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

const N = 90, F = 11;
const random = new Random({ seed: 3, stream: "test.features" });
/** About half zeros, so that dense and sparse storage hold the same. */
const X = Array.from(
  { length: N },
  (_, v) =>
    Array.from(
      { length: F },
      (_, j) => random.f32(v, j) < 0.5 ? 0 : Math.fround(random.f32(v, j + 20) - 0.3),
    ),
);
const rows = randomRows(N, 5);
rows[4] = [4, ...rows[4]!.filter((u) => u !== 4)].sort((a, b) => a - b); // a self-loop, to be replaced
const weights = rows.map((row, v) => row.map((u) => 1 + ((v + 2 * u) % 5) / 4));
const train = Array.from({ length: 40 }, (_, i) => 2 * i);

const dense: NewTensor = { name: "feat", dtype: "F32", shape: [N, F], data: Float32Array.from(X.flat()) };
const stored = X.map((row) => row.flatMap((x, j) => x === 0 ? [] : [{ x, j }]));
const sparse: NewTensor[] = [
  {
    name: "feat.indptr",
    dtype: "I64",
    shape: [N + 1],
    data: BigInt64Array.from([0, ...stored.map((_, v) => stored.slice(0, v + 1).flat().length)], BigInt),
  },
  {
    name: "feat.indices",
    dtype: "I32",
    shape: [stored.flat().length],
    data: Int32Array.from(stored.flat().map(({ j }) => j)),
  },
  {
    name: "feat.values",
    dtype: "F32",
    shape: [stored.flat().length],
    data: Float32Array.from(stored.flat().map(({ x }) => x)),
  },
];
const options = { train, numFeatures: F };
const denseGraph = graphOf(rows, { ...options, tensors: [dense] });
const sparseGraph = graphOf(rows, { ...options, tensors: sparse });
const weightedGraph = graphOf(rows, { ...options, tensors: [dense], weights });

const make = (graph: Graph, params: Partial<PropagatedParams>): Document =>
  buildDocument(propagatedDocument(graph, propagatedParams.parse({ hops: 2, ...params }), []));
const featOf = (d: Document) => d.tensor("feat", "F32").toNumbers();

/** The definition in float64: normalise the features, add the self-loops, scale, multiply. */
function reference(hops: number, norm: "sym" | "row", featNorm: FeatNorm, weighted = false): number[] {
  let x = X.map((row) => [...row]);
  if (featNorm === "row") x = x.map((row) => scaled(row, row.reduce((s, a) => s + Math.abs(a), 0)));
  if (featNorm === "l2") x = x.map((row) => scaled(row, Math.sqrt(row.reduce((s, a) => s + a * a, 0))));
  if (featNorm === "standard") {
    for (let j = 0; j < F; j++) {
      const column = train.map((v) => X[v]![j]!);
      const mean = column.reduce((a, b) => a + b) / column.length;
      const std = Math.sqrt(column.reduce((s, a) => s + (a - mean) ** 2, 0) / column.length);
      x.forEach((row) => row[j] = (row[j]! - mean) / std);
    }
  }
  const a = Array.from({ length: N }, (_, v) => {
    const row = Array<number>(N).fill(0);
    rows[v]!.forEach((u, i) => row[u]! += weighted ? weights[v]![i]! : 1);
    row[v] = 1;
    return row;
  });
  const degree = a.map((row) => row.reduce((s, w) => s + w, 0));
  const m = a.map((row, v) =>
    row.map((w, u) => norm === "row" ? w / degree[v]! : w / Math.sqrt(degree[v]! * degree[u]!))
  );
  for (let hop = 0; hop < hops; hop++) {
    const from = x;
    x = m.map((row) => Array.from({ length: F }, (_, j) => row.reduce((s, w, u) => s + w * from[u]![j]!, 0)));
  }
  return x.flat();
}
const scaled = (row: number[], by: number) => row.map((x) => by === 0 ? 0 : x / by);

/**
 * Each hop adds up at most 61 terms, each factor off by at most 4 roundings: relative to the sum of magnitudes (below
 * 10 here, standardised features included, and averages do not grow) 3 hops stay below 3 * 70 * 2^-24 * 10 = 1.3e-4.
 */
const TOLERANCE = 1.3e-4;
function expectClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got.length).toBe(wanted.length);
  expect(Math.max(...got.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(TOLERANCE);
}

describe("propagatedDocument()", () => {
  for (const norm of ["sym", "row"] as const) {
    for (const featNorm of featNorms) {
      test(`is norm(A)^K X: ${norm}, features ${featNorm}`, () => {
        for (const hops of [1, 3]) {
          expectClose(featOf(make(denseGraph, { hops, norm, featNorm })), reference(hops, norm, featNorm));
        }
      });
    }
    test(`takes degrees from edge weights: ${norm}`, () => {
      expectClose(featOf(make(weightedGraph, { hops: 2, norm })), reference(2, norm, "none", true));
    });
  }

  test("of sparse features equals that of the same dense ones", () => {
    for (const featNorm of ["none", "row", "l2"] as const) {
      expectClose(featOf(make(sparseGraph, { featNorm })), featOf(make(denseGraph, { featNorm })));
    }
  });

  test("reads half floats as the numbers they stand for", () => {
    const half = graphOf(rows, {
      ...options,
      tensors: [{
        name: "feat",
        dtype: "BF16",
        shape: [N, F],
        data: Uint16Array.from(new Uint32Array(Float32Array.from(X.flat()).buffer), (bits) => bits >>> 16),
      }],
    });
    const cut = graphOf(rows, {
      ...options,
      tensors: [{
        ...dense,
        data: new Float32Array(
          Uint32Array.from(new Uint32Array(Float32Array.from(X.flat()).buffer), (bits) => bits & 0xffff0000)
            .buffer,
        ),
      }],
    });
    for (const featNorm of featNorms) {
      expect(featOf(make(half, { featNorm }))).toEqual(featOf(make(cut, { featNorm })));
    }
  });

  test("gives the same bytes whatever the memory: in one piece, in chunks of columns, through files", () => {
    for (const graph of [denseGraph, sparseGraph, weightedGraph]) {
      for (const featNorm of graph === sparseGraph ? ["none", "row", "l2"] as const : featNorms) {
        // Two columns of chunk buffers take 2 * 6 * 4 * N = 4320 bytes; the result takes 3960.
        const digests = ["1G", "9000", "4500", "1"].map((memory) => make(graph, { featNorm, memory }).digest);
        expect(new Set(digests).size).toBe(1);
      }
    }
  });

  test("gives the same bytes on 1 and 2 threads", () => {
    const digests = [1, 2].map((threads) => {
      setThreads(threads);
      return make(denseGraph, { featNorm: "standard" }).digest;
    });
    setThreads(0);
    expect(digests[1]).toBe(digests[0]!);
  });

  test("records what it did, and keeps the statistics of `standard`", () => {
    const made = make(denseGraph, { hops: 3, norm: "row", featNorm: "standard" });
    expect(made.meta).toMatchObject({
      layout: "propagated",
      hops: 3,
      norm: "row",
      feat_norm: "standard",
      split_index: 0,
      num_nodes: N,
      num_features: F,
      graph: denseGraph.digest,
    });
    const engine = new Engine();
    const stats = propagatedStats(engine, made)!;
    const arena = engine.arena();
    const whole = prepareFeatures(
      engine,
      arena,
      denseGraph.features()!,
      "standard",
      BigInt64Array.from(train, BigInt),
    ).stats!;
    for (const key of ["mean", "inverseStd"] as const) {
      const read = (t: TensorHandle) => hostArray(t).toNumbers();
      expect(read(stats[key])).toEqual(read(whole[key]));
    }
    expect(propagatedStats(engine, make(denseGraph, {}))).toBeNull();
    engine.destroy();
  });

  test("refuses graphs without features, `standard` on sparse ones, and arcs that lead outside", () => {
    expect(() => make(graphOf(rows), {})).toThrow(/has no node features/);
    expect(() => make(sparseGraph, { featNorm: "standard" })).toThrow(
      /subtracting a mean would make them dense/,
    );
    const broken = graphOf(rows.map((row, v) => v === 1 ? [N] : row), { ...options, tensors: [dense] });
    expect(() => make(broken, {})).toThrow(
      /"indices" holds node 90 at position \d+, expected numbers below num_nodes = 90/,
    );
  });
});

describe("propagate()", () => {
  test("gives a model the numbers that the cache holds", () => {
    const engine = new Engine();
    const arena = engine.arena();
    for (const graph of [denseGraph, sparseGraph]) {
      const { input } = prepareFeatures(engine, arena, graph.features()!, "l2", null);
      const y = propagate(engine, arena, graph, input, { hops: 2, norm: "sym" });
      expect(y.toNumbers()).toEqual(featOf(make(graph, { featNorm: "l2" })));
    }
    engine.destroy();
  });

  test("and openPropagated() refuses the cache of another graph or layout", () => {
    const engine = new Engine();
    const arena = engine.arena();
    const made = make(denseGraph, {});
    expect(openPropagated(engine, arena, made, denseGraph).toNumbers()).toEqual(featOf(made));
    expect(() => openPropagated(engine, arena, made, sparseGraph)).toThrow(
      /was made from a graph with digest/,
    );
    engine.destroy();
  });
});
