/** Models against their papers' formulas, written out with plain matrices on G6 in float64. */
import { describe, expect, test } from "bun:test";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { makeGraph } from "../_graphs.ts";
import { engine, expectNear, fixed, randoms } from "../tensor/_autograd.ts";
import { g6Features, g6Rows, graphInput } from "./_models.ts";

type Matrix = number[][];
type Weights = Record<string, Matrix>;

const n = 6;
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
const sum = (a: Matrix, b: Matrix, alpha = 1, beta = 1): Matrix =>
  a.map((row, i) => row.map((v, j) => alpha * v + beta * b[i]![j]!));
const plus = (a: Matrix, bias: Matrix): Matrix => a.map((row) => row.map((v, j) => v + bias[0]![j]!));
const relu = (a: Matrix): Matrix => a.map((row) => row.map((v) => Math.max(0, v)));
const elu = (a: Matrix): Matrix => a.map((row) => row.map((v) => v > 0 ? v : Math.expm1(v)));
const leaky = (v: number) => v > 0 ? v : 0.2 * v;
const beside = (...parts: Matrix[]): Matrix => parts[0]!.map((_, i) => parts.flatMap((p) => p[i]!));
const x: Matrix = g6Features.map((row) => [...row]);
const linked: Matrix = g6Rows.map((row) => Array.from({ length: n }, (_, j) => Number(row.includes(j))));
const looped = linked.map((row, i) => row.map((v, j) => i === j ? 1 : v));
const degree = (a: Matrix) => a.map((row) => row.reduce((s, v) => s + v, 0));
const symmetric = (a: Matrix): Matrix => {
  const d = degree(a);
  return a.map((row, i) => row.map((v, j) => v === 0 ? 0 : v / Math.sqrt(d[i]! * d[j]!)));
};
const twoHops = linked.map((row, i) =>
  row.map((v, j) => Number(i !== j && v === 0 && row.some((w, k) => w && linked[k]![j])))
);
const mean: Matrix = linked.map((row, i) => row.map((v) => v / degree(linked)[i]!));
/** The largest of the neighbours, column by column. */
const maximum = (h: Matrix): Matrix =>
  g6Rows.map((row) => h[0]!.map((_, j) => Math.max(...row.map((u) => h[u]![j]!))));

/** Softmax over each row's neighbours and itself of score(i, j), times the columns of `values`. */
function attend(values: Matrix, score: (i: number, j: number) => number): Matrix {
  const weights = looped.map((row, i) => {
    const exps = row.map((v, j) => v ? Math.exp(score(i, j)) : 0), total = exps.reduce((s, v) => s + v);
    return exps.map((v) => v / total);
  });
  return product(weights, values);
}
const columns = (a: Matrix, first: number, count: number): Matrix =>
  a.map((row) => row.slice(first, first + count));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, v, k) => s + v * b[k]!, 0);

/** One layer of attention: heads of `width` side by side, or averaged. */
function attention(
  h: Matrix,
  w: Weights,
  name: string,
  heads: number,
  width: number,
  isOutput: boolean,
  v2: boolean,
) {
  const values = product(h, w[`${name}.${v2 ? "weight_column" : "weight"}`]!);
  const rows = v2 ? product(h, w[`${name}.weight_row`]!) : values;
  const vector = (part: string, k: number) => w[`${name}.${part}`]![0]!.slice(k * width, (k + 1) * width);
  const parts = Array.from({ length: heads }, (_, k) => {
    const own = columns(values, k * width, width), asking = columns(rows, k * width, width);
    return attend(
      own,
      (i, j) =>
        v2
          ? dot(vector("attention", k), asking[i]!.map((v, c) => leaky(v + own[j]![c]!)))
          : leaky(dot(vector("attention_row", k), own[i]!) + dot(vector("attention_column", k), own[j]!)),
    );
  });
  const joined = isOutput
    ? parts.reduce((a, b) => sum(a, b)).map((row) => row.map((v) => v / heads))
    : beside(...parts);
  return plus(joined, w[`${name}.bias`]!);
}

const cases: [string, Record<string, unknown>, (w: Weights) => Matrix][] = [
  ["sage", { hidden: 4 }, (w) => {
    const layer = (h: Matrix, l: number) =>
      plus(
        sum(product(h, w[`layer${l}.self`]!), product(product(mean, h), w[`layer${l}.neighbour`]!)),
        w[`layer${l}.bias`]!,
      );
    return layer(relu(layer(x, 0)), 1);
  }],
  [
    "sage",
    { layers: 1, aggregator: "max" },
    (w) =>
      plus(
        sum(product(x, w["layer0.self"]!), product(maximum(x), w["layer0.neighbour"]!)),
        w["layer0.bias"]!,
      ),
  ],
  ["sage", { layers: 1, aggregator: "pool", hidden: 5 }, (w) => {
    const pooled = maximum(relu(plus(product(x, w["layer0.pool"]!), w["layer0.pool_bias"]!)));
    return plus(
      sum(product(x, w["layer0.self"]!), product(pooled, w["layer0.neighbour"]!)),
      w["layer0.bias"]!,
    );
  }],
  [
    "gat",
    { hidden: 3, heads: 2, outputHeads: 3 },
    (w) => attention(elu(attention(x, w, "layer0", 2, 3, false, false)), w, "layer1", 3, 2, true, false),
  ],
  [
    "gatv2",
    { hidden: 3, heads: 2 },
    (w) => attention(elu(attention(x, w, "layer0", 2, 3, false, true)), w, "layer1", 1, 2, true, true),
  ],
  ["gin", { hidden: 4, layers: 2, layerNorm: "none", jk: "none", trainEps: true }, (w) => {
    const layer = (h: Matrix, l: number) => {
      const gathered = sum(h, product(linked, h), 1 + w[`layer${l}.eps`]![0]![0]!);
      const inner = relu(plus(product(gathered, w[`layer${l}.first`]!), w[`layer${l}.first_bias`]!));
      return plus(product(inner, w[`layer${l}.second`]!), w[`layer${l}.second_bias`]!);
    };
    return layer(relu(layer(x, 0)), 1);
  }],
  ["appnp", { hidden: 4, hops: 3, alpha: 0.2 }, (w) => {
    const hidden = relu(plus(product(x, w["layer0.weight"]!), w["layer0.bias"]!));
    const start = plus(product(hidden, w["layer1.weight"]!), w["layer1.bias"]!), a = symmetric(looped);
    let z = start;
    for (let k = 0; k < 3; k++) z = sum(product(a, z), start, 0.8, 0.2);
    return z;
  }],
  ["gcnii", { hidden: 4, layers: 3, alpha: 0.3, lambda: 0.7 }, (w) => {
    const start = relu(plus(product(x, w["input.weight"]!), w["input.bias"]!)), a = symmetric(looped);
    let h = start;
    for (let l = 0; l < 3; l++) {
      const z = sum(product(a, h), start, 0.7, 0.3), beta = Math.log(1 + 0.7 / (l + 1));
      h = relu(sum(z, product(z, w[`layer${l}.weight`]!), 1 - beta, beta));
    }
    return plus(product(h, w["output.weight"]!), w["output.bias"]!);
  }],
  ["h2gcn", { hidden: 3, hops: 2 }, (w) => {
    const near = symmetric(linked), far = symmetric(twoHops);
    const rounds = [relu(plus(product(x, w["embed.weight"]!), w["embed.bias"]!))];
    for (let k = 0; k < 2; k++) {
      const r = rounds.at(-1)!;
      rounds.push(beside(product(near, r), product(far, r)));
    }
    return plus(product(beside(...rounds), w["output.weight"]!), w["output.bias"]!);
  }],
  ["cluster-gcn", { hidden: 4, layers: 2, diagLambda: 0.5, layerNorm: "none" }, (w) => {
    const a = looped.map((row, i) => row.map((v, j) => v / degree(looped)[i]! * (i === j ? 1.5 : 1)));
    const layer = (h: Matrix, l: number) => product(beside(product(a, h), h), w[`layer${l}.weight`]!);
    return layer(relu(layer(x, 0)), 1);
  }],
  ["gcn", { hidden: 3, layers: 2, residual: "linear", jk: "max" }, (w) => {
    const a = symmetric(looped);
    const layer = (h: Matrix, l: number) =>
      relu(sum(
        plus(product(product(a, h), w[`layer${l}.weight`]!), w[`layer${l}.bias`]!),
        product(h, w[`layer${l}.residual`]!),
      ));
    const one = layer(x, 0), two = layer(one, 1);
    const top = one.map((row, i) => row.map((v, j) => Math.max(v, two[i]![j]!)));
    return plus(product(top, w["output.weight"]!), w["output.bias"]!);
  }],
  ["mlp", { hidden: 3, layers: 3, residual: "identity", jk: "mean" }, (w) => {
    const layer = (h: Matrix, l: number) =>
      sum(relu(plus(product(h, w[`layer${l}.weight`]!), w[`layer${l}.bias`]!)), h);
    const one = layer(x, 0), two = layer(one, 1), three = layer(two, 2);
    const middle = sum(sum(one, two), three).map((row) => row.map((v) => v / 3));
    return plus(product(middle, w["output.weight"]!), w["output.bias"]!);
  }],
];

describe.each(cases)("%s %j", (name, options, formula) => {
  test.each([["dense", false], ["sparse", true]] as const)("equals the formula, %s features", (_, sparse) => {
    const entry = models.get(name);
    engine.setStep(5, 0, 0);
    const params = entry.params!.parse(options) as Record<string, unknown>;
    const model = entry.build(new Init(engine, "F64"), { num_features: 3, num_classes: 2 }, params, "logits");
    for (const p of model.parameters) {
      if (p.name.endsWith("bias") || p.name.endsWith("eps")) p.set(randoms(p.size, p.name));
    }
    const graph = makeGraph({ rows: g6Rows, features: g6Features, sparse });
    const input = graphInput(engine, fixed, graph, "F64", entry.operator(params));
    const got = model.forward(new Tape(engine, fixed, false), input).toNumbers();
    const weights = Object.fromEntries(model.parameters.map((p) => {
      const flat = p.toNumbers(), cols = p.shape.length === 1 ? p.size : p.cols;
      return [p.name, Array.from({ length: p.size / cols }, (_, i) => flat.slice(i * cols, (i + 1) * cols))];
    }));
    // Sums of at most 21 terms of size 10 in another order, a few times over.
    expectNear(got, formula(weights).flat(), 1e-12);
    expect(new Set(got.map((v) => v.toFixed(6))).size).toBeGreaterThan(4);
  });
});
