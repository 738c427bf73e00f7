/** A partition that is given to be improved. */
import type { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import type { Graph } from "../graph/graph.ts";
import { requireNodeParts } from "./edges.ts";

/**
 * [n] parts of a partition document, for k parts of this graph.
 * @throws {GustError} (mismatch) if it is no partition, or one of another graph or into another number of parts.
 */
export function partsToRefine(document: Document, graph: Graph, k: number): NativeArray<"I32"> {
  const { kind, label, meta } = document;
  if (kind !== "partition") {
    throw new GustError("mismatch", `--refine: ${label} is a ${kind}, expected a partition`);
  }
  requireNodeParts(document);
  if (meta["graph"] !== graph.digest) {
    throw new GustError(
      "mismatch",
      `--refine: ${label} is a partition of another graph than ${graph.document.label}`,
      "give the graph that it was made from",
    );
  }
  if (meta["k"] !== k) {
    throw new GustError(
      "mismatch",
      `--refine: ${label} has ${meta["k"]} parts, but -k says ${k}`,
      `say -k ${meta["k"]}`,
    );
  }
  return document.tensor("part", "I32");
}
