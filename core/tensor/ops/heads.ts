/**
 * Columns cut into equal heads: products with several weights per edge, scores of rows, and sums over the two ends of an
 * edge.
 */
import type { Op, Tape } from "../autograd.ts";
import { Pattern, SparseOperator } from "../operator.ts";
import { Tensor } from "../tensor.ts";
import { gather } from "./gather.ts";
import { segmentReduce } from "./segment.ts";

interface Params {
  pattern: Pattern;
}

const spmmOp: Op<Params> = {
  name: "spmm_heads",
  forward(tape, [values, x], { pattern }) {
    const output = tape.tensor(x!.dtype, [pattern.numRows, x!.cols]);
    tape.engine.run("spmm_heads", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      values: values!.handle,
      x: x!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [values, x], params: { pattern } }, g, needs) => [
    needs[0] ? sddmmHeads(tape, pattern, g, x!, values!.cols) : null,
    needs[1] ? transposedSpmm(tape, pattern, values!, g) : null,
  ],
};

const sddmmOp: Op<Params & { heads: number }> = {
  name: "sddmm_heads",
  forward(tape, [x, y], { pattern, heads }) {
    const output = tape.tensor(x!.dtype, [pattern.numEntries, heads]);
    tape.engine.run("sddmm_heads", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      x: x!.handle,
      y: y!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x, y], params: { pattern } }, g, needs) => [
    needs[0] ? spmmHeads(tape, pattern, g, y!) : null,
    needs[1] ? transposedSpmm(tape, pattern, g, x!) : null,
  ],
};

const edgeSumOp: Op<Params> = {
  name: "edge_sum",
  forward(tape, [x, y], { pattern }) {
    const output = tape.tensor(x!.dtype, [pattern.numEntries, x!.cols]);
    tape.engine.run("edge_sum", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      x: x!.handle,
      y: y!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward(tape, { params: { pattern } }, g, needs) {
    return [
      needs[0] ? segmentReduce(tape, g, new Tensor(pattern.indptr), "sum") : null,
      needs[1] ? sumIntoColumns(tape, pattern, g) : null,
    ];
  },
};

// The trilinear form sum over i, k of g[i, head of k] * x[i, k] * a[k]: each op is one of its derivatives, and has those of
// the other two as gradients.

const dotsOp: Op<{ heads: number }> = {
  name: "head_dots",
  forward(tape, [x, a], { heads }) {
    const output = tape.tensor(x!.dtype, [x!.rows, heads]);
    tape.engine.run("head_dots", { x: x!.handle, a: a!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x, a] }, g, needs) => [
    needs[0] ? tape.apply(scaleOp, [g, a!], undefined) : null,
    needs[1] ? tape.apply(sumsOp, [g, x!], undefined) : null,
  ],
};

const scaleOp: Op<undefined> = {
  name: "head_scale",
  forward(tape, [g, a]) {
    const output = tape.tensor(g!.dtype, [g!.rows, a!.size]);
    tape.engine.run("head_scale", { g: g!.handle, a: a!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [g, a] }, x, needs) => [
    needs[0] ? headDots(tape, x, a!, g!.cols) : null,
    needs[1] ? tape.apply(sumsOp, [g!, x], undefined) : null,
  ],
};

const sumsOp: Op<undefined> = {
  name: "head_sums",
  forward(tape, [g, x]) {
    const output = tape.tensor(x!.dtype, [x!.cols]);
    tape.engine.run("head_sums", { g: g!.handle, x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [g, x] }, a, needs) => [
    needs[0] ? headDots(tape, x!, a, g!.cols) : null,
    needs[1] ? tape.apply(scaleOp, [g!, a], undefined) : null,
  ],
};

/** The product with the transpose: values are put in its order. */
function transposedSpmm(tape: Tape, pattern: Pattern, values: Tensor, x: Tensor): Tensor {
  const { pattern: transposed, order } = pattern.transpose();
  return spmmHeads(tape, transposed, gather(tape, values, new Tensor(order)), x);
}

/** (nnz, f) -> (numCols, f): the sum of the edges that lead to each column. */
function sumIntoColumns(tape: Tape, pattern: Pattern, x: Tensor): Tensor {
  const { pattern: transposed, order } = pattern.transpose();
  const byColumn = new Pattern(pattern.arena, pattern.numCols, pattern.numEntries, transposed.indptr, order);
  return new SparseOperator(byColumn).apply(tape, x);
}

/** out[i, k] = sum over edges e = (i, j) of values[e, head(k)] * x[j, k]: (nnz, h), (numCols, f) -> (numRows, f). */
export function spmmHeads(tape: Tape, pattern: Pattern, values: Tensor, x: Tensor): Tensor {
  return tape.apply(spmmOp, [values, x], { pattern });
}
/** out[e, h] = <x[i], y[j]> over the columns of head h: (numRows, f), (numCols, f) -> (nnz, heads). */
export function sddmmHeads(tape: Tape, pattern: Pattern, x: Tensor, y: Tensor, heads: number): Tensor {
  return tape.apply(sddmmOp, [x, y], { pattern, heads });
}
/** out[e, :] = x[i, :] + y[j, :]: (numRows, f), (numCols, f) -> (nnz, f). */
export function edgeSum(tape: Tape, pattern: Pattern, x: Tensor, y: Tensor): Tensor {
  return tape.apply(edgeSumOp, [x, y], { pattern });
}
/** <x[i, head h], a[head h]> for each row and head: (n, heads * d), [heads * d] -> (n, heads). */
export function headDots(tape: Tape, x: Tensor, a: Tensor, heads: number): Tensor {
  return tape.apply(dotsOp, [x, a], { heads });
}
