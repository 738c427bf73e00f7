/** gust's own partitioner. */
import { z } from "zod";
import { partitionMultilevel } from "../../ffi/native_partition.ts";
import { definePartitioner } from "./partitioner.ts";

export const multilevel = definePartitioner({
  name: "multilevel",
  summary: "coarsen, bisect the smallest graph, refine on the way back: a small cut within the balance",
  source: "Karypis and Kumar 1998; refinement as Gilbert et al. 2023, arXiv:2304.13194",
  params: z.object({
    cycles: z.int().min(0).max(100).default(0).describe(
      "V-cycles after the first pass: smaller cuts, more time",
    ),
  }).strict(),
  partition: (graph, { k, imbalance, seed }, { cycles }) =>
    partitionMultilevel(graph.csr, graph.meta.directed, k, { imbalance, cycles, seed }),
});
