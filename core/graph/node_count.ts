/** How many nodes a small input may stand for: every node takes memory, and a number of ten digits takes ten bytes. */
import { GustError } from "../errors.ts";

/** So many are built whatever the input says: 32 MiB of row pointers. */
const FEW = 2 ** 22;
/** An index this much larger than its edges is a mistake in the ids more often than not. */
const PER_EDGE = 64;

/** Whether `numNodes` is out of all proportion to what lists them. */
export const isSparse = (numNodes: number, numEdges: number): boolean =>
  numNodes > FEW && numNodes > PER_EDGE * numEdges;

/** @throws {GustError} (data) if nodes that only their largest id tells of are out of all proportion to the edges. */
export function checkLargestId(
  label: string,
  largest: number,
  numEdges: number,
  what: string,
  hint?: string,
): void {
  const numNodes = largest + 1;
  if (!isSparse(numNodes, numEdges)) return;
  throw new GustError(
    "data",
    `${label}: the largest ${what} is ${largest}, but there are only ${numEdges} edges: an index of ${numNodes} nodes`,
    hint,
  );
}
