/** The adjacency matrix as a picture, before and after its nodes are put into the order of a partition. */
import { placesOf, spyCounts } from "../../ffi/native_order.ts";
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkArcs } from "../graph/arcs.ts";
import { requireNodeParts } from "../partition/edges.ts";
import { Graph } from "../graph/graph.ts";

/** Cells a side, at most. */
const CELLS = 256;

export interface Spy {
  /** Stored entries in each cell, row by row. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/**
 * Count the entries in up to 256 x 256 cells. O(nodes + entries).
 * @throws {GustError} (mismatch) for a partition of another graph, (data) for arcs that lead outside.
 */
export function spyOf(document: Document, partition: Document): Spy {
  requireNodeParts(partition);
  checkMadeFrom(partition, document);
  const graph = new Graph(document);
  checkArcs(graph);
  const cells = Math.min(CELLS, graph.numNodes);
  const place = placesOf(partition.tensor("order", "I64"));
  return { before: spyCounts(graph.csr, null, cells), after: spyCounts(graph.csr, place, cells) };
}
