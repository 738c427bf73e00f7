import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { makeGraph } from "../_graphs.ts";
import { engine, expectNear, fixed, randoms } from "../tensor/_autograd.ts";
import { g6Features, g6Rows, graphInput } from "./_models.ts";

type Matrix = number[][];
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));

/** norm(A + I) as the papers write it. */
function adjacency(norm: Norm): Matrix {
  const degree = g6Rows.map((row) => row.length + 1);
  return g6Rows.map((row, i) =>
    g6Rows.map((_, j) =>
      i !== j && !row.includes(j)
        ? 0
        : norm === "sym"
        ? 1 / Math.sqrt(degree[i]! * degree[j]!)
        : 1 / degree[i]!
    )
  );
}

/** H' = relu(A H W + b), no relu at the end. */
function reference(
  norm: Norm,
  weights: readonly Matrix[],
  biases: readonly (readonly number[] | null)[],
): number[] {
  const a = adjacency(norm);
  let h = g6Features.map((row) => [...row]);
  weights.forEach((w, l) => {
    h = product(a, product(h, w)).map((row) => row.map((v, j) => v + (biases[l]?.[j] ?? 0)));
    if (l < weights.length - 1) h = h.map((row) => row.map((v) => Math.max(0, v)));
  });
  return h.flat();
}

const variants: [string, Record<string, unknown>][] = [
  ["widening layers (aggregated first)", { hidden: 8 }],
  ["narrowing layers (combined first)", { hidden: 2 }],
  ["the row norm", { norm: "row", hidden: 4 }],
  ["no bias", { bias: false }],
  ["one layer", { layers: 1 }],
  ["three layers", { layers: 3, hidden: 5 }],
];

describe.each(variants)("gcn with %s", (_, options) => {
  test.each([["dense", false], ["sparse", true]] as const)(
    "equals the formula on G6 in float64, %s features",
    (_, sparse) => {
      const params = models.get("gcn").params!.parse(options) as { norm: Norm; bias: boolean };
      engine.setStep(1, 0, 0);
      const model = models.get("gcn").build(
        new Init(engine, "F64"),
        { num_features: 3, num_classes: 2 },
        params,
        "logits",
      );
      // Biases start at 0: other numbers, so that they count.
      for (const p of model.parameters) if (p.name.endsWith("bias")) p.set(randoms(p.size, p.name));
      const input = graphInput(
        engine,
        fixed,
        makeGraph({ rows: g6Rows, features: g6Features, sparse }),
        "F64",
        params.norm,
      );
      const logits = model.forward(new Tape(engine, fixed, false), input);
      const matrices = model.parameters.filter((p) => p.name.endsWith("weight")).map((p) => {
        const flat = p.toNumbers();
        return Array.from({ length: p.rows }, (_, i) => flat.slice(i * p.cols, (i + 1) * p.cols));
      });
      const biases = matrices.map((_, l) =>
        model.parameters.find((p) => p.name === `layer${l}.bias`)?.toNumbers() ?? null
      );
      expect(biases.every((b) => (b !== null) === params.bias)).toBe(true);
      // Sums of at most 8 terms of size 1, three times over, in another order.
      expectNear(logits.toNumbers(), reference(params.norm, matrices, biases), 1e-13);
    },
  );
});

test("parameters know their layer, which weight decay asks for", () => {
  engine.setStep(1, 0, 0);
  const { parameters } = models.get("gcn").build(
    new Init(engine),
    { num_features: 3, num_classes: 2 },
    models.get("gcn").params!.parse({ layers: 3 }),
    "logits",
  );
  expect(parameters.map(({ name, layer }) => `${name} ${layer}`).sort()).toEqual(
    [
      "layer0.bias 0",
      "layer0.weight 0",
      "layer1.bias 1",
      "layer1.weight 1",
      "layer2.bias 2",
      "layer2.weight 2",
    ],
  );
});

describe("Init", () => {
  const draw = (dtype: "F32" | "F64", seed: number) => {
    const engine = new Engine();
    engine.setStep(seed, 0, 0);
    const init = new Init(engine, dtype);
    const weights = [
      init.glorot("a", 0, 30, 20),
      init.glorot("b", 1, 30, 20),
      init.linear("c", 1, 16, [16, 8]),
      init.zeros("d", 1, 5),
    ];
    return { engine, init, values: weights.map((p) => p.toNumbers()) };
  };

  test("draws inside its bounds, other numbers for every parameter and seed", () => {
    const { init, values, engine } = draw("F64", 1), other = draw("F64", 2);
    const spread = (x: number[]) => [Math.min(...x), Math.max(...x)] as const;
    for (const [k, bound] of [[0, Math.sqrt(6 / 50)], [1, Math.sqrt(6 / 50)], [2, 1 / 4]] as const) {
      const [low, high] = spread(values[k]!);
      expect(low).toBeGreaterThanOrEqual(-bound);
      expect(high).toBeLessThan(bound);
      // Of 128 or more uniform draws one lies in each outer twentieth, but for one time in 700.
      expect(low).toBeLessThan(-0.9 * bound);
      expect(high).toBeGreaterThan(0.9 * bound);
    }
    expect(values[3]).toEqual([0, 0, 0, 0, 0]);
    expect(values[0]).not.toEqual(values[1]!);
    expect(values[0]).not.toEqual(other.values[0]!);
    expect(init.parameters.map((p) => p.name)).toEqual(["a", "b", "c", "d"]);
    [engine, other.engine].forEach((e) => e.destroy());
  });
});

test("a model of more than 256 matrices starts them all differently", () => {
  const own = new Engine(), init = new Init(own, "F64");
  own.setStep(1, 0, 0);
  const values = Array.from({ length: 600 }, (_, k) => init.glorot(`w${k}`, 0, 2, 2).toNumbers().join());
  expect(new Set(values).size).toBe(600);
  own.destroy();
});
