/** The matrix of some rows of an operator, transposed: what a sampled product multiplies by. */
import { type Arena, type Engine, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { SparseOperator } from "../tensor/operator.ts";
import { rowLength, type RowSizes } from "./row_sizes.ts";
import type { Chosen } from "./rows.ts";

/** Its columns are numbered as the operator's rows are. */
export interface Slice {
  readonly indptr: TensorHandle;
  readonly indices: TensorHandle;
  /** I64 [entries] numbers of the entries in the operator; null where that has no values. */
  readonly order: TensorHandle | null;
  /** F32 [rows of the operator] factors of the columns; null: the operator's own. */
  readonly right: TensorHandle | null;
  readonly chosen: Chosen;
  readonly entries: number;
}

/** @param arena  holds the slice. */
export function sliceRows(
  engine: Engine,
  arena: Arena,
  { pattern, scales }: SparseOperator,
  sizes: RowSizes,
  chosen: Chosen,
): Slice {
  const { rows, weights } = chosen;
  const entries = rows.reduce((sum, i) => sum + rowLength(sizes, i), 0);
  const indptr = arena.tensor("I64", [pattern.numCols + 1]);
  const indices = arena.tensor(pattern.indices.dtype, [entries]);
  const order = scales.values ? arena.tensor("I64", [entries]) : null;
  engine.run("csr_slice_transposed", {
    indptr: pattern.indptr,
    indices: pattern.indices,
    rows: chosen.list ?? arena.bind(NativeArray.from<"I64">(BigInt64Array.from(rows, BigInt))),
    out_indptr: indptr,
    out_indices: indices,
    order,
  });
  return {
    indptr,
    indices,
    order,
    right: weights && factors(engine, arena, scales.left, weights),
    chosen,
    entries,
  };
}

function factors(
  engine: Engine,
  arena: Arena,
  left: TensorHandle | null | undefined,
  weights: Float32Array,
): TensorHandle {
  const out = arena.tensor("F32", [weights.length]);
  writeTensor(out, NativeArray.from(weights));
  if (left) engine.run("mul", { x: out, y: left, out });
  return out;
}
