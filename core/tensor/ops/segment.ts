/** Reductions over row ranges (graphs of a batch, edges of a row), broadcasts back, softmax inside a range. */
import { reductions } from "../../../ffi/ops.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { argScatter } from "./arg.ts";
import { axpby } from "./axpby.ts";
import { mul } from "./mul.ts";

interface Params {
  indptr: Tensor;
}
interface ReduceParams extends Params {
  mean: boolean;
}

const reduceOp: Op<ReduceParams> = {
  name: "segment_reduce",
  forward(tape, [x], { indptr, mean }) {
    const output = tape.tensor(x!.dtype, [indptr.size - 1, x!.cols]);
    const reduce = mean ? reductions.mean : reductions.sum;
    tape.engine.run("segment_reduce", { indptr: indptr.handle, x: x!.handle, out: output.handle, reduce });
    return { output, saved: undefined };
  },
  backward: (
    tape,
    { inputs: [x], params },
    g,
  ) => [tape.apply(broadcastOp, [g], { ...params, rows: x!.rows })],
};

const broadcastOp: Op<ReduceParams & { rows: number }> = {
  name: "segment_broadcast",
  forward(tape, [x], { indptr, mean, rows }) {
    const output = tape.tensor(x!.dtype, [rows, x!.cols]);
    tape.engine.run("segment_broadcast", {
      indptr: indptr.handle,
      x: x!.handle,
      out: output.handle,
      mean: Number(mean),
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(reduceOp, [g], params)],
};

/** max or min; the gradient goes to the winning row of each column. */
const extremumOp: Op<Params & { largest: boolean }, { arg: Tensor }> = {
  name: "segment_extremum",
  forward(tape, [x], { indptr, largest }) {
    const shape = [indptr.size - 1, x!.cols];
    const output = tape.tensor(x!.dtype, shape), arg = tape.tensor("I64", shape);
    tape.engine.run("segment_reduce", {
      indptr: indptr.handle,
      x: x!.handle,
      out: output.handle,
      arg: arg.handle,
      reduce: largest ? reductions.max : reductions.min,
    });
    return { output, saved: { arg } };
  },
  backward: (tape, { inputs: [x], saved: { arg } }, g) => [
    argScatter(tape, g, { arg, indices: null, values: null, rows: x!.rows }),
  ],
};

const softmaxOp: Op<Params> = {
  name: "segment_softmax",
  forward(tape, [x], { indptr }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("segment_softmax", { indptr: indptr.handle, x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  // dx = y * (g - sum over the segment of g * y)
  backward(tape, { output, params: { indptr } }, g) {
    const weighted = mul(tape, g, output);
    const total = segmentBroadcast(tape, segmentReduce(tape, weighted, indptr, "sum"), indptr, output.rows);
    return [axpby(tape, weighted, mul(tape, total, output), 1, -1)];
  },
};

/** (n, f) -> (segments, f); `indptr` I64[segments + 1] gives the row ranges. An empty segment gives 0. */
export function segmentReduce(
  tape: Tape,
  x: Tensor,
  indptr: Tensor,
  reduce: "sum" | "mean" | "max" | "min",
): Tensor {
  return reduce === "sum" || reduce === "mean"
    ? tape.apply(reduceOp, [x], { indptr, mean: reduce === "mean" })
    : tape.apply(extremumOp, [x], { indptr, largest: reduce === "max" });
}
/** (segments, f) -> (rows, f) */
export function segmentBroadcast(tape: Tape, x: Tensor, indptr: Tensor, rows: number): Tensor {
  return tape.apply(broadcastOp, [x], { indptr, mean: false, rows });
}
/** Softmax over the rows of each segment, column by column. */
export function segmentSoftmax(tape: Tape, x: Tensor, indptr: Tensor): Tensor {
  return tape.apply(softmaxOp, [x], { indptr });
}
