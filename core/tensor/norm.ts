/** Normalised adjacency operators: every node gets a self-loop of weight 1, replacing one that is there. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import type { DType } from "../../ffi/dtype.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { type Pattern, SparseOperator } from "./operator.ts";
import { Tensor } from "./tensor.ts";

/** sym: D^-1/2 (A + I) D^-1/2; row: D^-1 (A + I); D = in-degree (weighted) + 1. */
export const norms = ["sym", "row"] as const;
export type Norm = (typeof norms)[number];

/** out = (in-degree + 1) ^ exponent for every row. */
export function degreePower(
  engine: Engine,
  arena: Arena,
  pattern: Pattern,
  values: Tensor | null,
  dtype: DType,
  exponent: number,
): TensorHandle {
  const n = pattern.numRows;
  const degree = arena.tensor(dtype, [n]), one = arena.tensor(dtype, [n]), out = arena.tensor(dtype, [n]);
  // power 0 counts entries, power 1 adds |values| up.
  engine.run("csr_row_sum", {
    indptr: pattern.indptr,
    values: values?.handle,
    out: degree,
    power: values ? 1 : 0,
  });
  engine.run("fill", { out: one, value: 1 });
  engine.run("axpby", { x: degree, y: one, out: degree, alpha: 1, beta: 1 });
  engine.run("unary", { x: degree, out, kind: unaryKinds.power, alpha: exponent });
  return out;
}

/**
 * The normalised operator of a square pattern without self-loops, with nothing copied: scales and a diagonal.
 *
 * @param values  edge weights, or null.
 * Source: Kipf and Welling 2017, eq. 2 (sym); Chiang et al. 2019, eq. 10 (row).
 */
export function normalized(
  engine: Engine,
  arena: Arena,
  pattern: Pattern,
  values: Tensor | null,
  norm: Norm,
  dtype: DType = "F32",
): SparseOperator {
  if (pattern.numRows !== pattern.numCols) {
    throw new RangeError(`norm of a ${pattern.numRows} x ${pattern.numCols} pattern`);
  }
  const diagonal = degreePower(engine, arena, pattern, values, dtype, -1);
  if (norm === "row") return new SparseOperator(pattern, { values, left: diagonal, diagonal });
  const scale = degreePower(engine, arena, pattern, values, dtype, -0.5);
  return new SparseOperator(pattern, { values, left: scale, right: scale, diagonal });
}
