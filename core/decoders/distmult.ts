import { z } from "zod";
import { gather } from "../tensor/ops/gather.ts";
import { mul } from "../tensor/ops/mul.ts";
import { Tensor } from "../tensor/tensor.ts";
import { byQuery, DECODER_LAYER, defineDecoder } from "./decoder.ts";

export const distmult = defineDecoder({
  name: "distmult",
  summary:
    "the product of the two vectors, weighted by a trained vector of the link's type; the same both ways",
  source: "Yang et al. 2015, arXiv:1412.6575, eq. 2",
  params: z.object({}).strict(),
  isTyped: true,
  create(init, { width, numTypes }) {
    const relations = init.glorot("decoder.relation", DECODER_LAYER, numTypes ?? 1, width);
    return byQuery((tape, given, type) => mul(tape, given, gather(tape, relations, new Tensor(type!))));
  },
});
