/** Degree-based hashing. */
import { partitionEdges } from "../../ffi/native_edges.ts";
import { definePartitioner } from "./partitioner.ts";

export const dbh = definePartitioner({
  name: "dbh",
  summary:
    "parts of edges by a hash of the end of lower degree; sizes as they come, --imbalance does not bind",
  source: "Xie et al. 2014, NeurIPS",
  of: "edges",
  partition: (graph, { k, seed }) =>
    partitionEdges(graph.csr, graph.meta.directed, graph.nodeIds(), { k, seed }),
});
