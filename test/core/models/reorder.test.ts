/** Orders of products: every one gives the same gradients, does the work that is predicted, and keeps what is predicted. */
import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import { losses } from "../../../core/losses/mod.ts";
import { addWork, allForms, formWork, type ProductShape } from "../../../core/models/plan.ts";
import { sparseShape } from "../../../core/models/reorder.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { type Norm, normalized } from "../../../core/tensor/norm.ts";
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { layerProduct, type ProductForm } from "../../../core/tensor/ops/layer_product.ts";
import { constant, Tensor } from "../../../core/tensor/tensor.ts";
import { productCounters } from "../../../core/profile/products.ts";
import type { Batch } from "../../../core/train/source.ts";
import { trainingStep } from "../../../core/train/step.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { makeGraph, sbmGraph } from "../_graphs.ts";
import { bytesOf } from "./_models.ts";
import { native, randoms } from "../tensor/_autograd.ts";
import { fullSource, setting } from "./../train/_train.ts";

const N = 60;
/** A random pattern of N nodes, symmetric or not, weighted or not. */
function operatorOf(engine: Engine, dtype: "F32" | "F64", norm: Norm, weighted: boolean): SparseOperator {
  const arena = engine.arena();
  const picks = randoms(N * N, "pattern");
  const linked = (i: number, j: number) =>
    i !== j && picks[i * N + j]! + (weighted ? 0 : picks[j * N + i]!) > 0.8;
  const rows = Array.from(
    { length: N },
    (_, i) => Array.from({ length: N }, (_, j) => j).filter((j) => linked(i, j)),
  );
  const indptr = [0];
  for (const row of rows) indptr.push(indptr.at(-1)! + row.length);
  const pattern = new Pattern(
    arena,
    N,
    N,
    arena.bind(native("I64", indptr)),
    arena.bind(native("I32", rows.flat())),
    !weighted,
  );
  const weights = randoms(rows.flat().length, "weights").map((w) => 1.5 + w);
  const values = weighted ? constant(arena, dtype, [weights.length], weights) : null;
  return normalized(engine, arena, pattern, values, norm, dtype);
}

/** Gradients of X and W (and the product itself) by a form, and what its products did. */
function gradientsBy(
  form: ProductForm,
  dtype: "F32" | "F64",
  shape: [number, number],
  norm: Norm,
  weighted: boolean,
) {
  const engine = new Engine(), arena = engine.arena(), tape = new Tape(engine, arena, true);
  const operator = operatorOf(engine, dtype, norm, weighted);
  const counted = productCounters();
  engine.observer = counted;
  const [inWidth, width] = shape, needsInputGradient = form.inputGradient !== "none";
  const make = (rows: number, cols: number, name: string, wants: boolean) =>
    new Tensor(constant(arena, dtype, [rows, cols], randoms(rows * cols, name)).handle, wants);
  const x = make(N, inWidth, "x", needsInputGradient), w = make(inWidth, width, "w", true);
  engine.phase = "forward";
  const y = layerProduct(operator, x, w, form).apply(tape);
  engine.phase = "backward";
  const seed = make(N, width, "g", false);
  const gradients = tape.grad(y, [w, ...(needsInputGradient ? [x] : [])], { seed });
  const numbers = [y, ...gradients].map((t) => t!.toNumbers());
  const predicted = formWork({
    operator: sparseShape(operator),
    inWidth,
    width,
    sparseInput: null,
    needsInputGradient,
    hasOwn: false,
    numberBytes: dtype === "F64" ? 8 : 4,
  }, form);
  engine.destroy();
  return { numbers, counted: counted.work, predicted };
}

/** The largest difference over the largest number. */
const distance = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!))) / Math.max(...b.map(Math.abs));

const plain = { order: "combine-first", weightGradient: "aggregate-first" } as const;
describe.each([["sym", false], ["row", true], ["none", true], ["mean", false]] as const)(
  "norm %s, weighted: %s",
  (norm, weighted) => {
    describe.each([[7, 3], [4, 4], [3, 8]])("%i to %i columns", (...shape) => {
      test.each([["F32", 1e-5], ["F64", 1e-12]] as const)(
        "%s: every form gives the same, and does what is predicted",
        (dtype, tolerance) => {
          for (const needsInputGradient of [true, false]) {
            const inputGradient = needsInputGradient ? "aggregate-first" : "none";
            const want = gradientsBy({ ...plain, inputGradient }, dtype, shape, norm, weighted).numbers;
            const forms = allForms({ needsInputGradient, sparseInput: null } as ProductShape);
            expect(forms.length).toBe(needsInputGradient ? 8 : 5);
            for (const form of forms) {
              const { numbers, counted, predicted } = gradientsBy(form, dtype, shape, norm, weighted);
              numbers.forEach((got, k) => expect(distance(got, want[k]!)).toBeLessThan(tolerance));
              expect({ form, ...counted }).toEqual({ form, ...predicted });
            }
          }
        },
      );
    });
  },
);

/** A graph with dense features. */
const graphOf = (features: number) =>
  sbmGraph({ nodes: 300, degree: 9, classes: 4, features, trainPerClass: 20, valPerClass: 20 });

/** A training step: its numbers, what its products did, what it kept, and what was predicted. */
function stepOf(graph: Graph, name: string, params: Record<string, unknown>) {
  const made = setting(graph, name, params), train = Array.from(graph.split("train")!, Number);
  const { engine, model } = made, arena = engine.arena();
  try {
    const targets = { arena, targets: nodeTargets(graph), train: BigInt64Array.from(train, BigInt) };
    const loss = losses.get("cross-entropy").create(targets, { labelSmoothing: 0, balanced: false });
    const optimizer = { prepare() {}, update() {}, state: new Map() };
    const [batch] = fullSource(made, graph, train).batches(0, () => arena) as Batch[];
    const layers = model.plan!(batch!), counted = productCounters();
    engine.observer = counted;
    let step: ReturnType<typeof trainingStep> | undefined;
    const program = engine.plan(() => {
      step = trainingStep(engine, arena, { model, loss, optimizer, clipNorm: 0, ema: null }, batch!);
      return [step.loss, step.logits, ...step.gradients.flatMap((g) => g ?? [])].map((t) => t.handle);
    });
    engine.setStep(1, 0, 0);
    program.replay();
    const results = [step!.loss, step!.logits, ...step!.gradients.map((g) => g!)];
    return {
      numbers: results.map((t) => t.toNumbers()),
      bytes: results.map(bytesOf),
      work: counted.work,
      kept: program.memory!.kept[0]!,
      predicted: {
        forward: addWork(...layers.map(({ forward }) => forward)),
        backward: addWork(...layers.map(({ backward }) => backward)),
      },
      predictedBytes: layers.reduce((sum, { keptBytes }) => sum + keptBytes, 0),
      keeps: layers.map(({ keeps }) => keeps),
    };
  } finally {
    engine.destroy();
  }
}
type Step = ReturnType<typeof stepOf>;

/** The least that layers can keep. */
function leastOf(graph: Graph, name: string, params: Record<string, unknown>): number {
  let message = "";
  try {
    stepOf(graph, name, { ...params, memoryBudget: "1" });
  } catch (error) {
    message = (error as Error).message;
  }
  return Number(/at least (\d+) bytes/.exec(message)![1]);
}

function expectAsPredicted(got: Step): void {
  expect(got.work).toEqual(got.predicted);
  // The rest is what the loss keeps.
  expect(Math.abs(got.kept - got.predictedBytes)).toBeLessThanOrEqual(0.02 * got.predictedBytes);
}

describe.each([["gcn", {}], ["gcn", { norm: "row", bias: false }], ["sage", {}]] as const)(
  "%s %p",
  (name, options) => {
    test.each([["narrow", 40, 8], ["wide", 8, 40], ["equal", 16, 16]] as const)(
      "%s hidden layers: orders and budgets change neither loss nor gradients, and do what is predicted",
      (_, features, hidden) => {
        const graph = graphOf(features);
        for (const dropout of [0, 0.5]) {
          const params = { ...options, hidden, layers: 3, dropout };
          const step = (more: Record<string, unknown>) => stepOf(graph, name, { ...params, ...more });
          const auto = step({}),
            least = leastOf(graph, name, params),
            tight = step({ memoryBudget: String(least) });
          const fixed = [step({ reorder: "combine-first" }), step({ reorder: "aggregate-first" })];
          for (const got of [auto, tight, ...fixed]) {
            // Sums in another order: at most 300 terms, three layers deep.
            got.numbers.forEach((x, k) => expect(distance(x, fixed[0]!.numbers[k]!)).toBeLessThan(1e-5));
            expectAsPredicted(got);
          }
          const sparse = ({ work }: Step) => addWork(work.forward, work.backward).sparseFlops;
          expect(sparse(auto)).toBeLessThanOrEqual(Math.min(...fixed.map(sparse)));
          expect(tight.predictedBytes).toBe(least);
          expect(least).toBeLessThanOrEqual(auto.predictedBytes);
        }
      },
    );

    test("sparse features are combined first, or written out where the other order is asked for", () => {
      const rows = Array.from({ length: 12 }, (_, i) => [(i + 11) % 12, (i + 1) % 12].sort((a, b) => a - b));
      const features = rows.map((_, i) => Array.from({ length: 9 }, (_, j) => (i * j) % 4 === 1 ? 1 + j : 0));
      const nodes = rows.map((_, i) => i);
      const graph = makeGraph({
        rows,
        features,
        sparse: true,
        labels: nodes.map((i) => i % 2),
        numClasses: 2,
        split: { train: nodes },
      });
      for (const dropout of [0, 0.5]) {
        const step = (reorder: string) => stepOf(graph, name, { ...options, reorder, hidden: 4, dropout });
        const auto = step("auto"), written = step("aggregate-first");
        expect(auto.bytes).toEqual(step("forward").bytes);
        auto.numbers.forEach((x, k) => expect(distance(written.numbers[k]!, x)).toBeLessThan(1e-5));
        for (const { work, predicted } of [auto, written]) expect(work).toEqual(predicted);
      }
    });
  },
);

describe("gat", () => {
  const levels = ["full", "feat+node", "feat", "none"];
  const options = { hidden: 6, heads: 4, outputHeads: 2, layers: 3 };

  test.each([[0, 0], [0.6, 0.6], [0.5, 0]])(
    "dropout %p and %p: what is kept changes no bit",
    (dropout, attentionDropout) => {
      const graph = graphOf(30), params = { ...options, dropout, attentionDropout };
      const step = (more: Record<string, unknown>) => stepOf(graph, "gat", { ...params, ...more });
      const steps = levels.map((attentionCache) => step({ attentionCache }));
      for (const got of steps) {
        expect(got.bytes).toEqual(steps[0]!.bytes);
        expectAsPredicted(got);
      }
      const kept = steps.map(({ predictedBytes }) => predictedBytes);
      expect(kept).toEqual(kept.toSorted((a, b) => b - a));
      // N (F + 2 H) numbers and N F numbers of every layer, as they are named.
      expect([kept[1]! - kept[2]!, kept[2]! - kept[3]!]).toEqual([4 * 300 * 2 * 10, 4 * 300 * (24 + 24 + 8)]);
      expect(step({}).bytes).toEqual(steps[0]!.bytes);

      // Between two levels layers keep as much as fits, and no more.
      const budget = Math.round((kept[2]! + kept[1]!) / 2), mixed = step({ memoryBudget: String(budget) });
      expect(mixed.bytes).toEqual(steps[0]!.bytes);
      expectAsPredicted(mixed);
      expect(mixed.predictedBytes).toBeLessThanOrEqual(budget);
      expect(new Set(mixed.keeps).size).toBeGreaterThan(1);
      expect(leastOf(graph, "gat", params)).toBe(kept[3]!);
    },
  );

  test("directed edges and sparse features: what is kept changes no bit", () => {
    const rows = Array.from(
      { length: 14 },
      (_, i) => i % 5 === 0 ? [] : [(i * 3) % 14, (i * 5 + 1) % 14].sort((a, b) => a - b),
    );
    const nodes = rows.map((_, i) => i);
    const graph = makeGraph({
      rows,
      directed: true,
      features: rows.map((_, i) => Array.from({ length: 9 }, (_, j) => (i * j) % 4 === 1 ? 1 + j : 0)),
      sparse: true,
      labels: nodes.map((i) => i % 2),
      numClasses: 2,
      split: { train: nodes },
    });
    const steps = levels.map((attentionCache) => stepOf(graph, "gat", { ...options, attentionCache }));
    for (const { bytes, work, predicted } of steps) {
      expect(bytes).toEqual(steps[0]!.bytes);
      expect(work).toEqual(predicted);
    }
  });
});
