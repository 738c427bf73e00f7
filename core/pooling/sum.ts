import { z } from "zod";
import { segmentReduce } from "../tensor/ops/segment.ts";
import { definePooling } from "./pooling.ts";

export const sum = definePooling({
  name: "sum",
  summary: "the sum of the nodes' rows: sees how many nodes there are",
  source: "Xu et al. 2019, arXiv:1810.00826, section 4",
  params: z.object({}).strict(),
  create: (_init, { width }) => ({
    width,
    apply: (tape, x, graphs) => segmentReduce(tape, x, graphs, "sum"),
  }),
});
