/** Nodes by part alone. */
import { orderNodes } from "../../ffi/native_order.ts";
import { defineOrder } from "./order.ts";

export const partition = defineOrder({
  name: "partition",
  summary: "by part, and by number inside: what needs no other order",
  source: "gust",
  order: (graph, part, k) => orderNodes(graph.csr, graph.meta.directed, "partition", part, k),
});
