import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/attention.ts";
import type { PlainCsr } from "../../core/reference/csr.ts";
import { headDots, headScale, headSums } from "../../core/reference/heads.ts";
import { Random } from "../../core/tensor/rng.ts";
import { streamId, type TensorHandle } from "../../ffi/engine.ts";
import { maxDegree, patternTensors, randomCsr } from "./_csr.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  expectSameOnThreads,
  numbers,
  onEveryIsa,
  randoms,
  type Real,
  realTypes,
  rounded,
  roundoff,
  tensor,
} from "./_ops.ts";

/** The transpose, entries of a row in order of the old rows. */
function transposed(a: PlainCsr): PlainCsr {
  const columns: number[][] = Array.from({ length: a.numCols }, () => []);
  for (let i = 0; i < a.numRows; i++) {
    for (let e = a.indptr[i]!; e < a.indptr[i + 1]!; e++) columns[a.indices[e]!]!.push(i);
  }
  const indptr = [0];
  for (const column of columns) indptr.push(indptr.at(-1)! + column.length);
  return { numRows: a.numCols, numCols: a.numRows, indptr, indices: columns.flat() };
}

type Inputs = reference.AttentionInputs;
const LAYER = 9;
const draws = () => new Random({ seed: 5, stream: "dropout", epoch: 2, step: 7, layer: LAYER });

/** Both passes on native tensors, with what they write. */
function passes(csr: PlainCsr, inputs: Inputs, g: readonly number[], dtype: Real, index: "I32" | "I64") {
  const { numRows: n, numCols: m } = csr, { f, heads } = inputs;
  engine.setStep(5, 2, 7);
  const make = (rows: number, cols: number, values?: ArrayLike<number>) =>
    tensor(dtype, [rows, cols], values);
  const vector = (values: ArrayLike<number>) => tensor(dtype, [f], values);
  // Rows that x lacks, and those of no columns, have scores of 0.
  const scores = (rows: number, of: ArrayLike<number>) => {
    const known = headDots(inputs.x, of, f, heads);
    return make(rows, heads, Array.from({ length: rows * heads }, (_, k) => known[k] ?? 0));
  };
  const row = scores(n, inputs.left), column = scores(m, inputs.right);
  const common = {
    x: make(m, f, inputs.x),
    row,
    column,
    ids: inputs.ids && tensor("I64", [m], inputs.ids),
    slope: inputs.slope,
    p: inputs.p,
    stream: streamId("dropout"),
    layer: LAYER,
  };
  const out = make(n, f), sloped = make(n, f), plain = make(n, f);
  const [top, total, mean_slope] = [0, 1, 2].map(() => make(n, heads)) as [
    TensorHandle,
    TensorHandle,
    TensorHandle,
  ];
  const saved = { sloped, top, total, mean_slope };
  const dx = make(m, f), d_row = make(m, heads), d_column = make(m, heads);
  const ahead = patternTensors(csr, index), back = patternTensors(transposed(csr), index);
  const vectors = { left: vector(inputs.left), right: vector(inputs.right), g: make(n, f, g) };
  return {
    out,
    plain,
    dx,
    d_row,
    d_column,
    inference: () => engine.run("attention", { ...common, ...ahead, out: plain }),
    forward: () => engine.run("attention", { ...common, ...ahead, ...saved, out }),
    backward: () =>
      engine.run("attention_backward", {
        ...common,
        ...back,
        ...vectors,
        ...saved,
        out,
        dx,
        d_row,
        d_column,
      }),
  };
}

interface Shape {
  readonly csr: Parameters<typeof randomCsr>[0];
  readonly heads: number;
  readonly width: number;
  readonly p?: number;
  readonly hasIds?: boolean;
  /** Factor of the score vectors. */
  readonly spread?: number;
}
const shapes: [string, Shape][] = [
  ["eight heads of eight", { csr: { n: 300, m: 400, degree: 6 }, heads: 8, width: 8 }],
  ["with dropout", { csr: { n: 300, m: 400, degree: 6 }, heads: 8, width: 8, p: 0.6 }],
  ["one head of 64", { csr: { n: 300, m: 300, degree: 5 }, heads: 1, width: 64 }],
  ["one head of 7, dropout by ids", {
    csr: { n: 200, m: 300, degree: 5 },
    heads: 1,
    width: 7,
    p: 0.3,
    hasIds: true,
  }],
  ["four heads of one column, and a hub", {
    csr: { n: 50, m: 60, degree: 4, hub: 9000 },
    heads: 4,
    width: 1,
  }],
  ["three heads of five, a hub with dropout", {
    csr: { n: 50, m: 60, degree: 4, hub: 5000 },
    heads: 3,
    width: 5,
    p: 0.5,
  }],
  ["a row of several rounds", { csr: { n: 60, m: 60, degree: 4, hub: 1500 }, heads: 5, width: 16 }],
  ["two heads of 32", { csr: { n: 90, m: 90, degree: 3 }, heads: 2, width: 32 }],
  ["more heads than lanes", { csr: { n: 40, m: 40, degree: 4 }, heads: 24, width: 3 }],
  ["a wide head", { csr: { n: 30, m: 30, degree: 3 }, heads: 2, width: 150 }],
  ["a wide head and a hub", { csr: { n: 20, m: 20, degree: 3, hub: 900 }, heads: 2, width: 150, p: 0.3 }],
  ["scores far apart", { csr: { n: 60, m: 60, degree: 6, hub: 2000 }, heads: 2, width: 4, spread: 60 }],
];

function inputsOf(dtype: Real, { csr, heads, width, p = 0, hasIds, spread = 1 }: Shape) {
  const f = heads * width, { n, m } = csr;
  const scores = (name: string) => rounded(dtype, randoms(f, name).map((v) => v * spread / Math.sqrt(width)));
  const inputs: Inputs = {
    x: rounded(dtype, randoms(Math.max(n, m) * f, "x").slice(0, m * f)),
    left: scores("left"),
    right: scores("right"),
    f,
    heads,
    slope: 0.2,
    p,
    random: draws(),
    ...(hasIds ? { ids: Array.from({ length: m }, (_, i) => 3 * i + 1) } : {}),
  };
  return { inputs, g: rounded(dtype, randoms(n * f, "g")) };
}

describe.each([...realTypes])("%s", (dtype) => {
  test("a small case by hand", () => {
    // Row 0 has columns 1 and 2, whose scores differ by log 3; row 1 is empty.
    const indptr = tensor("I64", [3], [0, 2, 2]), indices = tensor("I32", [2], [1, 2]);
    const row = tensor(dtype, [2, 1], [0.5, 9]), column = tensor(dtype, [3, 1], [9, 1, 1 + Math.log(3)]);
    const x = tensor(dtype, [3, 2], [9, 9, 4, 8, 8, 0]), out = tensor(dtype, [2, 2]);
    const rest = { slope: 0.2, p: 0, stream: 1, layer: 0 };
    engine.run("attention", { indptr, indices, row, column, x, out, ...rest });
    expectClose(numbers(out), [7, 2, 0, 0], 8 * roundoff[dtype]);
    // Scores -0.5 and -0.5 + log 3 / 2: the first is made smaller by the slope.
    const low = tensor(dtype, [3, 1], [9, -1, -1 + Math.log(3) / 2]);
    engine.run("attention", { indptr, indices, row, column: low, x, out, ...rest, slope: 0.5 });
    const alpha = 1 / (1 + Math.exp(0.25 + Math.max(0, Math.log(3) / 2 - 0.5)));
    expectClose(numbers(out).slice(0, 2), [4 * alpha + 8 * (1 - alpha), 8 * alpha], 16 * roundoff[dtype]);
  });

  test.each(shapes)("both passes match the reference: %s", (_, shape) => {
    const csr = randomCsr(shape.csr), { inputs, g } = inputsOf(dtype, shape);
    const want = reference.attention(csr, inputs);
    const gradients = reference.attentionGradients(csr, inputs, g);
    // A score of size s is off by some s * roundoff and its exponential by 4 more, relatively; sums of up to `degree`
    // terms by its root. Kept terms are 1 / (1 - p) as large, and gradients are dot products over a head.
    const degree = Math.max(maxDegree(csr), maxDegree(transposed(csr)));
    const score = 2 * (shape.spread ?? 1) * Math.sqrt(shape.width);
    const tolerance = roundoff[dtype] * (4 * score + Math.sqrt(degree) + 16) / (1 - inputs.p);
    const gradient = tolerance * Math.sqrt(shape.width) * Math.max(2, shape.spread ?? 1);
    for (const index of ["I32", "I64"] as const) {
      const run = passes(csr, inputs, g, dtype, index);
      expectEverywhere(run.plain, want, tolerance, run.inference);
      expectEverywhere(run.out, want, tolerance, run.forward);
      onEveryIsa(() => {
        run.forward();
        expectSameOnThreads([run.dx, run.d_row, run.d_column], run.backward);
        expectClose(numbers(run.d_row), gradients.dRow, gradient);
        expectClose(numbers(run.d_column), gradients.dColumn, gradient);
        expectClose(numbers(run.dx), gradients.dx, gradient);
      });
    }
  });

  test("rows whose scores are all positive, or all negative, get no gradient as rows", () => {
    const csr = randomCsr({ n: 100, m: 100, degree: 6 });
    const { inputs, g } = inputsOf(dtype, { csr: { n: 100, m: 100, degree: 6 }, heads: 4, width: 8 });
    for (const sign of [1, -1]) {
      const away = {
        ...inputs,
        x: Array.from(inputs.x, Math.abs),
        left: Array.from(inputs.left, Math.abs),
      };
      const of = { ...away, left: away.left.map((v) => sign * v), right: away.left.map((v) => sign * v) };
      const run = passes(csr, of, g, dtype, "I32");
      onEveryIsa(() => {
        run.forward();
        run.backward();
        // Positive: slope 1 changes nothing. Negative: two roundings of numbers below 8 * 0.2.
        expectClose(numbers(run.d_row), new Array(400).fill(0), sign > 0 ? 0 : 4 * roundoff[dtype]);
      });
    }
  });

  test("scores of rows and their gradients match the reference", () => {
    for (const [n, heads, width] of [[3000, 8, 8], [500, 1, 33], [70, 3, 1], [40, 5, 17]] as const) {
      const f = heads * width;
      const given = {
        x: rounded(dtype, randoms(n * f, "x")),
        a: rounded(dtype, randoms(f, "a")),
        b: rounded(dtype, randoms(f, "b")),
        g: rounded(dtype, randoms(n * heads, "g")),
        g_b: rounded(dtype, randoms(n * heads, "g_b")),
      };
      const x = tensor(dtype, [n, f], given.x),
        a = tensor(dtype, [f], given.a),
        b = tensor(dtype, [f], given.b);
      const g = tensor(dtype, [n, heads], given.g), g_b = tensor(dtype, [n, heads], given.g_b);
      const scores = tensor(dtype, [n, heads]), others = tensor(dtype, [n, heads]);
      const spread = tensor(dtype, [n, f]), sum = tensor(dtype, [f]), other = tensor(dtype, [f]);
      const dots = () => engine.run("head_dots", { x, a, b, out: scores, out_b: others });
      const sums = () => engine.run("head_sums", { g, g_b, x, out: sum, out_b: other });
      // Dots of `width` and sums of n terms below 1, the latter with roundings of either sign.
      const [short, long] = [(width + 2) * roundoff[dtype], 4 * Math.sqrt(n) * roundoff[dtype]];
      expectEverywhere(scores, headDots(given.x, given.a, f, heads), short, dots);
      expectEverywhere(others, headDots(given.x, given.b, f, heads), short, dots);
      expectEverywhere(
        scores,
        headDots(given.x, given.a, f, heads),
        short,
        () => engine.run("head_dots", { x, a, out: scores }),
      );
      expectEverywhere(
        spread,
        headScale(given.g, given.a, f, heads),
        roundoff[dtype],
        () => engine.run("head_scale", { g, a, out: spread }),
      );
      expectEverywhere(sum, headSums(given.g, given.x, f, heads), long, sums);
      expectEverywhere(other, headSums(given.g_b, given.x, f, heads), long, sums);
      expectEverywhere(
        sum,
        headSums(given.g, given.x, f, heads),
        long,
        () => engine.run("head_sums", { g, x, out: sum }),
      );
    }
  });

  test("no rows, no entries and no columns are fine; heads must divide the columns", () => {
    for (const [n, f, heads] of [[0, 4, 2], [3, 4, 2], [3, 0, 1]] as const) {
      const csr: PlainCsr = { numRows: n, numCols: n, indptr: new Array(n + 1).fill(0), indices: [] };
      const none = new Array(n * f).fill(0), ones = new Array(n * f).fill(1), vector = new Array(f).fill(1);
      const inputs = { x: ones, left: vector, right: vector, f, heads, slope: 0.2, p: 0.5, random: draws() };
      const run = passes(csr, inputs, ones, dtype, "I32");
      run.inference();
      run.forward();
      run.backward();
      for (const out of [run.plain, run.out, run.dx]) expect(numbers(out)).toEqual(none);
      for (const out of [run.d_row, run.d_column]) {
        expect(numbers(out)).toEqual(new Array(n * heads).fill(0));
      }
      const sum = tensor(dtype, [f]);
      engine.run("head_sums", { g: tensor(dtype, [0, heads]), x: tensor(dtype, [0, f]), out: sum });
      expect(numbers(sum)).toEqual(new Array(f).fill(0));
    }
    const csr = randomCsr({ n: 4, m: 4, degree: 1 });
    const { inputs, g } = inputsOf(dtype, { csr: { n: 4, m: 4, degree: 1 }, heads: 1, width: 4 });
    const one = passes(csr, { ...inputs, p: 1 }, g, dtype, "I32");
    expect(one.forward).toThrow("dropout probability 1, expected 0 to below 1");
    const tall = { ...csr, numCols: 3, indices: Array.from(csr.indices, (j) => j % 3) };
    const cut = { ...inputs, x: Array.from(inputs.x).slice(0, 12) };
    expect(() => passes(tall, cut, g, dtype, "I32").forward()).toThrow(
      "row: 4 rows, expected at most 3 as x has",
    );
    const x = tensor(dtype, [2, 4]), a = tensor(dtype, [4]), three = tensor(dtype, [2, 3]);
    for (
      const wrong of [
        () => engine.run("head_dots", { x, a, out: three }),
        () => engine.run("head_scale", { g: three, a, out: x }),
        () => engine.run("head_sums", { g: three, x, out: a }),
      ]
    ) expect(wrong).toThrow("4 columns, expected a multiple of 3 heads");
  });
});
