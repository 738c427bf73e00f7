/** Gorder: nodes that share neighbours close together. */
import { z } from "zod";
import { orderNodes } from "../../ffi/native_order.ts";
import { defineOrder } from "./order.ts";

export const gorder = defineOrder({
  name: "gorder",
  summary: "greedy: next comes the node that shares most neighbours and edges with the last ones placed",
  source: "Wei et al. 2016, SIGMOD, algorithm 2",
  params: z.object({
    gorderWindow: z.int().min(1).max(1024).default(5).describe("nodes that the next one is compared with"),
  }).strict(),
  // The authors' bound: shared neighbours above it cost most and say least.
  order: (graph, part, k, { gorderWindow }) =>
    orderNodes(graph.csr, graph.meta.directed, "gorder", part, k, {
      window: gorderWindow,
      most: Math.ceil(Math.sqrt(graph.numNodes)),
    }),
});
