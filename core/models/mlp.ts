/** Multi-layer perceptron: the baseline that sees no edges, unless its features were propagated ahead. */
import { z } from "zod";
import { relu } from "../tensor/ops/relu.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { affine, defineModel, dropoutFeatures, type FeatureInput } from "./model.ts";

export const mlp = defineModel({
  name: "mlp",
  summary: "multi-layer perceptron on each node's own features",
  source: "baseline of Kipf and Welling 2017, table 2; cora 55.1, citeseer 46.5",
  params: z.object({
    hidden: z.int().min(1).default(16).describe("width of the hidden layers"),
    layers: z.int().min(1).max(64).default(2).describe("number of layers"),
    dropout: z.number().min(0).lt(1).default(0.5).describe("dropout on every layer's input"),
    bias: z.boolean().default(true).describe("without bias terms"),
  }).strict(),
  accepts: {
    hops: () => 0,
    propagated: null,
    batches: "it reads each node's own features, so that batches of neighbourhoods have nothing to add",
  },
  operator: () => "sym",
  build(init, signature, { hidden, layers, dropout, bias }, role) {
    const width = role === "logits" ? signature.num_classes : hidden;
    const widths = [signature.num_features, ...Array<number>(layers - 1).fill(hidden), width];
    const weights = widths.slice(1).map((width, l) => init.glorot(`layer${l}.weight`, l, widths[l]!, width));
    const biases = widths.slice(1).map((width, l) => bias ? init.zeros(`layer${l}.bias`, l, width) : null);
    return {
      parameters: init.parameters,
      width,
      forward(tape, { features, ids }) {
        let x: FeatureInput = features;
        for (let l = 0; l < layers; l++) {
          const z: Tensor = affine(tape, dropoutFeatures(tape, x, dropout, l, ids), weights[l]!, biases[l]!);
          x = l < layers - 1 || role === "hidden" ? relu(tape, z) : z;
        }
        return x as Tensor;
      },
    };
  },
});
