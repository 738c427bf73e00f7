import { z } from "zod";
import { matmul } from "../tensor/ops/matmul.ts";
import { byQuery, DECODER_LAYER, defineDecoder } from "./decoder.ts";

export const bilinear = defineDecoder({
  name: "bilinear",
  summary: "source' W target with a trained W: tells the two directions apart",
  source: "Nickel et al. 2011 (RESCAL), section 3.1, with one relation",
  params: z.object({}).strict(),
  create(init, { width }) {
    const weight = init.glorot("decoder.weight", DECODER_LAYER, width, width);
    return byQuery((tape, given, _type, side) => matmul(tape, given, weight, { transB: side === "target" }));
  },
});
