/**
 * Sparse features: an operator from weights to what the nodes make of them. Dropout takes entries out of the matrix, so
 * that products cost what is left, and the gradient of weights is added up row by row, so that no transpose is made.
 */
import type { TensorHandle } from "../../ffi/engine.ts";
import type { Op, Tape } from "./autograd.ts";
import { Pattern, SparseOperator } from "./operator.ts";
import { DROPOUT_STREAM } from "./ops/dropout.ts";
import { addFromTop } from "./ops/epilogue.ts";
import { Tensor } from "./tensor.ts";

/** Columns up to which a tile of the weights' gradient stays in the cache while rows are added to it. */
const MOST_COLUMNS = 1 << 15;

/** Rows are nodes, columns features; values, if any, are constants. */
export class SparseFeatures extends SparseOperator {
  /** Whether gradients of weights are added up in place, without a transpose, and dropout takes entries away. */
  get isNarrow(): boolean {
    return this.numCols <= MOST_COLUMNS;
  }

  override applyTransposed(tape: Tape, g: Tensor, addend: Tensor | null): Tensor {
    if (!this.isNarrow) return super.applyTransposed(tape, g, addend);
    const own = tape.apply(transposedOp, [g], { features: this });
    return addend ? addFromTop(tape, addend, own) : own;
  }

  /** These features without the entries that dropout takes, the others scaled; masks follow row id and position. */
  override dropout(tape: Tape, p: number, layer: number, ids: TensorHandle | null): SparseOperator {
    if (p <= 0 || !this.isNarrow || this.scales.left) return super.dropout(tape, p, layer, ids);
    if (!tape.training) return this;
    const { pattern, scales: { values } } = this, { numRows, numCols, numEntries } = pattern;
    const indptr = tape.arena.tensor("I64", [numRows + 1]);
    const indices = tape.arena.tensor(pattern.indices.dtype, [numEntries]);
    const kept = values ? tape.tensor(values.dtype, [numEntries]) : null;
    tape.engine.run("csr_dropout", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      values: values?.handle,
      ids,
      out_indptr: indptr,
      out_indices: indices,
      out_values: kept?.handle,
      p,
      stream: DROPOUT_STREAM,
      layer,
    });
    const left = kept ? null : scaleOfRows(tape, numRows, 1 / (1 - p));
    return new SparseFeatures(new Pattern(tape.arena, numRows, numCols, indptr, indices), {
      values: kept,
      left,
    });
  }
}

/** One number for every row, the same in every step. */
function scaleOfRows({ engine, arena }: Tape, rows: number, value: number): TensorHandle {
  return engine.once(() => {
    const out = arena.tensor("F32", [rows]);
    engine.run("fill", { out, value });
    return out;
  });
}

/** features^T @ g, and its adjoint, the product with the features themselves. */
const transposedOp: Op<{ features: SparseFeatures }> = {
  name: "spmm_transposed",
  forward(tape, [g], { features: { pattern, scales, numCols } }) {
    const output = tape.tensor(g!.dtype, [numCols, g!.cols]);
    tape.engine.run("spmm_transposed", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      values: scales.values?.handle,
      left: scales.left,
      x: g!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params: { features } }, gg) => [features.apply(tape, gg)],
};
