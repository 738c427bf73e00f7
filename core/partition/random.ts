/** Random parts of equal size: what a partitioner must beat. */
import { partitionRandom } from "../../ffi/native_partition.ts";
import { definePartitioner } from "./partitioner.ts";

export const random = definePartitioner({
  name: "random",
  summary: "random parts whose sizes differ by at most one",
  source: "baseline of Chiang et al. 2019, arXiv:1905.07953, table 2",
  partition: (graph, { k, seed }) => partitionRandom(graph.numNodes, graph.nodeIds(), k, seed),
});
