/** Graph convolutional network. */
import { z } from "zod";
import { norms } from "../tensor/norm.ts";
import { addBias } from "../tensor/ops/add_bias.ts";
import { relu } from "../tensor/ops/relu.ts";
import { SparseOperator } from "../tensor/operator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { defineModel, dropoutFeatures, type FeatureInput, matmulOrder, project } from "./model.ts";

export const gcn = defineModel({
  name: "gcn",
  summary: "graph convolutional network: H' = relu(norm(A) H W + b)",
  source: "Kipf and Welling 2017, arXiv:1609.02907, eq. 2; cora 81.5, citeseer 70.3",
  params: z.object({
    hidden: z.int().min(1).default(16).describe("width of the hidden layers"),
    layers: z.int().min(1).max(64).default(2).describe("number of layers"),
    dropout: z.number().min(0).lt(1).default(0.5).describe("dropout on every layer's input"),
    norm: z.enum(norms).default("sym").describe("adjacency normalisation, with self-loops"),
    bias: z.boolean().default(true).describe("without bias terms"),
  }).strict(),
  accepts: {
    hops: ({ layers }) => layers,
    propagated: "its layers multiply by the adjacency themselves, after dropout",
    batches: null,
  },
  operator: ({ norm }) => norm,
  build(init, signature, { hidden, layers, dropout, bias }, role) {
    const width = role === "logits" ? signature.num_classes : hidden;
    const widths = [signature.num_features, ...Array<number>(layers - 1).fill(hidden), width];
    const weights = widths.slice(1).map((width, l) => init.glorot(`layer${l}.weight`, l, widths[l]!, width));
    const biases = widths.slice(1).map((width, l) => bias ? init.zeros(`layer${l}.bias`, l, width) : null);
    return {
      parameters: init.parameters,
      width,
      forward(tape, { features, operator, ids }) {
        let x: FeatureInput = features;
        for (let l = 0; l < layers; l++) {
          const a = operator(l, layers);
          const input: FeatureInput = dropoutFeatures(tape, x, dropout, l, ids);
          const w = weights[l]!;
          // Multiply in the cheaper order: the sparse product runs at the narrower width.
          const y: Tensor = matmulOrder(input, w) === "combine-first" || input instanceof SparseOperator
            ? a.apply(tape, project(tape, input, w))
            : project(tape, a.apply(tape, input), w);
          const z = biases[l] ? addBias(tape, y, biases[l]!) : y;
          x = l < layers - 1 || role === "hidden" ? relu(tape, z) : z;
        }
        return x as Tensor;
      },
    };
  },
});
