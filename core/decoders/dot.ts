import { z } from "zod";
import { byQuery, defineDecoder } from "./decoder.ts";

export const dot = defineDecoder({
  name: "dot",
  summary: "the product of the two vectors; the same both ways",
  source: "Kipf and Welling 2016, arXiv:1611.07308, eq. 2",
  params: z.object({}).strict(),
  create: () => byQuery((_tape, given) => given),
});
