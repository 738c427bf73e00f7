/** One batch of a group that the native library drew, as arrays of its own. */
import type { Arena } from "../../ffi/engine.ts";
import type { Indices } from "../../ffi/native_rows.ts";
import type { NativeBatches } from "../../ffi/native_sample.ts";
import { indexDType } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import type { SampledBatch } from "./batches.ts";

/**
 * Batch b of a group of batches of one block: the in-neighbours of its rows, or a square subgraph. Its arrays are the
 * arena's, which gives them back at once: the garbage collector knows nothing of how large they are.
 */
export function oneBatch(
  arena: Arena,
  { csr: { values }, numNodes }: Graph,
  batches: NativeBatches,
  b: number,
): SampledBatch {
  const { levels, edges: [arcs = 0] } = batches.sizes[b]!;
  const numRows = levels[0]!, numCols = levels.at(-1)!;
  const nodes = arena.array(indexDType(numNodes), numCols) as Indices;
  batches.copyNodes(b, 1, nodes);
  const block = {
    numRows,
    numCols,
    indptr: arena.array("I64", numRows + 1),
    indices: arena.array("I32", arcs),
    edges: values && arena.array("I64", arcs),
    edgeWeight: values && arena.array("F32", arcs),
    arcWeight: null,
  };
  batches.copyBlock(b, 1, 0, block, values);
  const whole = { index: b, epoch: 0, step: 0, nodes, numSeeds: numRows, nodeWeight: null };
  return { ...whole, levelSizes: levels, blocks: [block] };
}
