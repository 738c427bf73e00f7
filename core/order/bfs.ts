/** Breadth first. */
import { orderNodes } from "../../ffi/native_order.ts";
import { defineOrder } from "./order.ts";

export const bfs = defineOrder({
  name: "bfs",
  summary: "breadth first from the lowest number, every component in turn",
  source: "Cuthill and McKee 1969, without the degrees",
  order: (graph, part, k) => orderNodes(graph.csr, graph.meta.directed, "bfs", part, k),
});
