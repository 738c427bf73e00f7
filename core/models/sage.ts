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
type Aggregator = (typeof aggregators)[number];

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
  train: { lr: 0.01, weightDecay: 5e-4 },
  build: (init, signature, params, role) =>
    buildStack(init, signature, params, role, (init, place) => {
      const { index, count, inWidth, width } = place;
      const own = init.glorot(`layer${index}.self`, index, inWidth, width);
      const neighbours = aggregate(init, place, params);
      const bias = params.bias ? init.zeros(`layer${index}.bias`, index, width) : null;
      return (tape, x, { operator }) => {
        const y = addRows(tape, neighbours(tape, x, operator(index, count)), project(tape, x, own));
        return bias ? addBias(tape, y, bias) : y;
      };
    }),
});

/** What a layer makes of the neighbours: (numCols, inWidth) -> (numRows, width). */
function aggregate(
  init: Init,
  { index, inWidth, width }: LayerPlace,
  { aggregator, hidden }: { aggregator: Aggregator; hidden: number },
): (tape: Tape, x: FeatureInput, operator: Operator) => Tensor {
  const name = `layer${index}`;
  if (aggregator === "mean") {
    const weight = init.glorot(`${name}.neighbour`, index, inWidth, width);
    return (tape, x, operator) =>
      matmulOrder(x, weight) === "combine-first" || x instanceof SparseOperator
        ? operator.apply(tape, project(tape, x, weight))
        : project(tape, operator.apply(tape, x), weight);
  }
  /** The maximum over the neighbours, whatever the weights of the edges. */
  const maximum = (tape: Tape, x: Tensor, operator: Operator) =>
    new SparseOperator(storedEntries(operator, "A maximum over neighbours").pattern).reduce(tape, x, "max");
  if (aggregator === "max") {
    const weight = init.glorot(`${name}.neighbour`, index, inWidth, width);
    return (tape, x, operator) => project(tape, maximum(tape, dense(tape, x, weight), operator), weight);
  }
  const pool = init.glorot(`${name}.pool`, index, inWidth, hidden);
  const offset = init.zeros(`${name}.pool_bias`, index, hidden);
  const weight = init.glorot(`${name}.neighbour`, index, hidden, width);
  return (tape, x, operator) =>
    project(tape, maximum(tape, relu(tape, affine(tape, x, pool, offset)), operator), weight);
}
