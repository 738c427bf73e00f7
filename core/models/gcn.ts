/** Graph convolutional network. */
import { z } from "zod";
import { adjacencyKind, adjacencyParams } from "../tensor/norm.ts";
import { operatorProduct } from "../tensor/operator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { defineModel, matmulOrder, project, projection } from "./model.ts";
import { hopOf, precalcParam, precalculated, readsOf } from "./precalc.ts";
import { buildStack, lastLayerOf, stackParams } from "./stack.ts";

export const gcn = defineModel({
  name: "gcn",
  summary: "graph convolutional network: H' = relu(norm(A) H W + b)",
  source: "Kipf and Welling 2017, arXiv:1609.02907, eq. 2; cora 81.5, citeseer 70.3",
  params: z.object({
    ...adjacencyParams("sym"),
    precalc: precalcParam,
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
  build: (init, signature, params, role) =>
    buildStack(init, signature, params, role, (init, { index, count, inWidth, width }) => {
      const weight = init.glorot(`layer${index}.weight`, index, inWidth, width);
      const bias = params.bias ? init.zeros(`layer${index}.bias`, index, width) : null;
      const [hop, hops] = hopOf(params.precalc, index, count);
      return (tape, x, { operator }, after) => {
        // Dropout falls on the product where that is computed ahead.
        if (hop < 0) return after(tape, projection(x, weight), bias);
        const a = operator(hop, hops);
        // Multiply in the cheaper order: the sparse product runs at the narrower width.
        const z = matmulOrder(a, x, weight) === "combine-first"
          ? operatorProduct(a, project(tape, x, weight))
          : projection(a.apply(tape, x as Tensor), weight);
        return after(tape, z, bias);
      };
    }, readsOf(params.precalc)),
});
