/** Nodes by degree. */
import { orderNodes } from "../../ffi/native_order.ts";
import { defineOrder } from "./order.ts";

export const degree = defineOrder({
  name: "degree",
  summary: "falling degree: rows that many others read lie together",
  source: "Zhang et al. 2017, arXiv:1608.01362 (frequency-based clustering)",
  order: (graph, part, k) => orderNodes(graph.csr, graph.meta.directed, "degree", part, k),
});
