/** Graph isomorphism network. */
import { z } from "zod";
import { mul } from "../tensor/ops/mul.ts";
import { broadcastScalar } from "../tensor/ops/row_sum.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { finish } from "./activation.ts";
import { defineModel, project, projection } from "./model.ts";
import { addRows, buildStack, graphRanges, makeNorm, stackParams } from "./stack.ts";

export const gin = defineModel({
  name: "gin",
  summary: "graph isomorphism network: H' = MLP((1 + eps) H + A H) with two-layer MLPs",
  source: "Xu et al. 2019, arXiv:1810.00826, eq. 4.1; MUTAG 89.4, PROTEINS 76.2, IMDB-B 75.1 (GIN-0)",
  params: z.object({
    trainEps: z.boolean().default(false).describe("learn eps of every layer, instead of eps = 0"),
    ...stackParams({ hidden: 64, layers: 4, dropout: 0, layerNorm: "batch", jk: "cat" }),
  }).strict(),
  accepts: {
    hops: ({ layers }) => layers,
    propagated: "its layers add neighbours up themselves",
    batches: null,
    precalc: "how much a node's own features count may be learnt",
    approx: () => null,
  },
  operator: () => "none",
  train: { lr: 0.01, weightDecay: 0 },
  build: (init, signature, params, role) =>
    buildStack(init, signature, params, role, (init, { index, count, inWidth, width }) => {
      const name = `layer${index}`, { hidden, bias } = params;
      const first = init.glorot(`${name}.first`, index, inWidth, hidden);
      const firstBias = bias ? init.zeros(`${name}.first_bias`, index, hidden) : null;
      const norm = makeNorm(init, params, { name: `${name}.inner_norm`, layer: index, width: hidden });
      const second = init.glorot(`${name}.second`, index, hidden, width);
      const secondBias = bias ? init.zeros(`${name}.second_bias`, index, width) : null;
      const eps = params.trainEps ? init.scale(`${name}.eps`, index, 1, 0) : null;
      return (tape, x, input, after) => {
        // The sum and the first linear layer commute; the product runs at the hidden width.
        const y = project(tape, x, first);
        const near = input.operator(index, count).apply(tape, y);
        const own = eps && mul(tape, y, broadcastScalar(tape, eps, y.shape));
        const z = own ? addRows(tape, near, own) : near;
        const sum = { addend: firstRows(tape, y, z.rows), bias: firstBias }, { activation } = params;
        const hidden = norm
          ? finish(tape, norm.apply(tape, finish(tape, z, sum), graphRanges(input)), { activation })
          : finish(tape, z, { ...sum, activation });
        return after(tape, projection(hidden, second), secondBias);
      };
    }),
});
