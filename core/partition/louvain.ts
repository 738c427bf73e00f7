/** Louvain communities. */
import { z } from "zod";
import { findCommunities } from "../../ffi/native_communities.ts";
import { definePartitioner } from "./partitioner.ts";

/** Of every method that maximises modularity. */
export const resolution = z.number().positive().max(1e6).default(1).describe(
  "weight of the expected edges in modularity: above 1 finds more and smaller communities",
);

export const louvain = definePartitioner({
  name: "louvain",
  summary: "communities of high modularity: nodes move, communities become nodes, and so on",
  source: "Blondel et al. 2008, J. Stat. Mech. P10008",
  parts: "found",
  params: z.object({ resolution }).strict(),
  partition: (graph, { seed }, params) =>
    findCommunities(graph.csr, graph.meta.directed, graph.nodeIds(), {
      method: "louvain",
      rounds: 1,
      seed,
      ...params,
    }),
});
