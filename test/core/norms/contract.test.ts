/** What every registered layer norm owes, and what each one is. */
import { describe, expect, test } from "bun:test";
import { registries } from "../../../core/registries.ts";
import { layerNorms } from "../../../core/norms/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { totalSum } from "../../../core/tensor/ops/row_sum.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { bytesOf } from "../models/_models.ts";
import { engine, expectNear, fixed, index, native, randoms } from "../tensor/_autograd.ts";

const EPS = 1e-6;
const width = 3;

function make(name: string, dtype: "F32" | "F64" = "F64", of = width) {
  const init = new Init(engine, dtype);
  return { init, norm: layerNorms.get(name).create(init, { name: "n", layer: 1, width: of, eps: EPS }) };
}
const rowsOf = (n: number, name = "x") => randoms(n * width, name).map((v, k) => 3 * v + (k % width));
const tensorOf = (values: readonly number[], requiresGrad = false) =>
  new Tensor(fixed.bind(native("F64", values), [values.length / width, width]), requiresGrad);
const apply = (name: string, values: readonly number[], starts: readonly number[] | null = null) =>
  make(name).norm.apply(new Tape(engine, fixed, true), tensorOf(values), starts && index(starts)).toNumbers();

test("layer norms are listed", () => {
  expect(registries.map(({ kind }) => kind)).toContain("layer norm");
  expect(layerNorms.names).toEqual(["layer", "batch", "instance", "pair", "graph"]);
});

describe.each([...layerNorms])("$name", ({ name, scope, summary, source }) => {
  test("says what it is", () => {
    expect([summary, source].every((text) => text.length > 10)).toBe(true);
  });

  test("keeps the shape, stays finite on equal rows, one row and no rows", () => {
    for (const values of [rowsOf(7), new Array<number>(12).fill(2), rowsOf(1), []]) {
      const out = apply(name, values);
      expect(out.length).toBe(values.length);
      expect(out.every(Number.isFinite)).toBe(true);
    }
    expect(apply(name, rowsOf(4), [0, 0, 3, 4]).every(Number.isFinite)).toBe(true);
  });

  test("does not see shifts and factors of its whole input", () => {
    const values = rowsOf(20), out = apply(name, values, [0, 8, 20]);
    // eps is 1e-6 of variances of about 1, before and after the factor.
    expectNear(apply(name, values.map((v) => 4 * v + 16), [0, 8, 20]), out, 1e-5);
  });

  test(`depends on its ${scope} alone`, () => {
    const a = rowsOf(8, "a"), b = rowsOf(12, "b"), c = rowsOf(12, "c");
    const first = (rest: readonly number[]) => apply(name, [...a, ...rest], [0, 8, 20]).slice(0, a.length);
    if (scope === "batch") expect(first(b)).not.toEqual(first(c));
    else expect(first(b)).toEqual(first(c));
    const own = (rest: readonly number[]) => apply(name, [...a, ...rest]).slice(0, a.length);
    if (scope === "row") expect(own(b)).toEqual(own(c));
    else expect(own(b)).not.toEqual(own(c));
  });

  test("gives the same bytes on 1 and 2 threads, gradients included", () => {
    const n = 5000, f = 24;
    const x = new Tensor(fixed.tensor("F32", [n, f]), true), ranges = index([0, 17, 17, 2500, n]);
    x.set(randoms(n * f, "large"));
    const weight = new Tensor(fixed.tensor("F32", [n, f]));
    weight.set(randoms(n * f, "weight"));
    const { init, norm } = make(name, "F32", f);
    const run = () => {
      const tape = new Tape(engine, fixed, true);
      const y = norm.apply(tape, x, ranges);
      const loss = totalSum(tape, mul(tape, y, weight));
      return [y, ...tape.grad(loss, [x, ...init.parameters]).map((g) => g!)].map(bytesOf);
    };
    try {
      setThreads(1);
      const one = run();
      setThreads(2);
      expect(run()).toEqual(one);
    } finally {
      setThreads(0);
    }
  });

  test("its scales and shifts never decay", () => {
    expect(make(name).init.parameters.every(({ decay }) => decay === 0)).toBe(true);
  });
});

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const columnOf = (values: readonly number[], j: number) => values.filter((_, k) => k % width === j);
const standard = (values: readonly number[]) => {
  const centre = mean(values), root = Math.sqrt(mean(values.map((v) => (v - centre) ** 2)) + EPS);
  return values.map((v) => (v - centre) / root);
};

test("layer standardises rows, batch and instance columns", () => {
  const values = rowsOf(6);
  const byRow = Array.from({ length: 6 }, (_, i) => standard(values.slice(3 * i, 3 * i + 3))).flat();
  expectNear(apply("layer", values), byRow, 1e-12);
  for (let j = 0; j < width; j++) {
    expectNear(columnOf(apply("batch", values), j), standard(columnOf(values, j)), 1e-12);
    expectNear(columnOf(apply("instance", values), j), standard(columnOf(values, j)), 1e-12);
    const parts = columnOf(apply("instance", values, [0, 2, 6]), j);
    const column = columnOf(values, j);
    expectNear(parts, [...standard(column.slice(0, 2)), ...standard(column.slice(2))], 1e-12);
  }
});

test("pair centres columns and gives rows a mean square length of 1", () => {
  const out = apply("pair", rowsOf(9));
  for (let j = 0; j < width; j++) expect(Math.abs(mean(columnOf(out, j)))).toBeLessThan(1e-12);
  expectNear([out.reduce((sum, v) => sum + v * v, 0) / 9], [1], 1e-5);
});

describe("batch norm", () => {
  test("follows mean and unbiased variance while training, and uses them afterwards", () => {
    const { init, norm } = make("batch");
    const values = rowsOf(5), x = tensorOf(values);
    const [mu, variance] = init.buffers as unknown as [Tensor, Tensor];
    expect([...mu.toNumbers(), ...variance.toNumbers()]).toEqual([0, 0, 0, 1, 1, 1]);
    norm.apply(new Tape(engine, fixed, true), x, null);
    const columns = [0, 1, 2].map((j) => columnOf(values, j));
    const spread = columns.map((c) => c.reduce((sum, v) => sum + (v - mean(c)) ** 2, 0) / 4);
    expectNear(mu.toNumbers(), columns.map((c) => 0.1 * mean(c)), 1e-12);
    expectNear(variance.toNumbers(), spread.map((v) => 0.9 + 0.1 * v), 1e-12);
    const [gamma, beta] = init.parameters as unknown as [Tensor, Tensor];
    gamma.set([1, 2, 3]);
    beta.set([0, 1, -1]);
    const before = [mu.toNumbers(), variance.toNumbers()];
    const out = norm.apply(new Tape(engine, fixed, false), x, null).toNumbers();
    const want = values.map((v, k) => {
      const j = k % width;
      return (j + 1) * (v - before[0]![j]!) / Math.sqrt(before[1]![j]! + EPS) + [0, 1, -1][j]!;
    });
    expectNear(out, want, 1e-12);
    expect([mu.toNumbers(), variance.toNumbers()]).toEqual(before);
  });

  test("a recorded step follows too, every time it is replayed", () => {
    const { init, norm } = make("batch");
    const x = tensorOf(rowsOf(5));
    const program = engine.record(() => norm.apply(new Tape(engine, fixed, true), x, null));
    const once = init.buffers[0]!.toNumbers();
    program.replay();
    expectNear(init.buffers[0]!.toNumbers(), once.map((v) => 1.9 * v), 1e-12);
  });
});
