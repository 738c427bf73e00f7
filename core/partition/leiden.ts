/** Leiden communities. */
import { z } from "zod";
import { findCommunities } from "../../ffi/native_communities.ts";
import { resolution } from "./louvain.ts";
import { definePartitioner } from "./partitioner.ts";

export const leiden = definePartitioner({
  name: "leiden",
  summary:
    "communities of high modularity that are connected: as louvain, with communities rebuilt in between",
  source: "Traag, Waltman and van Eck 2019, Sci. Rep. 9:5233",
  parts: "found",
  params: z.object({
    resolution,
    rounds: z.int().min(1).max(1000).default(2).describe("most times to start again from what came out"),
  }).strict(),
  partition: (graph, { seed }, params) =>
    findCommunities(graph.csr, graph.meta.directed, graph.nodeIds(), { method: "leiden", seed, ...params }),
});
