/** gust's own partitioner. */
import { z } from "zod";
import { efforts, objectives, partitionMultilevel, schemes } from "../../ffi/native_partition.ts";
import { definePartitioner } from "./partitioner.ts";

export const multilevel = definePartitioner({
  name: "multilevel",
  summary: "coarsen, bisect the smallest graph, refine on the way back: a small cut within the balance",
  source:
    "Karypis and Kumar 1998; clusters as Meyerhenke et al. 2014; refinement as Gilbert et al. 2023, arXiv:2304.13194",
  params: z.object({
    effort: z.enum(efforts).default("default").describe(
      "smaller cuts for more time: best takes about ten times as long",
    ),
    objective: z.enum(objectives).default("cut").describe(
      "what is made small: edges between parts, or the communication volume (halo), from a small cut on",
    ),
    scheme: z.enum(schemes).default("kway").describe("all parts at once, or halves of halves"),
  }).strict(),
  refines: true,
  weighs: true,
  partition: (graph, { k, imbalance, seed, refine, weights = [] }, { effort, objective, scheme }) =>
    partitionMultilevel(graph.csr, graph.meta.directed, k, {
      imbalance,
      effort,
      scheme,
      objective,
      seed,
      refine,
      weights: weights.map(({ values }) => values),
    }),
});
