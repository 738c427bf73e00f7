/** Reverse Cuthill-McKee. */
import { orderNodes } from "../../ffi/native_order.ts";
import { defineOrder } from "./order.ts";

export const rcm = defineOrder({
  name: "rcm",
  summary: "reverse Cuthill-McKee: entries close to the diagonal",
  source: "Cuthill and McKee 1969; start as George and Liu 1979, ACM TOMS 5(3)",
  order: (graph, part, k) => orderNodes(graph.csr, graph.meta.directed, "rcm", part, k),
});
