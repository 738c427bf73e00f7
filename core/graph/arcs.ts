/** A graph from a file, checked as far as kernels rely on it. */
import { findDescent, findOutside } from "../../ffi/native_checks.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "./graph.ts";

/**
 * Refuse a graph whose arcs lead outside or whose rows overlap: kernels do not look. O(nodes + arcs).
 * @throws {GustError} (data) naming tensor and place.
 */
export function checkArcs(graph: Graph): void {
  const { indptr, indices } = graph.csr;
  const { count, place, value } = findOutside(indices, 0, graph.numNodes - 1);
  if (count > 0) {
    throw new GustError(
      "data",
      `Cannot read ${graph.document.label}: tensor "indices" holds node ${value} at position ${place}, expected numbers below num_nodes = ${graph.numNodes}`,
      "gust inspect --check lists every problem",
    );
  }
  const last = indptr.at(indptr.length - 1);
  if (indptr.at(0) !== 0 || last !== indices.length || findDescent(indptr, false).count > 0) {
    throw new GustError(
      "data",
      `Cannot read ${graph.document.label}: tensor "indptr" does not rise from 0 to ${indices.length}`,
    );
  }
}
