/** GCN of any depth: initial residual and identity mapping. */
import { z } from "zod";
import { log } from "../arithmetic.ts";
import { norms } from "../tensor/norm.ts";
import type { Tape } from "../tensor/autograd.ts";
import { axpby } from "../tensor/ops/axpby.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { finish } from "./activation.ts";
import {
  affine,
  defineModel,
  dropoutFeatures,
  type FeatureInput,
  type ForwardInput,
  project,
  type Stage,
} from "./model.ts";
import { withStart } from "./stages.ts";
import { graphRanges, layerParams, makeNorm, normParams, takesBlocks } from "./stack.ts";

export const gcnii = defineModel({
  name: "gcnii",
  summary: "deep GCN: Z = (1 - alpha) norm(A) H + alpha H0, H' = relu(Z ((1 - beta) I + beta W))",
  source: "Chen et al. 2020, arXiv:2007.02133, eq. 5; cora 85.5 (64 layers), 84.6 (16), citeseer 73.4 (32)",
  params: z.object({
    alpha: z.number().min(0).max(1).default(0.1).describe("share of the first representation in every layer"),
    lambda: z.number().min(0).default(0.5).describe("beta of layer l is log(1 + lambda / l)"),
    convDecay: z.number().min(0).default(0.01).describe("weight decay of the convolutions"),
    denseDecay: z.number().min(0).default(5e-4).describe("weight decay of the first and last linear layer"),
    norm: z.enum(norms).default("sym").describe("adjacency normalisation, with self-loops"),
    ...layerParams({ hidden: 64, layers: 64, dropout: 0.6 }),
    ...normParams(),
  }).strict(),
  accepts: {
    hops: ({ layers }) => layers,
    propagated: "its layers multiply by the adjacency themselves, after dropout",
    batches: null,
    precalc: "its first layer reads features alone",
    approx: () => null,
  },
  operator: ({ norm }) => norm,
  train: { lr: 0.01, featNorm: "row", epochs: 1500, patience: 100 },
  replaced: {
    weightDecay: "--conv-decay and --dense-decay",
    weightDecayOn: "--conv-decay and --dense-decay",
  },
  build(init, signature, params, role) {
    const { hidden, layers, dropout, alpha, lambda, convDecay, denseDecay, bias, activation } = params;
    const linear = (name: string, layer: number, rows: number, cols: number) => ({
      weight: init.glorot(`${name}.weight`, layer, rows, cols, denseDecay),
      bias: bias ? init.zeros(`${name}.bias`, layer, cols) : null,
    });
    const input = linear("input", 0, signature.num_features, hidden);
    const convolutions = Array.from({ length: layers }, (_, l) => ({
      weight: init.glorot(`layer${l}.weight`, l + 1, hidden, hidden, convDecay),
      beta: log(1 + lambda / (l + 1)),
      norm: makeNorm(init, params, { name: `layer${l}.norm`, layer: l + 1, width: hidden }),
    }));
    const output = role === "logits" ? linear("output", layers + 1, hidden, signature.num_classes) : null;
    const embed = (tape: Tape, x: FeatureInput) =>
      finish(tape, project(tape, x, input.weight), { bias: input.bias, activation });
    // A round is read by the next one's dropout alone; the start by every round.
    const round = (tape: Tape, x: Tensor, start: Tensor, batch: ForwardInput, l: number) => {
      const { weight, beta, norm } = convolutions[l]!;
      const spread = batch.operator(l, layers).apply(tape, x);
      const z = axpby(tape, spread, firstRows(tape, start, spread.rows), 1 - alpha, alpha);
      const mixed = axpby(tape, z, matmul(tape, z, weight), 1 - beta, beta);
      const isRead = l + 1 < layers || output !== null;
      return finish(tape, norm ? norm.apply(tape, mixed, graphRanges(batch)) : mixed, {
        activation,
        drop: isRead ? { p: dropout, layer: l + 2, ids: batch.ids } : null,
      });
    };
    const width = output ? signature.num_classes : hidden;
    const end = (tape: Tape, x: Tensor) => output ? affine(tape, x, output.weight, output.bias) : x;
    const first: Stage = { width: hidden, reads: "own", forward: embed };
    return {
      parameters: init.parameters,
      buffers: init.buffers,
      width,
      forward(tape, batch) {
        const { features, ids } = batch;
        const start = embed(tape, dropoutFeatures(tape, features, dropout, 0, ids));
        let x = dropoutFeatures(tape, start, dropout, 1, ids) as Tensor;
        for (let l = 0; l < layers; l++) x = round(tape, x, start, batch, l);
        return end(tape, x);
      },
      ...(takesBlocks(params)
        ? { stages: withStart([first], layers, hidden, round, { width, forward: end }) }
        : {}),
    };
  },
});
