/** The native sampler of a graph. */
import { NativeSampler } from "../../ffi/native_sample.ts";
import type { Graph } from "../graph/graph.ts";

/**
 * Rows sorted by time are sampled by position, others by original id.
 * @param keepEdges  batches keep arc numbers. @default {true where there are weights}
 */
export function nativeSampler(graph: Graph, keepEdges = graph.csr.values !== null): NativeSampler {
  return new NativeSampler(graph.csr, graph.nodeIds(), {
    byPosition: graph.meta.row_order === "time",
    keepEdges,
  });
}
