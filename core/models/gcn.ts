/** Graph convolutional network. */
import { z } from "zod";
import { adjacencyKind, adjacencyParams } from "../tensor/norm.ts";
import { defineModel, type ForwardInput, projection } from "./model.ts";
import type { SparseOperator } from "../tensor/operator.ts";
import { hopOf, precalcParam, precalculated, readsOf } from "./precalc.ts";
import { ProductPlans, reorderParams } from "./reorder.ts";
import { buildStack, lastLayerOf, stackParams } from "./stack.ts";

export const gcn = defineModel({
  name: "gcn",
  summary: "graph convolutional network: H' = relu(norm(A) H W + b)",
  source: "Kipf and Welling 2017, arXiv:1609.02907, eq. 2; cora 81.5, citeseer 70.3",
  params: z.object({
    ...adjacencyParams("sym"),
    precalc: precalcParam,
    ...reorderParams,
    ...stackParams({ hidden: 16, layers: 2, dropout: 0.5 }),
  }).strict(),
  accepts: {
    hops: ({ layers, precalc }) => precalc ? layers - 1 : layers,
    propagated: "its layers multiply by the adjacency themselves, after dropout",
    batches: null,
    precalc: null,
    approx: () => null,
  },
  operator: adjacencyKind,
  precalc: (params) => precalculated(params, adjacencyKind(params), false),
  lastLayer: (params) =>
    params.precalc
      ? "--precalc: its first layer is computed ahead, of all nodes"
      : lastLayerOf(params, ["neighbours"]),
  build(init, signature, params, role) {
    const plans = new ProductPlans(params), { precalc, activation, dropout, residual } = params;
    const model = buildStack(init, signature, params, role, (init, { index, count, inWidth, width }) => {
      const weight = init.glorot(`layer${index}.weight`, index, inWidth, width);
      const bias = params.bias ? init.zeros(`layer${index}.bias`, index, width) : null;
      const [hop, hops] = hopOf(precalc, index, count);
      // Dropout falls on the product where that is computed ahead.
      if (hop < 0) return (tape, x, _, after) => after(tape, projection(x, weight), bias);
      const product = plans.add({
        layer: index,
        inWidth,
        width,
        isFirst: index === 0,
        makesInput: dropout > 0 || index > 0,
        // The gradient of an activation or of dropout reads what it gave.
        keepsInput: residual !== "none" || (index > 0 && (activation !== "none" || dropout > 0)),
        hasOwn: false,
      });
      return (tape, x, { operator }, after) =>
        after(tape, product(tape, operator(hop, hops), x, weight), bias);
    }, readsOf(precalc));
    const plan = ({ operator, features }: ForwardInput) =>
      plans.planned(operator(0, params.layers) as SparseOperator, features);
    return { ...model, plan };
  },
});
