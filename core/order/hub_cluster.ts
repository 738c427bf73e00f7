/** Hubs first. */
import { orderNodes } from "../../ffi/native_order.ts";
import { defineOrder } from "./order.ts";

export const hubCluster = defineOrder({
  name: "hub-cluster",
  summary: "nodes of more than the mean degree first, the others in place",
  source: "Balaji and Lucia 2018, IISWC",
  order: (graph, part, k) => orderNodes(graph.csr, graph.meta.directed, "hub-cluster", part, k),
});
