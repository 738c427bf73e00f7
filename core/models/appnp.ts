/** Personalised propagation of neural predictions. */
import { z } from "zod";
import { norms } from "../tensor/norm.ts";
import { axpby } from "../tensor/ops/axpby.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { SparseOperator } from "../tensor/operator.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { linearLayer } from "./mlp.ts";
import { defineModel, type ForwardInput } from "./model.ts";
import { withStart } from "./stages.ts";
import { buildStack, stackParams } from "./stack.ts";

/** Masks of the operator are told from those of features by this much. */
const OPERATOR_MASKS = 128;

export const appnp = defineModel({
  name: "appnp",
  summary: "predictions of an MLP, spread by personalised PageRank: Z' = (1 - alpha) norm(A) Z + alpha H",
  source: "Gasteiger et al. 2019, arXiv:1810.05997, eq. 5; cora-ml 85.1, citeseer 75.7 (splits of its own)",
  params: z.object({
    hops: z.int().min(0).max(127).default(10).describe("propagation steps K"),
    alpha: z.number().min(0).max(1).default(0.1).describe("share of the start in every step"),
    edgeDropout: z.number().min(0).lt(1).default(0.5).describe("dropout on the entries of the operator"),
    norm: z.enum(norms).default("sym").describe("adjacency normalisation, with self-loops"),
    ...stackParams({ hidden: 64, layers: 2, dropout: 0.5 }),
  }).strict(),
  accepts: {
    hops: ({ hops }) => hops,
    propagated: "it propagates its predictions, not its features",
    batches: null,
    precalc: "its first layers read features alone",
    approx: () => null,
  },
  operator: ({ norm }) => norm,
  train: {
    lr: 0.01,
    weightDecay: 5e-3,
    weightDecayOn: "first",
    featNorm: "row",
    epochs: 1000,
    patience: 100,
  },
  build(init, signature, params, role) {
    const { hops, alpha, edgeDropout } = params;
    const mlp = buildStack(init, signature, params, role, linearLayer(params), () => "own");
    const spreadOnce = (tape: Tape, x: Tensor, start: Tensor, input: ForwardInput, hop: number) => {
      const operator = input.operator(hop, hops);
      const a = operator instanceof SparseOperator
        ? operator.dropoutEdges(tape, edgeDropout, OPERATOR_MASKS + hop, input.ids, x.dtype)
        : operator;
      const spread = a.apply(tape, x);
      return axpby(tape, spread, firstRows(tape, start, spread.rows), 1 - alpha, alpha);
    };
    return {
      ...mlp,
      forward(tape, input) {
        const start = mlp.forward(tape, input);
        let x = start;
        for (let hop = 0; hop < hops; hop++) x = spreadOnce(tape, x, start, input, hop);
        return x;
      },
      ...(mlp.stages ? { stages: withStart(mlp.stages, hops, mlp.width, spreadOnce) } : {}),
    };
  },
});
