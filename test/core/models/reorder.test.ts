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
import { sbmGraph } from "../_graphs.ts";
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

describe.each([["gcn", {}], ["gcn", { norm: "row", bias: false }], ["sage", {}]] as const)(
  "%s %p",
  (name, options) => {
    const widths = {
      narrow: { features: 40, hidden: 8 },
      wide: { features: 8, hidden: 40 },
      equal: { features: 16, hidden: 16 },
    };

    describe.each(Object.entries(widths))("%s hidden layers", (_, { features, hidden }) => {
      const graph = sbmGraph({
        nodes: 300,
        degree: 9,
        classes: 4,
        features,
        trainPerClass: 20,
        valPerClass: 20,
      });
      const train = Array.from(graph.split("train")!, Number);

      /** A training step: its numbers, what its products did, what it kept, and what was predicted. */
      function stepOf(more: Record<string, unknown>) {
        const made = setting(graph, name, { hidden, layers: 3, ...options, ...more });
        const { engine, model, norm } = made, source = fullSource(made, graph, train), arena = engine.arena();
        const targets = { arena, targets: nodeTargets(graph), train: BigInt64Array.from(train, BigInt) };
        const loss = losses.get("cross-entropy").create(targets, { labelSmoothing: 0, balanced: false });
        const optimizer = { prepare() {}, update() {}, state: new Map() };
        const [batch] = source.batches(0, () => arena) as Batch[];
        const operator = batch!.operator(0, 3, norm) as SparseOperator;
        const products = model.products!.planned(operator, batch!.features);
        const counted = productCounters();
        engine.observer = counted;
        let step: ReturnType<typeof trainingStep> | undefined;
        const program = engine.plan(() => {
          step = trainingStep(engine, arena, { model, loss, optimizer, clipNorm: 0, ema: null }, batch!);
          return [step.loss, step.logits, ...step.gradients.flatMap((g) => g ?? [])].map((t) => t.handle);
        });
        engine.setStep(1, 0, 0);
        program.replay();
        const { loss: value, logits, gradients } = step!;
        const result = {
          numbers: [value, logits, ...gradients.map((g) => g!)].map((t) => t.toNumbers()),
          work: counted.work,
          kept: program.memory!.kept[0]!,
          predicted: {
            forward: addWork(...products.map((p) => p.work.forward)),
            backward: addWork(...products.map((p) => p.work.backward)),
          },
          predictedBytes: products.reduce((sum, p) => sum + p.keptBytes, 0),
          products,
        };
        engine.destroy();
        return result;
      }

      const least = (more: Record<string, unknown>) => {
        try {
          return stepOf({ ...more, memoryBudget: "1" }) && 0;
        } catch (error) {
          return Number(/at least (\d+) bytes/.exec((error as Error).message)![1]);
        }
      };

      test.each([0, 0.5])("dropout %p: orders and budgets change neither loss nor gradients", (dropout) => {
        const want = stepOf({ dropout, reorder: "combine-first" });
        const auto = stepOf({ dropout });
        const fixed = [want, stepOf({ dropout, reorder: "aggregate-first" })];
        const tight = stepOf({ dropout, memoryBudget: String(least({ dropout })) });
        for (const got of [auto, tight, ...fixed]) {
          // Sums in another order: at most 300 terms, three layers deep.
          got.numbers.forEach((x, k) => expect(distance(x, want.numbers[k]!)).toBeLessThan(1e-5));
          expect(got.work).toEqual(got.predicted);
          // What the loss keeps, and rounding to whole cache lines.
          expect(Math.abs(got.kept - got.predictedBytes)).toBeLessThanOrEqual(0.02 * got.predictedBytes);
        }
        const time = ({ work }: typeof want) => addWork(work.forward, work.backward).sparseFlops;
        expect(time(auto)).toBeLessThanOrEqual(Math.min(...fixed.map(time)));
        expect(tight.predictedBytes).toBe(least({ dropout }));
        expect(tight.predictedBytes).toBeLessThanOrEqual(auto.predictedBytes);
      });
    });
  },
);
