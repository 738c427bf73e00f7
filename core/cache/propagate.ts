/** A^K X in chunks of columns: some buffers of a chunk, whatever the width of X. */
import { type Arena, type Engine, hostArray } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { placeColumns } from "../../ffi/native_rows.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatureInput } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import type { AdjacencyNorm } from "../tensor/norm.ts";
import type { Operator } from "../tensor/operator.ts";
import { axpby } from "../tensor/ops/axpby.ts";
import { Tensor } from "../tensor/tensor.ts";
import { graphOperator } from "../train/full_batch.ts";
import { type Columns, columnsOf } from "./columns.ts";

/** Float32 buffers of a chunk that are alive at once: stored, converted and normalised columns, before and after A. */
const CHUNK_BUFFERS = 7;
/** Memory for chunks where nobody said how much. */
const DEFAULT_BYTES = 256 * 2 ** 20;

/** Columns per chunk that keep to `bytes`; at least one. */
export function chunkColumns(numRows: number, numCols: number, bytes: number): number {
  const fit = Math.floor(bytes / (4 * CHUNK_BUFFERS * Math.max(1, numRows)));
  return Math.max(1, Math.min(numCols, fit));
}

/** What is made of X, as model documents keep it. */
export interface Propagation {
  readonly hops: number;
  readonly norm: AdjacencyNorm;
  /** X, and what each hop gives, side by side; absent: what the last one gives. */
  readonly all?: boolean | undefined;
  /** Share of X in what each hop gives: (1 - alpha) A H + alpha X. @default {0, powers of A} */
  readonly alpha?: number | undefined;
}

/**
 * Propagate `columns`, `width` of them at a time, from column `begin` on; `sink` gets each chunk after the last hop, or
 * (all) after each number `hop` of them from 0 on, valid during the call. A column's numbers do not depend on the width.
 */
export function propagateColumns(
  engine: Engine,
  operator: Operator,
  columns: Columns,
  { hops, all = false, alpha = 0 }: Omit<Propagation, "norm">,
  width: number,
  sink: (chunk: NativeArray<"F32">, first: number, count: number, hop: number) => void,
  begin = 0,
): void {
  const start = engine.arena();
  let from = engine.arena(), to = engine.arena();
  try {
    for (let first = begin; first < columns.numCols; first += width) {
      const count = Math.min(width, columns.numCols - first);
      const own = new Tensor(columns.take(alpha > 0 ? start : from, first, count));
      let x = own;
      const put = (hop: number) => {
        if (all || hop === hops) sink(hostArray(x.handle, "F32"), first, count, hop);
      };
      put(0);
      for (let hop = 1; hop <= hops; hop++) {
        const tape = new Tape(engine, to, false), spread = operator.apply(tape, x);
        const y = alpha > 0 ? axpby(tape, spread, own, 1 - alpha, alpha) : spread;
        from.reset();
        [from, to] = [to, from];
        x = y;
        put(hop);
      }
      from.reset();
      start.reset();
    }
  } finally {
    start.destroy();
    from.destroy();
    to.destroy();
  }
}

/** Features propagated over a graph, in `arena`. Sparse ones are made dense a chunk at a time; the result is dense. */
export function propagate(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  input: FeatureInput,
  propagation: Propagation,
): Tensor {
  const { hops, norm, all = false } = propagation;
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
      propagation,
      chunkColumns(numRows, numCols, DEFAULT_BYTES),
      (chunk, first, count, hop) => {
        placeColumns(chunk, count, out, width, (all ? hop * numCols : 0) + first);
      },
    );
    return new Tensor(arena.bind(out, [numRows, width]));
  } finally {
    scratch.destroy();
  }
}
