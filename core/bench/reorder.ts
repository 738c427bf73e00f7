/**
 * Orders of a layer's product, each with its gradients, in turn: what --reorder auto chooses beside the others, and the
 * operations and bytes that were predicted beside those that were counted.
 *
 * A step is the product forward and backward of one layer, planned as training plans it: as an inner layer, whose input
 * wants a gradient, and as a first one.
 */
import { z } from "zod";
import { Engine } from "../../ffi/engine.ts";
import type { Graph } from "../graph/graph.ts";
import { models } from "../models/mod.ts";
import { Init } from "../models/model.ts";
import { addWork, allForms, cheapestForm, formsOf, formWork, type ProductShape } from "../models/plan.ts";
import { sparseShape } from "../models/reorder.ts";
import { productCounters } from "../profile/products.ts";
import { Tape } from "../tensor/autograd.ts";
import type { SparseOperator } from "../tensor/operator.ts";
import { layerProduct, type ProductForm } from "../tensor/ops/layer_product.ts";
import { Tensor } from "../tensor/tensor.ts";
import { graphOperator } from "../train/full_batch.ts";
import { defineBenchmark, resultOf, runs, uniformGraph, uniformShape } from "./benchmark.ts";
import { measure, type Stats } from "./measure.ts";

/** A candidate of a layer, or an order of a whole model. */
export interface ReorderResult {
  readonly in_width: number;
  readonly out_width: number;
  readonly is_first: boolean;
  /** null: every layer's own. */
  readonly form: ProductForm | null;
  /** Whether it is what auto takes. */
  readonly is_chosen: boolean;
  /** Its shortest time over the shortest of all candidates. */
  readonly of_best: number;
  readonly predicted: ReorderWork;
  readonly counted: ReorderWork;
}
interface ReorderWork {
  readonly flops: number;
  readonly bytes: number;
}

const params = z.object({
  width: z.array(z.int().min(1).max(65536)).min(1).default([8, 32, 128]).describe(
    "columns: every one of them as a layer's input and as its output",
  ),
  runs,
  ...uniformShape,
}).strict();

/** The candidates of a product: the cheapest of each order, and of those that keep A X and those that do not. */
function candidates(shape: ProductShape): ProductForm[] {
  const kept = allForms(shape, ["aggregate-first"]).filter((f) => f.weightGradient === "kept");
  const again = allForms(shape, ["aggregate-first"]).filter((f) => f.weightGradient !== "kept");
  return [allForms(shape, ["combine-first"]), kept, again].map((forms) => cheapestForm(shape, forms));
}

const isSame = (a: ProductForm, b: ProductForm) =>
  a.order === b.order && a.weightGradient === b.weightGradient && a.inputGradient === b.inputGradient;

/** The candidates of one layer in turn. */
function layerOf(
  engine: Engine,
  operator: SparseOperator,
  inWidth: number,
  width: number,
  isFirst: boolean,
  runs: number,
) {
  const shape: ProductShape = {
    operator: sparseShape(operator),
    inWidth,
    width,
    sparseInput: null,
    needsInputGradient: !isFirst,
    hasOwn: false,
    numberBytes: 4,
  };
  const chosen = cheapestForm(shape, formsOf(shape, "auto"));
  const forms = candidates(shape);
  const all = forms.some((form) => isSame(form, chosen)) ? forms : [chosen, ...forms];
  const arena = engine.arena(), rows = operator.numRows;
  const filled = (r: number, c: number, wantsGradient: boolean) => {
    const handle = arena.tensor("F32", [r, c]);
    engine.run("uniform", { out: handle, low: -1, high: 1, stream: 1, layer: 0 });
    return new Tensor(handle, wantsGradient);
  };
  const x = filled(rows, inWidth, !isFirst),
    weight = filled(inWidth, width, true),
    g = filled(rows, width, false);
  const programs = all.map((form) =>
    engine.plan(() => {
      const tape = new Tape(engine, arena, true);
      engine.phase = "forward";
      const y = layerProduct(operator, x, weight, form).apply(tape);
      engine.phase = "backward";
      const gradients = tape.grad(y, isFirst ? [weight] : [weight, x], { seed: g });
      return gradients.map((t) => t!.handle);
    })
  );
  const counted = programs.map((program) => {
    const counters = productCounters();
    engine.observer = counters;
    program.replay();
    return counters.work;
  });
  const times = measure(
    programs.map((program) => ({
      run: (repeat) => {
        for (let r = 0; r < repeat; r++) program.replay();
      },
    })),
    runs,
  );
  arena.destroy();
  return all.map((form, i) => ({
    form,
    isChosen: isSame(form, chosen),
    stats: times[i]!,
    predicted: workSum(formWork(shape, form)),
    counted: workSum(counted[i]!),
  }));
}

function workSum({ forward, backward }: ReturnType<typeof formWork>): ReorderWork {
  return [forward, backward].reduce((sum, w) => ({
    flops: sum.flops + w.sparseFlops + w.denseFlops,
    bytes: sum.bytes + w.sparseBytes + w.denseBytes,
  }), { flops: 0, bytes: 0 });
}

const nameOf = ({ order, weightGradient }: ProductForm) =>
  order === "combine-first" ? order : `${order}, AX ${weightGradient === "kept" ? "kept" : "not kept"}`;

/** The orders that a model of three layers can be told to take, in turn: forward and backward of a step. */
function modelOf(
  engine: Engine,
  graph: Graph,
  name: string,
  [features, hidden, outputs]: readonly [number, number, number],
  runs: number,
) {
  const entry = models.get(name), arena = engine.arena(), operators = engine.arena();
  const x = engine.persistent.tensor("F32", [graph.numNodes, features]);
  const g = engine.persistent.tensor("F32", [graph.numNodes, outputs]);
  for (const out of [x, g]) engine.run("uniform", { out, low: -1, high: 1, stream: 1, layer: 0 });
  const all = ["combine-first", "aggregate-first", "auto"].map((reorder) => {
    const params = entry.params!.parse({ layers: 3, hidden, dropout: 0, reorder }) as Record<string, unknown>;
    const signature = { num_features: features, num_classes: outputs };
    const model = entry.build(new Init(engine), signature, params, "logits");
    const norm = entry.operator(params), operator = graphOperator(engine, operators, graph, norm);
    const input = { features: new Tensor(x), operator: () => operator, ids: null, graphs: null };
    const program = engine.plan(() => {
      const tape = new Tape(engine, arena, true);
      engine.phase = "forward";
      const logits = model.forward(tape, input);
      engine.phase = "backward";
      return tape.grad(logits, model.parameters, { seed: new Tensor(g) }).map((t) => t!.handle);
    });
    const counters = productCounters();
    engine.observer = counters;
    program.replay();
    const layers = model.plan!(input);
    const predicted = {
      forward: addWork(...layers.map(({ forward }) => forward)),
      backward: addWork(...layers.map(({ backward }) => backward)),
    };
    const subject = {
      run: (repeat: number) => {
        for (let r = 0; r < repeat; r++) program.replay();
      },
    };
    return { reorder, subject, predicted: workSum(predicted), counted: workSum(counters.work) };
  });
  const times = measure(all.map(({ subject }) => subject), runs);
  arena.destroy();
  operators.destroy();
  return all.map((one, i) => ({ ...one, stats: times[i]! }));
}

export const reorder = defineBenchmark({
  name: "reorder",
  summary:
    "orders of a layer's product with its gradients: what auto chooses, and predicted against counted work",
  source: "Bazinska et al. 2023, Cached Operator Reordering",
  params,
  generated: uniformGraph,
  run({ graph: open }, { width: widths, runs }) {
    const { graph, label } = open(), engine = new Engine();
    // Counters know programs that were made while somebody watched.
    engine.observer = productCounters();
    const operator = graphOperator(engine, engine.arena(), graph, "sym") as SparseOperator;
    const layers = [true, false].flatMap((isFirst) =>
      widths.flatMap((inWidth) =>
        widths.flatMap((width) => {
          const lines = layerOf(engine, operator, inWidth, width, isFirst, runs);
          const best = Math.min(...lines.map(({ stats }) => stats.minMs));
          return lines.map(({ form, isChosen, stats, predicted, counted }) => ({
            ...resultOf({
              name: `${isFirst ? "first" : "inner"} ${inWidth} to ${width}: ${nameOf(form)}`,
              graph: label,
              width,
              dtype: "f32",
              stats: stats as Stats,
              flops: counted.flops,
              bytes: counted.bytes,
            }),
            reorder: {
              in_width: inWidth,
              out_width: width,
              is_first: isFirst,
              form,
              is_chosen: isChosen,
              of_best: stats.minMs / best,
              predicted,
              counted,
            },
          }));
        })
      )
    );
    const sorted = widths.toSorted((a, b) => a - b), middle = sorted[sorted.length >> 1]!;
    const ends = [sorted[0]!, sorted.at(-1)!] as const;
    const steps = ["gcn", "sage"].flatMap((name) =>
      [[ends[1], middle, ends[0]], [ends[0], middle, ends[1]], [middle, middle, middle]].flatMap((shape) => {
        const [inWidth, hidden, width] = shape as [number, number, number];
        const lines = modelOf(engine, graph, name, [inWidth, hidden, width], runs);
        const best = Math.min(...lines.slice(0, 2).map(({ stats }) => stats.minMs));
        return lines.map(({ reorder, stats, predicted, counted }) => ({
          ...resultOf({
            name: `${name} ${inWidth} to ${hidden} to ${hidden} to ${width}: ${reorder}`,
            graph: label,
            width: hidden,
            dtype: "f32",
            stats,
            flops: counted.flops,
            bytes: counted.bytes,
          }),
          reorder: {
            in_width: inWidth,
            out_width: width,
            is_first: true,
            form: null,
            is_chosen: reorder === "auto",
            of_best: stats.minMs / best,
            predicted,
            counted,
          },
        }));
      })
    );
    engine.destroy();
    return [...steps, ...layers];
  },
});
