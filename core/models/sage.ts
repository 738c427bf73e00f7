/** GraphSAGE: a node's own features and an aggregate of its neighbours', each with its weights. */
import { z } from "zod";
import type { Tape } from "../tensor/autograd.ts";
import { type Operator, type Product, SparseOperator, storedEntries } from "../tensor/operator.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { Tensor } from "../tensor/tensor.ts";
import { finish } from "./activation.ts";
import {
  defineModel,
  type FeatureInput,
  type ForwardInput,
  type Init,
  projection,
  sumOfProducts,
} from "./model.ts";
import { ProductPlans, reorderParams } from "./reorder.ts";
import { buildStack, dense, lastLayerOf, type LayerPlace, stackParams } from "./stack.ts";

const aggregators = ["mean", "max", "pool"] as const;

export const sage = defineModel({
  name: "sage",
  summary: "GraphSAGE: H' = relu(H W + aggregate(neighbours of H) V + b)",
  source:
    "Hamilton et al. 2017, arXiv:1706.02216, algorithm 1 and eq. 3; Reddit micro-F1 95.0 (mean), 94.8 (pool)",
  params: z.object({
    aggregator: z.enum(aggregators).default("mean").describe(
      "mean or maximum of the neighbours, or maximum of a layer of its own over them (pool)",
    ),
    ...reorderParams,
    ...stackParams({ hidden: 64, layers: 2, dropout: 0.5 }),
  }).strict().refine(({ aggregator, reorder }) => aggregator === "mean" || reorder === "auto", {
    path: ["reorder"],
    error: "a maximum over neighbours is no product: it has one order, expected auto or --aggregator mean",
  }).refine(({ aggregator, memoryBudget }) => aggregator === "mean" || memoryBudget === "none", {
    path: ["memoryBudget"],
    error: "a maximum over neighbours is not computed again, expected none or --aggregator mean",
  }),
  accepts: {
    hops: ({ layers }) => layers,
    propagated: "its layers aggregate neighbours themselves, after dropout",
    batches: null,
    precalc: "its neighbours may be reduced by a maximum, and have weights of their own",
    approx: ({ aggregator }) =>
      aggregator === "mean"
        ? null
        : "the gradient of a maximum goes to one neighbour per column, which is no product",
  },
  lastLayer: (params) =>
    params.aggregator === "mean"
      ? lastLayerOf(params, ["own", "neighbours"])
      : `--aggregator ${params.aggregator}: a maximum over neighbours is no product`,
  operator: ({ aggregator }) => aggregator === "mean" ? "mean" : "none",
  ignoresWeights: ({ aggregator }) => aggregator !== "mean",
  train: { lr: 0.01, weightDecay: 5e-4 },
  build(init, signature, params, role) {
    const plans = new ProductPlans(params);
    const model = buildStack(init, signature, params, role, (init, place) => {
      const { index, count, inWidth, width } = place;
      const own = init.glorot(`layer${index}.self`, index, inWidth, width);
      const neighbours = params.aggregator === "mean"
        ? meanOf(init, place, plans, params.dropout > 0)
        : maximumOf(init, place, params.aggregator === "pool" ? params.hidden : null);
      const bias = params.bias ? init.zeros(`layer${index}.bias`, index, width) : null;
      return (tape, x, { operator }, after) => {
        const a = operator(index, count), summed = neighbours(tape, x, a);
        // A sampled block has many more columns than rows, and the rows are the first of them. They are taken behind
        // the neighbours, so that their gradient is there when that of the neighbours is computed, which adds it.
        const kept = x instanceof Tensor ? firstRows(tape, x, a.numRows) : x;
        const { z, addend } = sumOfProducts(tape, summed, projection(kept, own));
        return after(tape, z, bias, addend);
      };
    });
    const plan = ({ operator, features }: ForwardInput) =>
      plans.planned(operator(0, params.layers) as SparseOperator, features);
    return params.aggregator === "mean" ? { ...model, plan } : model;
  },
});

/** A layer's product of the neighbours' features: (numCols, inWidth) -> (numRows, width). */
type Neighbours = (tape: Tape, x: FeatureInput, operator: Operator) => Product;

function meanOf(
  init: Init,
  { index, inWidth, width }: LayerPlace,
  plans: ProductPlans,
  drops: boolean,
): Neighbours {
  const weight = init.glorot(`layer${index}.neighbour`, index, inWidth, width);
  // A node's own weights read X as well.
  const place = {
    layer: index,
    inWidth,
    width,
    isFirst: index === 0,
    makesInput: drops || index > 0,
    keepsInput: false,
    hasOwn: true,
  };
  const product = plans.add(place);
  return (tape, x, operator) => product(tape, operator, x, weight);
}

/** @param pool  width of the layer that neighbours go through first, or null. */
function maximumOf(init: Init, { index, inWidth, width }: LayerPlace, pool: number | null): Neighbours {
  const name = `layer${index}`;
  const first = pool === null ? null : {
    weight: init.glorot(`${name}.pool`, index, inWidth, pool),
    bias: init.zeros(`${name}.pool_bias`, index, pool),
  };
  const weight = init.glorot(`${name}.neighbour`, index, pool ?? inWidth, width);
  return (tape, x, operator) => {
    // The maximum is over the neighbours, whatever the weights of the edges.
    const { pattern } = storedEntries(operator, "A maximum over neighbours");
    const seen = first
      ? finish(tape, projection(x, first.weight), { bias: first.bias, activation: "relu" })
      : dense(tape, x, weight);
    return projection(new SparseOperator(pattern).reduce(tape, seen, "max"), weight);
  };
}
