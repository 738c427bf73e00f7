/** Options that the streaming partitioners share. */
import { z } from "zod";
import { streamOrders } from "../../ffi/native_stream.ts";

export const streamParams = {
  passes: z.int().min(1).max(1000).default(1).describe(
    "times that the nodes are streamed; later passes know the parts of the one before",
  ),
  streamOrder: z.enum(streamOrders).default("natural").describe(
    "order in which nodes come; bfs: breadth first, along the arcs of a directed graph",
  ),
};
