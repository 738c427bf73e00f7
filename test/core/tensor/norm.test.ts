import { describe, expect, test } from "bun:test";
import { buildDocument, type NewTensor } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { adjacency } from "../../../core/graph/adjacency.ts";
import { Graph } from "../../../core/graph/graph.ts";
import {
  adjacencyKind,
  type AdjacencyNorm,
  degreePower,
  type Norm,
  normalized,
  norms,
} from "../../../core/tensor/norm.ts";
import { Pattern } from "../../../core/tensor/operator.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { graphOperator } from "../../../core/train/full_batch.ts";
import { graphPath } from "../../../fixtures/graphs.ts";
import { engine, expectNear, fixed, native, withTape } from "./_autograd.ts";

type Matrix = readonly (readonly number[])[];

/** A graph from a dense matrix of weights: row = destination, 0 = no arc. */
function graphOf(
  a: Matrix,
  { weights, directed = true }: { weights?: "F32" | "F64"; directed?: boolean } = {},
): Graph {
  const indptr = [0], indices: number[] = [], values: number[] = [];
  for (const row of a) {
    row.forEach((w, j) => {
      if (w === 0) return;
      indices.push(j);
      values.push(w);
    });
    indptr.push(indices.length);
  }
  const n = a.length, e = indices.length;
  const tensors: NewTensor[] = [
    { name: "indptr", dtype: "I64", shape: [n + 1], data: native("I64", indptr) },
    { name: "indices", dtype: "I32", shape: [e], data: native("I32", indices) },
    ...(weights ? [{ name: "edge_weight", dtype: weights, shape: [e], data: native(weights, values) }] : []),
  ];
  const meta = { num_nodes: n, num_edges: e, directed, num_features: 0, num_classes: 0, row_order: "index" };
  return new Graph(buildDocument({ kind: "graph", meta, tensors, provenance: [] }));
}

/** The definition: the diagonal becomes 1, D = row sums, then D^-1/2 A D^-1/2 or D^-1 A. */
function reference(a: Matrix, norm: Norm): number[] {
  const looped = a.map((row, i) => row.map((w, j) => i === j ? 1 : w));
  const degree = looped.map((row) => row.reduce((sum, w) => sum + w, 0));
  return looped.flatMap((row, i) =>
    row.map((w, j) => norm === "sym" ? w / Math.sqrt(degree[i]! * degree[j]!) : w / degree[i]!)
  );
}

/** The normalised operator of a graph as dense float64 numbers: its product with the identity. */
function operatorOf(graph: Graph, norm: Norm): number[] {
  const { csr, isSymmetric } = adjacency(graph);
  const values = csr.values ? new Tensor(fixed.bind(native("F64", csr.values.toNumbers()))) : null;
  const operator = normalized(engine, fixed, Pattern.of(fixed, csr, isSymmetric), values, norm, "F64");
  return withTape((tape) => operator.apply(tape, identity(graph.numNodes)).toNumbers());
}
const identity = (n: number) =>
  new Tensor(
    fixed.bind(native("F64", Array.from({ length: n * n }, (_, k) => k % n === Math.floor(k / n) ? 1 : 0)), [
      n,
      n,
    ]),
  );

// Square roots, products and reciprocals of small numbers: a few roundings of 2^-53.
const TOLERANCE = 1e-12;

const g6: Matrix = [
  [0, 1, 1, 0, 0, 0],
  [1, 0, 1, 0, 0, 0],
  [1, 1, 0, 1, 0, 0],
  [0, 0, 1, 0, 1, 1],
  [0, 0, 0, 1, 0, 1],
  [0, 0, 0, 1, 1, 0],
];
const directed: Matrix = [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1], [0, 1, 0, 0]];
const loops: Matrix = [[1, 1, 0], [1, 0, 1], [0, 1, 1]];
const weighted: Matrix = [[0, 0.5, 2], [0.5, 0, 0], [2, 0, 0]];
const weightedLoops: Matrix = [[7, 0.25, 0], [3, 0, 1.5], [0, 0, 0.5]];

describe.each([...norms])("norm %s", (norm) => {
  test("of G6 equals the dense numbers, from its file too", () => {
    expectNear(operatorOf(graphOf(g6, { directed: false }), norm), reference(g6, norm), TOLERANCE);
    expectNear(operatorOf(new Graph(openFile(graphPath("g6"))), norm), reference(g6, norm), TOLERANCE);
  });

  test("of a directed graph scales by in-degrees on both sides", () => {
    expectNear(operatorOf(graphOf(directed), norm), reference(directed, norm), TOLERANCE);
  });

  test("replaces self-loops by ones of weight 1", () => {
    expectNear(operatorOf(graphOf(loops, { directed: false }), norm), reference(loops, norm), TOLERANCE);
    expectNear(
      operatorOf(graphOf(weightedLoops, { weights: "F64" }), norm),
      reference(weightedLoops, norm),
      TOLERANCE,
    );
  });

  test.each(["F32", "F64"] as const)("of a weighted graph takes weighted degrees (%s)", (weights) => {
    expectNear(
      operatorOf(graphOf(weighted, { weights, directed: false }), norm),
      reference(weighted, norm),
      TOLERANCE,
    );
  });

  test.each(
    [
      ["plain", g6, undefined],
      ["directed", directed, undefined],
      ["weighted, float32", weightedLoops, "F32"],
      ["weighted, float64", weightedLoops, "F64"],
    ] as const,
  )("graphOperator() gives the same in float32: %s", (_, a, weights) => {
    const graph = graphOf(a, weights ? { weights } : {}), n = a.length;
    const x = fixed.tensor("F32", [n, n]);
    engine.run("cast", { x: identity(n).handle, out: x });
    const got = withTape((tape) =>
      graphOperator(engine, fixed, graph, norm).apply(tape, new Tensor(x)).toNumbers()
    );
    // Four roundings of 2^-24.
    expectNear(got, reference(a, norm), 4e-7);
  });

  test("an isolated node keeps its own row, a graph without arcs is the identity", () => {
    const none: Matrix = [[0, 0], [0, 0]];
    expect(operatorOf(graphOf(none), norm)).toEqual([1, 0, 0, 1]);
  });
});

describe("diagonal enhancement", () => {
  const plus = (a: Matrix, norm: AdjacencyNorm, more: (d: number) => number) =>
    reference(a, norm).map((v, k) => Math.floor(k / a.length) === k % a.length ? v + more(v) : v);

  test.each([["g6", g6], ["directed", directed], ["with self-loops", loops]] as const)(
    "row+L adds L times the diagonal, +I the identity: %s",
    (_, a) => {
      const graph = graphOf(a);
      for (const lambda of [0.5, 1, 1e-4]) {
        expectNear(operatorOf(graph, `row+${lambda}`), plus(a, "row", (d) => lambda * d), TOLERANCE);
      }
      for (const norm of norms) expectNear(operatorOf(graph, `${norm}+I`), plus(a, norm, () => 1), TOLERANCE);
    },
  );

  test("row sums are 1, and 1 + L / (degree + 1) when enhanced", () => {
    const n = g6.length,
      sums = (flat: number[]) =>
        g6.map((_, i) =>
          flat.slice(i * n, (i + 1) * n)
            .reduce((a, b) => a + b)
        );
    expectNear(sums(operatorOf(graphOf(g6), "row")), g6.map(() => 1), TOLERANCE);
    const degree = g6.map((row) => row.reduce((a, b) => a + b));
    expectNear(sums(operatorOf(graphOf(g6), "row+2")), degree.map((d) => 1 + 2 / (d + 1)), TOLERANCE);
  });

  test("adjacencyKind() says which one, and refuses what contradicts", () => {
    const kind = (norm: AdjacencyNorm, diagLambda: number, addIdentity = false) =>
      adjacencyKind({ norm, diagLambda, addIdentity });
    expect(kind("sym", 0)).toBe("sym");
    expect(kind("row", 1e-4)).toBe("row+0.0001");
    expect(kind("row", -1)).toBe("mean");
    expect(kind("sym", 0, true)).toBe("sym+I");
    expect(() => kind("sym", 1)).toThrow("--diag-lambda 1: it applies to --norm row, not sym");
    expect(() => kind("row", -0.5)).toThrow("expected -1 or at least 0");
    expect(() => kind("row", 1, true)).toThrow("--add-identity is another way of the same");
  });
});

/** Kinds without self-loops, by their definitions. */
function plain(a: Matrix, kind: Norm): number[] {
  const off = a.map((row, i) => row.map((w, j) => i === j ? 0 : w));
  const linked = off.map((row) => row.map((w) => Number(w !== 0)));
  const far = linked.map((row, i) =>
    row.map((w, j) => Number(i !== j && w === 0 && row.some((v, k) => v && linked[k]![j])))
  );
  const sums = (m: Matrix) => m.map((row) => row.reduce((sum, w) => sum + w, 0));
  const inverse = (d: number, power: number) => d === 0 ? 0 : d ** power;
  const scaled = (m: Matrix) => {
    const d = sums(m);
    return m.flatMap((row, i) => row.map((w, j) => inverse(d[i]!, -0.5) * w * inverse(d[j]!, -0.5)));
  };
  switch (kind) {
    case "none":
      return off.flat();
    case "mean":
      return off.flatMap((row, i) => row.map((w) => w * inverse(sums(off)[i]!, -1)));
    case "loops":
      return linked.flatMap((row, i) => row.map((w, j) => i === j ? 1 : w));
    case "hop1":
      return scaled(off);
    case "hop2":
      return scaled(far);
    default:
      throw new Error(kind);
  }
}

const square: Matrix = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]];

describe.each(["none", "mean", "loops", "hop1", "hop2"] as const)("kind %s", (kind) => {
  test.each(
    [
      ["G6", g6, undefined],
      ["a square", square, undefined],
      ["directed", directed, undefined],
      ["self-loops", loops, undefined],
      ["weights and self-loops", weightedLoops, "F64"],
      ["no arcs", [[0, 0], [0, 0]], undefined],
    ] as const,
  )("equals the dense numbers: %s", (_, a, weights) => {
    expectNear(operatorOf(graphOf(a, weights ? { weights } : {}), kind), plain(a, kind), TOLERANCE);
  });

  test("of an undirected graph is its own transpose where it is symmetric", () => {
    expectNear(operatorOf(graphOf(square, { directed: false }), kind), plain(square, kind), TOLERANCE);
  });
});

test("by hand: opposite corners of a square are two hops apart, and nobody else", () => {
  expect(operatorOf(graphOf(square), "hop2")).toEqual([0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0]);
});

test("by hand: the edge 2-3 of G6 is 1/4 in both norms, the edge 0-1 is 1/3, 0-2 is 1 / sqrt(12) or 1/3", () => {
  const sym = operatorOf(graphOf(g6), "sym"), row = operatorOf(graphOf(g6), "row");
  expectNear([sym[2 * 6 + 3]!, row[2 * 6 + 3]!, sym[1]!, row[1]!, sym[2]!, row[2]!], [
    1 / 4,
    1 / 4,
    1 / 3,
    1 / 3,
    1 / Math.sqrt(12),
    1 / 3,
  ], TOLERANCE);
});

test("rows of the row norm add up to 1", () => {
  const flat = operatorOf(graphOf(weightedLoops, { weights: "F64" }), "row");
  expectNear(
    [0, 1, 2].map((i) => flat.slice(3 * i, 3 * i + 3).reduce((a, b) => a + b)),
    [1, 1, 1],
    TOLERANCE,
  );
});

test("degreePower() gives powers of in-degree + 1", () => {
  const pattern = Pattern.of(fixed, graphOf(g6).csr);
  expect(new Tensor(degreePower(engine, fixed, pattern, null, "F64", 1)).toNumbers()).toEqual([
    3,
    3,
    4,
    4,
    3,
    3,
  ]);
});

test("a norm of a rectangular pattern is refused", () => {
  const pattern = new Pattern(fixed, 1, 2, fixed.bind(native("I64", [0, 0])), fixed.bind(native("I32", [])));
  expect(() => normalized(engine, fixed, pattern, null, "sym")).toThrow(
    new RangeError("norm of a 1 x 2 pattern"),
  );
});
