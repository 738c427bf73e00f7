/** Linear deterministic greedy. */
import { z } from "zod";
import { partitionStream } from "../../ffi/native_stream.ts";
import { definePartitioner } from "./partitioner.ts";
import { streamParams } from "./stream.ts";

export const ldg = definePartitioner({
  name: "ldg",
  summary:
    "one stream of nodes, each to the part of most neighbours weighted by the room left; O(n + k) memory",
  source: "Stanton and Kliot 2012, KDD; passes as Nishimura and Ugander 2013, KDD",
  params: z.object(streamParams).strict(),
  partition: (graph, request, { passes, streamOrder }) =>
    partitionStream(graph.csr, graph.meta.directed, graph.nodeIds(), {
      method: "ldg",
      ...request,
      gamma: 1.5,
      passes,
      order: streamOrder,
    }),
});
