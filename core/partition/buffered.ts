/** Multilevel partitioning of a stream, a buffer of nodes at a time. */
import { z } from "zod";
import { partitionBuffered } from "../../ffi/native_stream.ts";
import { definePartitioner } from "./partitioner.ts";
import { streamParams } from "./stream.ts";

export const buffered = definePartitioner({
  name: "buffered",
  summary:
    "a stream in buffers, each partitioned by the multilevel method beside the parts so far; memory of a buffer",
  source: "Faraj and Schulz 2021, arXiv:2102.09384 (HeiStream)",
  params: z.object({
    buffer: z.number().positive().default(0.25).describe(
      "nodes that are looked at together; below 1 a share of all nodes",
    ),
    ...streamParams,
    cycles: z.int().min(0).max(100).default(1).describe(
      "multilevel cycles per buffer; 0: nodes stay where fennel puts them",
    ),
  }).strict(),
  partition(graph, request, { buffer, passes, streamOrder, cycles }) {
    const nodes = Math.max(1, Math.ceil(buffer < 1 ? buffer * graph.numNodes : buffer));
    return partitionBuffered(graph.csr, graph.meta.directed, graph.nodeIds(), {
      ...request,
      buffer: nodes,
      passes,
      order: streamOrder,
      cycles,
    });
  },
});
