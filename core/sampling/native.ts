/** The native sampler of a graph. */
import { NativeSampler } from "../../ffi/native_sample.ts";
import { checkFloat32 } from "../graph/arcs.ts";
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

/**
 * The native sampler of a method that goes by the weights of arcs: a row with one that is no number would be left out, or
 * draw wrongly, without a word. O(arcs) where there are weights.
 * @throws {GustError} (data) naming the position of a weight that is no finite float32 number.
 */
export function weighingSampler(graph: Graph, keepEdges?: boolean): NativeSampler {
  if (graph.csr.values) checkFloat32(graph.document, "edge_weight");
  return nativeSampler(graph, keepEdges);
}
