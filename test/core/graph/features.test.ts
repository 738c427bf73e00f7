/** Features as models read them, against plain numbers. */
import { describe, expect, test } from "bun:test";
import type { DType, TypedArray } from "../../../ffi/dtype.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { GustError } from "../../../core/errors.ts";
import { preparedColumns } from "../../../core/cache/columns.ts";
import type { NewTensor } from "../../../core/format/document.ts";
import {
  type FeatNorm,
  featNorms,
  type FeatStats,
  prepareFeatures,
  requireFeatures,
} from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { SparseOperator } from "../../../core/tensor/operator.ts";
import { constant, Tensor } from "../../../core/tensor/tensor.ts";
import { makeGraph } from "../_graphs.ts";
import { engine, expectNear, fixed, withTape } from "../tensor/_autograd.ts";

// Float32 results of a few roundings; sums have at most 5 terms.
const TOLERANCE = 5e-7;

type Matrix = readonly (readonly number[])[];
const rowsOf = (features: Matrix) => features.map(() => [] as number[]);
const graphOf = (features: Matrix, sparse = false) => makeGraph({ rows: rowsOf(features), features, sparse });

/** The prepared features as dense rows. */
function prepared(
  graph: Graph,
  norm: FeatNorm,
  train: readonly number[] | null = null,
  stats: FeatStats | null = null,
  rows: NativeArray<"I32"> | null = null,
): number[] {
  const nodes = train && BigInt64Array.from(train, BigInt), stored = requireFeatures(graph);
  const { input, numFeatures } = prepareFeatures(engine, fixed, stored, norm, nodes, stats, rows);
  if (input instanceof Tensor) return input.toNumbers();
  const ones = Array.from({ length: numFeatures ** 2 }, (_, i) => i % (numFeatures + 1) === 0 ? 1 : 0);
  const identity = constant(fixed, "F32", [numFeatures, numFeatures], ones);
  return withTape((tape) => input.apply(tape, identity).toNumbers());
}

const sum = (row: readonly number[], f: (v: number) => number) => row.reduce((total, v) => total + f(v), 0);
const over = (row: readonly number[], by: number) => row.map((v) => by === 0 ? 0 : v / by);
const reference: Record<"none" | "row" | "l2", (features: Matrix) => number[]> = {
  none: (x) => x.flat(),
  row: (x) => x.flatMap((row) => over(row, sum(row, Math.abs))),
  l2: (x) => x.flatMap((row) => over(row, Math.sqrt(sum(row, (v) => v * v)))),
};

const signed: Matrix = [[1, -2, 0.5, 0], [0, 0, 0, 0], [0.25, 0, 0, 3], [-1e-3, 0, 0, 0], [100, 1, -1, 2]];
const binary: Matrix = [[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]];

describe.each(["none", "row", "l2"] as const)("norm %s", (norm) => {
  test.each([["signed numbers", signed], ["ones", binary]] as const)(
    "is the same on dense and sparse rows: %s",
    (_, features) => {
      const want = reference[norm](features);
      expectNear(prepared(graphOf(features), norm), want, TOLERANCE, "dense");
      expectNear(prepared(graphOf(features, true), norm), want, TOLERANCE, "sparse");
    },
  );

  test("gives the rows of some nodes, in their order, as those of all rows", () => {
    const nodes = [4, 0, 1, 2], rows = NativeArray.from<"I32">(Int32Array.from(nodes));
    for (const sparse of [false, true]) {
      const graph = graphOf(signed, sparse), all = prepared(graph, norm);
      expect(prepared(graph, norm, null, null, rows)).toEqual(
        nodes.flatMap((v) => all.slice(4 * v, 4 * v + 4)),
      );
    }
  });

  test("leaves rows of zeros and graphs without nodes alone", () => {
    expect(prepared(graphOf([[0, 0], [0, 0]]), norm)).toEqual([0, 0, 0, 0]);
    expect(prepared(graphOf([[0, 0], [0, 0]], true), norm)).toEqual([0, 0, 0, 0]);
    const stored = {
      kind: "dense",
      numFeatures: 3,
      array: NativeArray.allocate("F32", 0),
      scale: null,
    } as const;
    expect(prepareFeatures(engine, fixed, stored, norm, null).input).toMatchObject({ rows: 0, cols: 3 });
  });

  test("reads stored zeros of sparse rows", () => {
    const tensors: NewTensor[] = [
      { name: "feat.indptr", dtype: "I64", shape: [3], data: BigInt64Array.of(0n, 2n, 4n) },
      { name: "feat.indices", dtype: "I32", shape: [4], data: Int32Array.of(0, 2, 0, 1) },
      { name: "feat.values", dtype: "F32", shape: [4], data: Float32Array.of(0, 3, -1, 4) },
    ];
    const graph = makeGraph({ rows: [[], []], tensors, meta: { num_features: 3 } });
    expectNear(prepared(graph, norm), reference[norm]([[0, 0, 3], [-1, 4, 0]]), TOLERANCE);
  });

  test("keeps sparse features sparse", () => {
    const { input, stats } = prepareFeatures(
      engine,
      fixed,
      requireFeatures(graphOf(signed, true)),
      norm,
      null,
    );
    expect(input).toBeInstanceOf(SparseOperator);
    expect([(input as SparseOperator).pattern.numEntries, stats]).toEqual([10, null]);
  });
});

test("norm none uses stored float32 rows and CSR arrays in place", () => {
  const dense = graphOf(signed), sparse = graphOf(signed, true);
  const x = prepareFeatures(engine, fixed, requireFeatures(dense), "none", null).input as Tensor;
  expect(x.handle.address).toBe(dense.document.tensor("feat").address);
  const { pattern, scales } = prepareFeatures(engine, fixed, requireFeatures(sparse), "none", null)
    .input as SparseOperator;
  expect([pattern.indptr.address, pattern.indices.address, scales.values!.handle.address]).toEqual(
    ["feat.indptr", "feat.indices", "feat.values"].map((name) => sparse.document.tensor(name).address),
  );
});

describe("norm standard", () => {
  // Column 0 varies, 1 is constant over the training nodes, 2 is 0, 3 has a mean far from its spread.
  const features: Matrix = [[1, 0.1, 0, 1000.5], [2, 0.1, 0, 1001], [4, 0.1, 0, 1002.25], [9, 0.2, 7, 1000], [
    -3,
    0.1,
    0,
    999,
  ]];
  const train = [0, 1, 2];
  const standard = (x: Matrix, rows: readonly number[]): number[] => {
    const moments = x[0]!.map((_, j) => {
      const column = rows.map((v) => Math.fround(x[v]![j]!));
      const mean = sum(column, (v) => v) / column.length;
      return { mean, std: Math.sqrt(sum(column, (v) => (v - mean) ** 2) / column.length) };
    });
    return x.flatMap((row) =>
      row.map((v, j) => moments[j]!.std < 1e-9 ? 0 : (Math.fround(v) - moments[j]!.mean) / moments[j]!.std)
    );
  };

  test("takes mean and deviation over the training nodes, and puts 0 for columns that are constant there", () => {
    // Column 3: 1000 rounded to 6e-5, over a spread of 0.7.
    expectNear(prepared(graphOf(features), "standard", train), standard(features, train), 2e-4);
    const got = prepared(graphOf(features), "standard", train);
    for (const v of [0, 1, 2, 3, 4]) expect(got.slice(4 * v + 1, 4 * v + 3)).toEqual([0, 0]);
  });

  test.each([3, 7, 10, 1000, 4099])("finds a constant column over %d nodes", (n) => {
    const many = Array.from({ length: n + 1 }, (_, v) => [v < n ? 0.1 : 5, v % 2]);
    const got = prepared(graphOf(many), "standard", Array.from({ length: n }, (_, v) => v));
    expect(got.filter((v, i) => i % 2 === 0 && v !== 0)).toEqual([]);
    expect(got.every(Number.isFinite)).toBe(true);
  });

  test("training columns have mean 0 and variance 1", () => {
    const x = Array.from({ length: 500 }, (_, v) => [Math.sin(v), Math.cos(3 * v) * 40 + 7]);
    const got = prepared(graphOf(x), "standard", x.map((_, v) => v));
    for (const j of [0, 1]) {
      const column = got.filter((_, i) => i % 2 === j), mean = sum(column, (v) => v) / 500;
      // 500 numbers, each off by some roundings of 2^-24.
      expect(Math.abs(mean)).toBeLessThan(1e-6);
      expect(Math.abs(sum(column, (v) => v * v) / 500 - 1)).toBeLessThan(2e-6);
    }
  });

  test("applies given statistics to another graph in place of its own", () => {
    const { stats } = prepareFeatures(
      engine,
      fixed,
      requireFeatures(graphOf(features)),
      "standard",
      BigInt64Array.of(0n, 1n, 2n),
    );
    const other: Matrix = [[5, 5, 5, 1001], [0, 0, 0, 1001]];
    const want = standard([...features, ...other], train).slice(20);
    expectNear(prepared(graphOf(other), "standard", null, stats), want, 2e-4);
  });

  test("refuses sparse features and an absent training split, saying why", () => {
    const attempt = (graph: Graph, train: readonly number[] | null) => {
      try {
        return prepared(graph, "standard", train);
      } catch (error) {
        return error instanceof GustError ? [error.code, error.message] : error;
      }
    };
    expect(attempt(graphOf(signed, true), [0])).toEqual([
      "usage",
      "--feat-norm standard: the features are sparse and subtracting a mean would make them dense, expected none, row or l2",
    ]);
    for (const none of [null, []]) {
      expect(attempt(graphOf(signed), none)).toEqual([
        "missing",
        "--feat-norm standard needs a training split to take its statistics from",
      ]);
    }
  });
});

describe("stored dtypes", () => {
  const stored = (dtype: DType, data: TypedArray, more: NewTensor[] = []) =>
    makeGraph({
      rows: [[], []],
      tensors: [{ name: "feat", dtype, shape: [2, 2], data }, ...more],
      meta: { num_features: 2 },
    });
  const scale = (a: number, b: number): NewTensor => ({
    name: "feat.scale",
    dtype: "F32",
    shape: [2],
    data: Float32Array.of(a, b),
  });
  const graphs: [string, Graph, Matrix][] = [
    ["F64", stored("F64", Float64Array.of(0.1, -2, 3, 1e10)), [[0.1, -2], [3, 1e10]]],
    // 1, -2, 0.5, 65504
    ["F16", stored("F16", Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x7bff)), [[1, -2], [0.5, 65504]]],
    // 1, -2, 3, 2^100
    ["BF16", stored("BF16", Uint16Array.of(0x3f80, 0xc000, 0x4040, 0x7180)), [[1, -2], [3, 2 ** 100]]],
    ["U8 times its scale", stored("U8", Uint8Array.of(0, 255, 10, 4), [scale(0.5, 0.01)]), [[0, 2.55], [
      5,
      0.04,
    ]]],
    ["I8 times its scale", stored("I8", Int8Array.of(-128, 127, 10, -4), [scale(0.25, 2)]), [[-32, 254], [
      2.5,
      -8,
    ]]],
  ];

  test.each(graphs)("%s is read as float32", (_, graph, want) => {
    expectNear(prepared(graph, "none"), want.flat(), TOLERANCE);
    expectNear(prepared(graph, "row"), reference.row(want), TOLERANCE);
  });

  test.each(graphs)("%s is standardised as the numbers it stands for", (_, graph, want) => {
    // Two nodes: each column is -1 and 1.
    expectNear(
      prepared(graph, "standard", [0, 1]),
      want.flatMap((row, i) => row.map((v, j) => Math.sign(v - want[1 - i]![j]!))),
      TOLERANCE,
    );
    // The statistics are those of the numbers, too: they fit a float32 graph.
    const { stats } = prepareFeatures(
      engine,
      fixed,
      requireFeatures(graph),
      "standard",
      BigInt64Array.of(0n, 1n),
    );
    expectNear(
      new Tensor(stats!.mean).toNumbers(),
      [0, 1].map((j) => (want[0]![j]! + want[1]![j]!) / 2),
      TOLERANCE,
    );
    const spread = [0, 1].map((j) => Math.abs(want[0]![j]! - want[1]![j]!) / 2);
    expectNear(new Tensor(stats!.inverseStd).toNumbers().map((v, j) => v * spread[j]!), [1, 1], TOLERANCE);
  });
});

test.each([...featNorms])("quantised features taken a column at a time are the same (norm %s)", (norm) => {
  const tensors: NewTensor[] = [
    {
      name: "feat",
      dtype: "I8",
      shape: [3, 4],
      data: Int8Array.of(1, -2, 30, 4, 5, 6, -70, 8, 9, 10, 11, 12),
    },
    { name: "feat.scale", dtype: "F32", shape: [4], data: Float32Array.of(0.5, 2, 0.01, 1) },
  ];
  const features = requireFeatures(makeGraph({ rows: [[], [], []], tensors, meta: { num_features: 4 } }));
  const train = BigInt64Array.of(0n, 2n);
  const whole = (prepareFeatures(engine, fixed, features, norm, train).input as Tensor).toNumbers();
  const columns = preparedColumns(engine, fixed, features, norm, train);
  for (const width of [1, 3, 4]) {
    for (let first = 0; first < 4; first += width) {
      const count = Math.min(width, 4 - first);
      const got = new Tensor(columns.take(fixed, first, count)).toNumbers();
      expect(got).toEqual([0, 1, 2].flatMap((v) => whole.slice(4 * v + first, 4 * v + first + count)));
    }
  }
});

test("a graph without features says what can be done", () => {
  expect(() => requireFeatures(makeGraph({ rows: [[]] }))).toThrow(
    "a graph in memory has no node features, expected some",
  );
});

test("every norm is tested here", () => {
  expect([...featNorms]).toEqual(["none", "row", "l2", "standard"]);
});
