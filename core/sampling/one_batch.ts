/** One batch of a group that the native library drew, as arrays of its own. */
import type { Arena } from "../../ffi/engine.ts";
import type { Indices } from "../../ffi/native_rows.ts";
import type { NativeBatches } from "../../ffi/native_sample.ts";
import { indexDType } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import type { SampledBatch } from "./batches.ts";

/**
 * Batch b of a group: blocks of in-neighbours, or a square subgraph. Its arrays are the arena's, which gives them back at
 * once: the garbage collector knows nothing of how large they are.
 */
export function oneBatch(
  arena: Arena,
  { csr: { values }, numNodes }: Graph,
  batches: NativeBatches,
  b: number,
): SampledBatch {
  const { levels, edges } = batches.sizes[b]!;
  const nodes = arena.array(indexDType(numNodes), levels.at(-1)!) as Indices;
  batches.copyNodes(b, 1, nodes);
  const blocks = edges.map((arcs, hop) => {
    const numRows = levels[hop]!;
    const block = {
      numRows,
      numCols: levels[hop + 1] ?? numRows,
      indptr: arena.array("I64", numRows + 1),
      indices: arena.array("I32", arcs),
      edges: values && arena.array("I64", arcs),
      edgeWeight: values && arena.array("F32", arcs),
      arcWeight: null,
    };
    batches.copyBlock(b, 1, hop, block, values);
    return block;
  });
  const whole = { index: b, epoch: 0, step: 0, nodes, numSeeds: levels[0]!, nodeWeight: null };
  return { ...whole, levelSizes: levels, blocks };
}
