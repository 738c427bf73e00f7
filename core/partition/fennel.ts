/** Fennel. */
import { z } from "zod";
import { partitionStream } from "../../ffi/native_stream.ts";
import { definePartitioner } from "./partitioner.ts";
import { streamParams } from "./stream.ts";

export const fennel = definePartitioner({
  name: "fennel",
  summary:
    "one stream of nodes, each to the part of most neighbours less a cost of its size; O(n + k) memory",
  source: "Tsourakakis et al. 2014, WSDM; passes as Nishimura and Ugander 2013, KDD",
  params: z.object({
    ...streamParams,
    gamma: z.number().gt(1).max(10).default(1.5).describe("exponent of the cost of a part's size"),
  }).strict(),
  partition: (graph, request, { passes, streamOrder, gamma }) =>
    partitionStream(graph.csr, graph.meta.directed, graph.nodeIds(), {
      method: "fennel",
      ...request,
      gamma,
      passes,
      order: streamOrder,
    }),
});
