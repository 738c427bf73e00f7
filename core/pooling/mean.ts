import { z } from "zod";
import { segmentReduce } from "../tensor/ops/segment.ts";
import { definePooling } from "./pooling.ts";

export const mean = definePooling({
  name: "mean",
  summary: "the mean of the nodes' rows",
  source: "Xu et al. 2019, arXiv:1810.00826, section 5.2",
  params: z.object({}).strict(),
  create: (_init, { width }) => ({
    width,
    apply: (tape, x, graphs) => segmentReduce(tape, x, graphs, "mean"),
  }),
});
