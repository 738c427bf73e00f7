import { z } from "zod";
import { segmentReduce } from "../tensor/ops/segment.ts";
import { definePooling } from "./pooling.ts";

export const max = definePooling({
  name: "max",
  summary: "the largest value of each column",
  source: "Xu et al. 2019, arXiv:1810.00826, section 5.3",
  params: z.object({}).strict(),
  create: (_init, { width }) => ({
    width,
    apply: (tape, x, graphs) => segmentReduce(tape, x, graphs, "max"),
  }),
});
