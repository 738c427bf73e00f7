/** GraphSAGE: a node's own features and an aggregate of its neighbours', each with its weights. */
import { z } from "zod";
import type { Tape } from "../tensor/autograd.ts";
import { addBias } from "../tensor/ops/add_bias.ts";
import { relu } from "../tensor/ops/relu.ts";
import { type Operator, SparseOperator, storedEntries } from "../tensor/operator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { affine, defineModel, type FeatureInput, type Init, matmulOrder, project } from "./model.ts";
import { addRows, buildStack, dense, type LayerPlace, stackParams } from "./stack.ts";

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
    ...stackParams({ hidden: 64, layers: 2, dropout: 0.5 }),
  }).strict(),
  accepts: {
    hops: ({ layers }) => layers,
    propagated: "its layers aggregate neighbours themselves, after dropout",
    batches: null,
  },
  operator: ({ aggregator }) => aggregator === "mean" ? "mean" : "none",
  ignoresWeights: ({ aggregator }) => aggregator !== "mean",
  train: { lr: 0.01, weightDecay: 5e-4 },
  build: (init, signature, params, role) =>
    buildStack(init, signature, params, role, (init, place) => {
      const { index, count, inWidth, width } = place;
      const own = init.glorot(`layer${index}.self`, index, inWidth, width);
      const sum = params.aggregator === "mean"
        ? meanSum(init, place, own)
        : maximumSum(init, place, own, params.aggregator === "pool" ? params.hidden : null);
      const bias = params.bias ? init.zeros(`layer${index}.bias`, index, width) : null;
      return (tape, x, { operator }) => {
        const y = sum(tape, x, operator(index, count));
        return bias ? addBias(tape, y, bias) : y;
      };
    }),
});

/** A layer's product of own and neighbours' features: (numCols, inWidth) -> (numRows, width). */
type Sum = (tape: Tape, x: FeatureInput, operator: Operator) => Tensor;

function meanSum(init: Init, { index, inWidth, width }: LayerPlace, own: Tensor): Sum {
  const weight = init.glorot(`layer${index}.neighbour`, index, inWidth, width);
  return (tape, x, operator) => {
    const neighbours = matmulOrder(x, weight) === "combine-first" || x instanceof SparseOperator
      ? operator.apply(tape, project(tape, x, weight))
      : project(tape, operator.apply(tape, x), weight);
    return addRows(tape, neighbours, project(tape, x, own));
  };
}

/** @param pool  width of the layer that neighbours go through first, or null. */
function maximumSum(
  init: Init,
  { index, inWidth, width }: LayerPlace,
  own: Tensor,
  pool: number | null,
): Sum {
  const name = `layer${index}`;
  const first = pool === null ? null : {
    weight: init.glorot(`${name}.pool`, index, inWidth, pool),
    bias: init.zeros(`${name}.pool_bias`, index, pool),
  };
  const weight = init.glorot(`${name}.neighbour`, index, pool ?? inWidth, width);
  return (tape, x, operator) => {
    // The maximum is over the neighbours, whatever the weights of the edges.
    const { pattern } = storedEntries(operator, "A maximum over neighbours");
    const seen = first ? relu(tape, affine(tape, x, first.weight, first.bias)) : dense(tape, x, weight);
    const neighbours = project(tape, new SparseOperator(pattern).reduce(tape, seen, "max"), weight);
    return addRows(tape, neighbours, project(tape, x, own));
  };
}
