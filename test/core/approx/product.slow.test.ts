/** One sampled product against plain sums over rows, on a matrix that is not symmetric. */
import { describe, expect, test } from "bun:test";
import { SampledOperator } from "../../../core/approx/sampled_operator.ts";
import { SampledProduct, type Sampling } from "../../../core/approx/sampled_product.ts";
import { type PlainCsr, toDense } from "../../../core/reference/csr.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { constant, Tensor } from "../../../core/tensor/tensor.ts";
import { patternTensors, randomCsr } from "../../cu/_csr.ts";
import { engine, expectClose, randoms, roundoff } from "../../cu/_ops.ts";

const arena = engine.arena();
const vector = (values: readonly number[]) => constant(arena, "F32", [values.length], values);

const samplingOf = (rest: Partial<Sampling> = {}): Sampling => ({
  engine,
  seed: 1,
  mode: "topk",
  layerScale: "result",
  isStatic: true,
  cacheEvery: 1,
  scratch: engine.arena(),
  epoch: 0,
  isSampling: true,
  isMeasuring: false,
  ...rest,
});

const n = 60, f = 7;
/** Without entries that meet in one place: norms are those of entries. */
function withoutDuplicates({ indptr, indices, values, ...shape }: ReturnType<typeof randomCsr>) {
  const starts = [0], columns: number[] = [], kept: number[] = [];
  for (let i = 0; i < n; i++) {
    const from = columns.length;
    for (let e = indptr[i]!; e < indptr[i + 1]!; e++) {
      if (columns.indexOf(indices[e]!, from) >= 0) continue;
      columns.push(indices[e]!);
      kept.push(values[e]!);
    }
    starts.push(columns.length);
  }
  return { ...shape, indptr: starts, indices: columns, values: kept };
}
const csr = withoutDuplicates(randomCsr({ n, m: n, degree: 6 }));
const left = randoms(n, "left"), right = randoms(n, "right"), diagonal = randoms(n, "diagonal");
const g = randoms(n * f, "gradient").map((v, k) => v * (1 + Math.floor(k / f) % 5));
const rowOfEntry = (e: number) => csr.indptr.findIndex((end) => end > e) - 1;
const scaled: PlainCsr = {
  ...csr,
  values: csr.values.map((v, e) => {
    return v * left[rowOfEntry(e)]! * right[csr.indices[e]!]!;
  }),
};
const dense = toDense(scaled), rowOf = (i: number) => dense.slice(i * n, (i + 1) * n);
const norm = (x: readonly number[]) => Math.hypot(...x);
const scores = Array.from({ length: n }, (_, i) => norm(rowOf(i)) * norm(g.slice(i * f, (i + 1) * f)));
const best = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);

/** The sum over rows of their weight times (row of A)^T (row of G), and the exact diagonal. */
function product(weightOf: (i: number) => number, hasDiagonal = true): number[] {
  const out = g.map((v, k) => hasDiagonal ? v * diagonal[Math.floor(k / f)]! : 0);
  for (let i = 0; i < n; i++) {
    const row = rowOf(i), weight = weightOf(i);
    for (let j = 0; j < n; j++) {
      for (let c = 0; c < f; c++) out[j * f + c]! += weight * row[j]! * g[i * f + c]!;
    }
  }
  return out;
}

const { indptr, indices } = patternTensors(csr, "I32");
const operator = new SparseOperator(new Pattern(arena, n, n, indptr, indices), {
  values: vector(csr.values),
  left: vector(left).handle,
  right: vector(right).handle,
  diagonal: vector(diagonal).handle,
});
const withoutDiagonal = new SparseOperator(operator.pattern, { left: vector(left).handle });

/** The gradient of <operator x, g> to x, through a sampled product. */
function gradient(sampled: SampledProduct, of: SparseOperator, seed: readonly number[] = g): number[] {
  const step = engine.arena(), tape = new Tape(engine, step, true);
  const x = new Tensor(constant(step, "F32", [n, f], randoms(n * f, "x")).handle, true);
  const z = new SampledOperator(of, sampled).apply(tape, x);
  const [dx] = tape.grad(z, [x], { seed: constant(step, "F32", [n, f], seed) });
  const numbers = dx!.toNumbers();
  step.destroy();
  return numbers;
}

describe("topk", () => {
  test.each([[0.2], [0.5], [1]])("takes %p of the rows, those with the largest scores", (share) => {
    const sampled = new SampledProduct(samplingOf(), 0), k = Math.max(10, Math.round(share * n));
    sampled.share = share;
    const taken = new Set(best.slice(0, k).filter((i) => scores[i]! > 0));
    expectClose(gradient(sampled, operator), product((i) => taken.has(i) ? 1 : 0), 100 * roundoff.F32);
    expect(new Set(sampled.slice!.chosen.rows)).toEqual(taken);
  });

  test("keeps the chosen rows for as many steps as it is told, and multiplies by the newest gradients", () => {
    const sampled = new SampledProduct(samplingOf({ cacheEvery: 3 }), 0);
    sampled.share = 0.2;
    const taken = new Set(best.slice(0, 12)), twice = g.map((v) => 2 * v);
    const want = product((i) => taken.has(i) ? 1 : 0);
    gradient(sampled, operator);
    expectClose(gradient(sampled, operator, twice), want.map((v) => 2 * v), 100 * roundoff.F32);
    // Other rows would be chosen now, and are at the third step.
    const moved = g.map((_, k) => Math.floor(k / f) < 30 ? 0 : g[k]!);
    const before = [...sampled.slice!.chosen.rows];
    gradient(sampled, operator, moved);
    expect([...sampled.slice!.chosen.rows]).toEqual(before);
    gradient(sampled, operator, moved);
    expect([...sampled.slice!.chosen.rows].every((i) => i >= 30)).toBe(true);
    expect(sampled.overlap!).toBeLessThan(1);
  });

  test("takes no row of gradients that are zero, and fewer than k where fewer have a score", () => {
    const sampled = new SampledProduct(samplingOf(), 0), zero = g.map(() => 0);
    expectClose(gradient(sampled, operator, zero), zero, 0);
    expect(sampled.slice!.entries).toBe(0);
    const one = g.map((v, k) => Math.floor(k / f) === best[0] ? v : 0);
    gradient(sampled, operator, one);
    expect([...sampled.slice!.chosen.rows]).toEqual([best[0]!]);
  });

  test("is exact while nothing is sampled, and again afterwards", () => {
    const sampling = samplingOf({ isSampling: false }), sampled = new SampledProduct(sampling, 0);
    const exact = product(() => 1);
    expectClose(gradient(sampled, operator), exact, 100 * roundoff.F32);
    sampling.isSampling = true;
    sampled.share = 0.2;
    expect(gradient(sampled, operator)).not.toEqual(exact);
    sampling.isSampling = false;
    expectClose(gradient(sampled, operator), exact, 100 * roundoff.F32);
  });
});

test("crs is unbiased: errors of 10^4 draws are those of the closed form, their mean's a hundredth", () => {
  const sampling = samplingOf({ mode: "crs" }),
    sampled = new SampledProduct(sampling, 0),
    k = 30,
    draws = 10_000;
  sampled.share = k / n;
  const leftOnly = {
    ...csr,
    values: csr.values.map((_, e) => left[rowOfEntry(e)]!),
  };
  const a = toDense(leftOnly), exact = new Array<number>(n * f).fill(0);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const row = g.slice(i * f, (i + 1) * f);
    for (let j = 0; j < n; j++) for (let c = 0; c < f; c++) exact[j * f + c]! += a[i * n + j]! * row[c]!;
    sum += norm(leftOnly.values.slice(csr.indptr[i]!, csr.indptr[i + 1]!)) * norm(row);
  }
  const total = new Array<number>(n * f).fill(0);
  let squares = 0;
  for (let draw = 0; draw < draws; draw++) {
    gradient(sampled, withoutDiagonal).forEach((v, i) => {
      total[i]! += v;
      squares += (v - exact[i]!) ** 2;
    });
  }
  const lengths = exact.reduce((t, v) => t + v * v, 0), closed = (sum ** 2 - lengths) / k;
  expect(Math.abs(squares / draws / closed - 1)).toBeLessThan(0.01);
  const bias = total.reduce((t, v, i) => t + (v / draws - exact[i]!) ** 2, 0);
  expect(bias / (closed / draws)).toBeLessThan(1.5);
}, 60_000);
