import { describe, expect, test } from "bun:test";
import { hostArray, type TensorHandle } from "../../../ffi/engine.ts";
import type { Csr } from "../../../core/graph/csr.ts";
import { csrFromRows } from "../../../core/graph/csr.ts";
import { type PlainCsr, toDense } from "../../../core/reference/csr.ts";
import { spmm } from "../../../core/reference/spmm.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { Pattern, type Scales, SparseOperator } from "../../../core/tensor/operator.ts";
import { SparseFeatures } from "../../../core/tensor/sparse_features.ts";
import { constant, Tensor } from "../../../core/tensor/tensor.ts";
import { expectNear, fixed, native, randoms, vector, withTape } from "./_autograd.ts";
import { square } from "./_operator_cases.ts";
import { pattern45 } from "./_cases.ts";

// Rows add up at most 4 products of size 1, in another order than the reference: some roundings of 2^-53.
const TOLERANCE = 1e-14;

/** The elements of a tensor of integers. */
const plain = (t: TensorHandle) => hostArray(t).toNumbers();
const csrOf = ({ numRows, numCols, indptr, indices }: Pattern, values?: readonly number[]): PlainCsr => ({
  numRows,
  numCols,
  indptr: plain(indptr),
  indices: plain(indices),
  values,
});

interface Plain {
  values?: number[];
  left?: number[];
  right?: number[];
  diagonal?: number[];
}
const scalesOf = ({ values, left, right, diagonal }: Plain): Scales => ({
  values: values ? new Tensor(vector(values)) : null,
  left: left ? vector(left) : null,
  right: right ? vector(right) : null,
  diagonal: diagonal ? vector(diagonal) : null,
});

const some = (n: number, name: string) => randoms(n, name);
const shapes: [string, () => Pattern, Plain][] = [
  ["square", square, {}],
  ["square, scaled, with a diagonal", square, {
    left: some(5, "l"),
    right: some(5, "r"),
    diagonal: some(5, "d"),
  }],
  ["square, with values and everything", square, {
    values: some(8, "v"),
    left: some(5, "l"),
    right: some(5, "r"),
    diagonal: some(5, "d"),
  }],
  ["rectangular, with values", pattern45, { values: some(8, "v") }],
  ["rectangular, with everything", () => pattern45("I64"), {
    values: some(8, "v"),
    left: some(4, "l"),
    right: some(5, "r"),
    diagonal: some(4, "d"),
  }],
];

/** The operator as a dense matrix, from the definition. */
function dense(pattern: Pattern, { values, left, right, diagonal }: Plain): number[][] {
  const flat = toDense(csrOf(pattern, values)), m = pattern.numCols;
  return Array.from(
    { length: pattern.numRows },
    (_, i) =>
      Array.from(
        { length: m },
        (_, j) =>
          flat[i * m + j]! * (left?.[i] ?? 1) * (right?.[j] ?? 1) + (i === j ? diagonal?.[i] ?? 0 : 0),
      ),
  );
}
const times = (a: readonly (readonly number[])[], x: readonly number[], f: number) =>
  a.flatMap((row) =>
    Array.from({ length: f }, (_, c) => row.reduce((sum, v, j) => sum + v * x[j * f + c]!, 0))
  );
const transposed = (a: readonly (readonly number[])[]) => a[0]!.map((_, j) => a.map((row) => row[j]!));

describe("SparseOperator", () => {
  test.each(shapes)("apply() is the product with the dense matrix: %s", (_, make, parts) => {
    const pattern = make(), x = randoms(pattern.numCols * 3, "x");
    withTape((tape) => {
      const operator = new SparseOperator(pattern, scalesOf(parts));
      const y = operator.apply(tape, new Tensor(fixed.reshape(vector(x), [pattern.numCols, 3])));
      expect(y.shape).toEqual([pattern.numRows, 3]);
      expectNear(y.toNumbers(), times(dense(pattern, parts), x, 3), TOLERANCE);
    });
  });

  test.each(shapes)("transpose() is the transposed matrix: %s", (_, make, parts) => {
    const pattern = make(), x = randoms(pattern.numRows * 3, "x");
    withTape((tape) => {
      const operator = new SparseOperator(pattern, scalesOf(parts));
      if (parts.diagonal && pattern.numRows !== pattern.numCols) {
        expect(() => operator.transpose(tape)).toThrow(
          "the transpose of a rectangular operator with a diagonal",
        );
        return;
      }
      const y = operator.transpose(tape).apply(
        tape,
        new Tensor(fixed.reshape(vector(x), [pattern.numRows, 3])),
      );
      expectNear(y.toNumbers(), times(transposed(dense(pattern, parts)), x, 3), TOLERANCE);
    });
  });

  test.each(["mean", "max", "min"] as const)("reduce() is the row-wise %s, 0 for empty rows", (kind) => {
    const pattern = square(), x = randoms(15, "x"), values = randoms(8, "v");
    withTape((tape) => {
      const input = new Tensor(fixed.reshape(vector(x), [5, 3]));
      for (const parts of [{}, { values }]) {
        const y = new SparseOperator(pattern, scalesOf(parts)).reduce(tape, input, kind);
        const { out } = spmm(csrOf(pattern, (parts as Plain).values), x, 3, { reduce: kind });
        expectNear(y.toNumbers(), out, TOLERANCE);
        expect(y.toNumbers().slice(6, 9)).toEqual([0, 0, 0]);
      }
    });
  });

  test.each(["left", "right", "diagonal"] as const)(
    "reduce() refuses an operator with a %s scale, which it has no meaning for",
    (name) => {
      withTape((tape) => {
        const operator = new SparseOperator(square(), { [name]: vector(randoms(5, name)) });
        for (const kind of ["mean", "max", "min"] as const) {
          expect(() =>
            operator.reduce(tape, new Tensor(fixed.reshape(vector(randoms(5, "x")), [5, 1])), kind)
          ).toThrow(
            new RangeError(`the ${kind} of an operator with scales or a diagonal`),
          );
        }
      });
    },
  );

  test("reduce() to a maximum refuses values that want a gradient: it has none to give", () => {
    withTape((tape) => {
      const values = new Tensor(vector(randoms(8, "v")), true),
        x = new Tensor(fixed.reshape(vector(randoms(5, "x")), [5, 1]));
      for (const kind of ["max", "min"] as const) {
        expect(() => new SparseOperator(square(), { values }).reduce(tape, x, kind)).toThrow(
          new RangeError(`the ${kind} has no gradient to the values`),
        );
      }
    });
  });

  test("a diagonal needs at least as many columns as rows", () => {
    const tall = new Pattern(
      fixed,
      3,
      2,
      fixed.bind(native("I64", [0, 0, 0, 0])),
      fixed.bind(native("I32", [])),
    );
    expect(() => new SparseOperator(tall, { diagonal: vector([1, 1, 1]) })).toThrow(
      new RangeError("diagonal of a 3 x 2 operator"),
    );
  });

  test("dropout() is the operator itself outside of training, and scales what it keeps by 1 / (1 - p)", () => {
    withTape((tape) => {
      const pattern = square(),
        operator = new SparseOperator(pattern, { values: new Tensor(vector([1, 2, 3, 4, 5, 6, 7, 8])) });
      expect(operator.dropout(tape, 0, 0, null)).toBe(operator);
      const kept = new Set<number>();
      for (let layer = 0; layer < 40; layer++) {
        operator.dropout(tape, 0.75, layer, null).scales.values!.toNumbers().forEach((v, i) => {
          expect([0, 4 * (i + 1)]).toContain(v);
          if (v !== 0) kept.add(i);
        });
      }
      expect(kept.size).toBe(8);
    });
  });
});

describe("SparseFeatures", () => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8];
  /** The entries as a dense matrix. */
  const denseOf = (tape: Tape, x: SparseOperator) => {
    const weights = constant(tape.arena, "F64", [x.numCols, x.numCols], identity(x.numCols));
    return x.apply(tape, weights).toNumbers();
  };
  const identity = (n: number) => Array.from({ length: n * n }, (_, k) => k % (n + 1) === 0 ? 1 : 0);

  test("dropout() is that of an operator with the zeros left out", () => {
    withTape((tape) => {
      const scales = { values: new Tensor(vector(values)) };
      const features = new SparseFeatures(pattern45(), scales),
        plain = new SparseOperator(pattern45(), scales);
      expect(features.dropout(tape, 0, 0, null)).toBe(features);
      expect(features.dropout(new Tape(tape.engine, tape.arena, false), 0.5, 0, null)).toBe(features);
      for (let layer = 0; layer < 20; layer++) {
        const dropped = features.dropout(tape, 0.5, layer, null),
          other = plain.dropout(tape, 0.5, layer, null);
        expect(denseOf(tape, dropped)).toEqual(denseOf(tape, other));
        const ends = hostArray(dropped.pattern.indptr).toNumbers();
        expect(ends[4]).toBe(other.scales.values!.toNumbers().filter((v) => v !== 0).length);
      }
    });
  });

  test("dropout() of entries without values scales rows", () => {
    withTape((tape) => {
      const features = new SparseFeatures(pattern45()),
        weights = constant(tape.arena, "F32", [5, 1], [1, 1, 1, 1, 1]);
      const dropped = features.dropout(tape, 0.75, 3, null);
      const ends = hostArray(dropped.pattern.indptr).toNumbers();
      const counts = ends.slice(1).map((end, i) => end - ends[i]!);
      expect(dropped.apply(tape, weights).toNumbers()).toEqual(counts.map((count) => 4 * count));
    });
  });
});

describe("Pattern", () => {
  test("of() a matrix without rows, columns or entries", () => {
    const empty: Csr = csrFromRows([], 0);
    withTape((tape) => {
      const operator = new SparseOperator(Pattern.of(fixed, empty));
      const x = new Tensor(fixed.tensor("F64", [0, 2]));
      expect(operator.apply(tape, x).shape).toEqual([0, 2]);
      const bare = new SparseOperator(Pattern.of(fixed, csrFromRows([[], []], 3)));
      expect(bare.apply(tape, new Tensor(fixed.tensor("F64", [3, 1], true))).toNumbers()).toEqual([0, 0]);
      expect(bare.transpose(tape).apply(tape, new Tensor(fixed.tensor("F64", [2, 1], true))).toNumbers())
        .toEqual([0, 0, 0]);
    });
  });

  test("transpose() is computed once, and its order names the old entries", () => {
    const pattern = pattern45();
    const { pattern: t, order } = pattern.transpose();
    expect(pattern.transpose().pattern).toBe(t);
    expect([t.numRows, t.numCols]).toEqual([5, 4]);
    const old = csrOf(pattern), now = csrOf(t), from = plain(order);
    const rowOf = (indptr: ArrayLike<number>, e: number) =>
      Array.from(indptr).findLastIndex((start, i, all) => start <= e && e < (all[i + 1] ?? 0));
    from.forEach((e, k) => {
      expect(old.indices[e]).toBe(rowOf(now.indptr, k));
      expect(now.indices[k]).toBe(rowOf(old.indptr, e));
    });
    expect(from.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
