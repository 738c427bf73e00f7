/** No partition: an order of the whole graph, or inside each graph of a data set of many. */
import { NativeArray } from "../../ffi/native.ts";
import type { Graph } from "../graph/graph.ts";
import { definePartitioner, type PartitionerEntry } from "./partitioner.ts";

/** The parts that are there without asking: the graphs of the data set, or one. */
export const wholeParts = (graph: Graph): number => Math.max(1, (graph.graphPointer()?.length ?? 2) - 1);

/** What stands for a partitioner where only an order is asked for. Not in the registry: there is nothing to choose. */
export const whole: PartitionerEntry = definePartitioner({
  name: "none",
  summary: "every graph is a part",
  source: "gust",
  partition(graph) {
    const part = NativeArray.allocate("I32", graph.numNodes);
    const ptr = graph.graphPointer()?.toNumbers();
    ptr?.slice(1).forEach((end, g) => part.slice(ptr[g]!, end - ptr[g]!).fill(g));
    return part;
  },
});
