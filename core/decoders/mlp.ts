import { z } from "zod";
import { addBias } from "../tensor/ops/add_bias.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { mul } from "../tensor/ops/mul.ts";
import { relu } from "../tensor/ops/relu.ts";
import { reshape } from "../tensor/ops/reshape.ts";
import { DECODER_LAYER, defineDecoder } from "./decoder.ts";

export const mlp = defineDecoder({
  name: "mlp",
  summary: "two linear layers on the element-wise product of the two vectors; the same both ways",
  source: "Hu et al. 2020, arXiv:2005.00687, section 4 (the link predictor of its baselines)",
  params: z.object({
    decoderHidden: z.int().min(1).default(64).describe("width of the decoder's hidden layer"),
  }).strict(),
  create(init, { width }, { decoderHidden }) {
    const first = init.glorot("decoder.0.weight", DECODER_LAYER, width, decoderHidden);
    const firstBias = init.zeros("decoder.0.bias", DECODER_LAYER, decoderHidden);
    const last = init.glorot("decoder.1.weight", DECODER_LAYER, decoderHidden, 1);
    const lastBias = init.zeros("decoder.1.bias", DECODER_LAYER, 1);
    return {
      score(tape, { source, target }) {
        const hidden = relu(tape, addBias(tape, matmul(tape, mul(tape, source, target), first), firstBias));
        return reshape(tape, addBias(tape, matmul(tape, hidden, last), lastBias), [source.rows]);
      },
    };
  },
});
