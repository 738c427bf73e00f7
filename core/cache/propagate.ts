/** A^K X in chunks of columns: two buffers of a chunk, whatever the width of X. */
import { type Arena, type Engine, hostArray } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { placeColumns } from "../../ffi/native_rows.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatureInput } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Norm } from "../tensor/norm.ts";
import type { Operator } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { graphOperator } from "../train/full_batch.ts";
import { type Columns, columnsOf } from "./columns.ts";

/** Float32 buffers of a chunk that are alive at once: stored, converted and normalised columns, before and after A. */
const CHUNK_BUFFERS = 6;
/** Memory for chunks where nobody said how much. */
const DEFAULT_BYTES = 256 * 2 ** 20;

/** Columns per chunk that keep to `bytes`; at least one. */
export function chunkColumns(numRows: number, numCols: number, bytes: number): number {
  const fit = Math.floor(bytes / (4 * CHUNK_BUFFERS * Math.max(1, numRows)));
  return Math.max(1, Math.min(numCols, fit));
}

/**
 * Multiply `columns` by the operator `hops` times, `width` columns at a time, from column `begin` on; `sink` gets each
 * chunk after all of them, or (all) after each number `hop` of them from 0 on, valid during the call. A column's numbers do not depend on the width.
 */
export function propagateColumns(
  engine: Engine,
  operator: Operator,
  columns: Columns,
  hops: number,
  width: number,
  sink: (chunk: NativeArray<"F32">, first: number, count: number, hop: number) => void,
  all = false,
  begin = 0,
): void {
  let from = engine.arena(), to = engine.arena();
  try {
    for (let first = begin; first < columns.numCols; first += width) {
      const count = Math.min(width, columns.numCols - first);
      let x = new Tensor(columns.take(from, first, count));
      const put = (hop: number) => {
        if (all || hop === hops) sink(hostArray(x.handle, "F32"), first, count, hop);
      };
      put(0);
      for (let hop = 1; hop <= hops; hop++) {
        const y = operator.apply(new Tape(engine, to, false), x);
        from.reset();
        [from, to] = [to, from];
        x = y;
        put(hop);
      }
      from.reset();
    }
  } finally {
    from.destroy();
    to.destroy();
  }
}

/**
 * Features propagated over a graph, in `arena`: norm(A)^hops X, or (all) X, norm(A) X, .. side by side. Sparse features are made dense a chunk at a time; the
 * result is dense.
 */
export function propagate(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  input: FeatureInput,
  hops: number,
  norm: Norm,
  all = false,
): Tensor {
  checkArcs(graph);
  const columns = columnsOf(input);
  const { numRows, numCols } = columns;
  const scratch = engine.arena();
  try {
    const operator = graphOperator(engine, scratch, graph, norm);
    const width = all ? (hops + 1) * numCols : numCols;
    const out = arena.array("F32", numRows * width);
    propagateColumns(
      engine,
      operator,
      columns,
      hops,
      chunkColumns(numRows, numCols, DEFAULT_BYTES),
      (chunk, first, count, hop) => {
        placeColumns(chunk, count, out, width, (all ? hop * numCols : 0) + first);
      },
      all,
    );
    return new Tensor(arena.bind(out, [numRows, width]));
  } finally {
    scratch.destroy();
  }
}
