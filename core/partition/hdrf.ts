/** High-degree replicated first. */
import { z } from "zod";
import { partitionEdges } from "../../ffi/native_edges.ts";
import { definePartitioner } from "./partitioner.ts";

export const hdrf = definePartitioner({
  name: "hdrf",
  summary: "parts of edges, streamed: nodes of high degree are cut first; memory of a bit per node and part",
  source: "Petroni et al. 2015, CIKM",
  of: "edges",
  params: z.object({
    lambda: z.number().min(0).max(1e6).default(1.1).describe("weight of equal parts"),
  }).strict(),
  partition: (graph, { k, imbalance, seed }, { lambda }) =>
    partitionEdges(graph.csr, graph.meta.directed, null, { k, seed, hdrf: { lambda, imbalance } }),
});
