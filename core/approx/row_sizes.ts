/** How long the rows of an operator are, in both senses: their Euclidean norms, and their numbers of entries. */
import { type Arena, type Engine, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import type { SparseOperator } from "../tensor/operator.ts";

export interface RowSizes {
  /** F32 [rows] Euclidean norms of the rows, scales included, the diagonal not. */
  readonly norms: TensorHandle;
  /** I64 [rows + 1] where rows begin. */
  readonly indptr: BigInt64Array;
}

const known = new WeakMap<SparseOperator, RowSizes>();

/** The sizes live as long as the operator's pattern does. */
export function rowSizes(engine: Engine, operator: SparseOperator): RowSizes {
  const seen = known.get(operator);
  if (seen) return seen;
  const norms = rowNorms(engine, operator.pattern.arena, operator);
  const made = { norms, indptr: hostArray(operator.pattern.indptr, "I64").read() };
  known.set(operator, made);
  return made;
}

/** The Euclidean norm of all entries: asked for by few, and read from a GPU. */
export const matrixLength = ({ norms }: RowSizes) =>
  Math.sqrt(hostArray(norms, "F32").read().reduce((sum, x) => sum + x * x, 0));

/** Number of entries of row i. */
export const rowLength = ({ indptr }: RowSizes, i: number) => Number(indptr[i + 1]! - indptr[i]!);

function rowNorms(engine: Engine, arena: Arena, { pattern, scales, order }: SparseOperator): TensorHandle {
  const { values, left, right } = scales, { indptr, indices } = pattern;
  if (order) throw new RangeError("norms of the rows of a transpose, expected those of the operator itself");
  const norms = arena.tensor("F32", [pattern.numRows]);
  if (values || right) {
    const scratch = engine.arena(), entries = scratch.tensor("F32", [pattern.numEntries]);
    engine.run("csr_scale", { indptr, indices, values: values?.handle, left, right, out: entries });
    engine.run("csr_row_sum", { indptr, values: entries, out: norms, power: 2 });
    scratch.destroy();
  } else {
    engine.run("csr_row_sum", { indptr, out: norms, power: 0 });
  }
  engine.run("unary", { x: norms, out: norms, kind: unaryKinds.sqrt, alpha: 0 });
  if (left && !(values || right)) {
    const factors = arena.tensor("F32", [pattern.numRows]);
    engine.run("unary", { x: left, out: factors, kind: unaryKinds.abs, alpha: 0 });
    engine.run("mul", { x: norms, y: factors, out: norms });
  }
  return norms;
}
