/** Simple graph convolution: a linear model on features propagated ahead of training. */
import { z } from "zod";
import { norms } from "../tensor/norm.ts";
import { affine, defineModel, dropoutFeatures } from "./model.ts";

export const sgc = defineModel({
  name: "sgc",
  summary: "simple graph convolution: softmax(norm(A)^K X W + b), propagated once",
  source: "Wu et al. 2019, arXiv:1902.07153, eq. 8; cora 81.0, citeseer 71.9",
  params: z.object({
    hops: z.int().min(0).max(1024).default(2).describe("propagation steps K, where no cache is given"),
    norm: z.enum(norms).default("sym").describe("adjacency normalisation, with self-loops"),
    dropout: z.number().min(0).lt(1).default(0).describe("dropout on the propagated features"),
    bias: z.boolean().default(true).describe("without bias terms"),
  }).strict(),
  accepts: {
    hops: () => 0,
    propagated: null,
    batches: "it reads each node's own propagated row, so that batches of neighbourhoods have nothing to add",
    precalc: "all of its products are computed ahead",
    approx: () => "its products are computed ahead of training",
  },
  propagate: ({ hops, norm }) => ({ hops, norm }),
  operator: ({ norm }) => norm,
  build(init, signature, { dropout, bias }) {
    const width = signature.num_classes;
    const weight = init.glorot("weight", 0, signature.num_features, width);
    const offset = bias ? init.zeros("bias", 0, width) : null;
    return {
      parameters: init.parameters,
      width,
      forward: (tape, { features, ids }) =>
        affine(tape, dropoutFeatures(tape, features, dropout, 0, ids), weight, offset),
    };
  },
});
