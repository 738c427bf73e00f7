/** Rows by index, and its adjoint. Negative indices stand for nothing: a zero row, an ignored row. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  index: Tensor;
  rows: number;
}

const gatherOp: Op<Params> = {
  name: "gather",
  forward(tape, [x], { index }) {
    const shape = x!.handle.rank === 1 ? [index.size] : [index.size, x!.cols];
    const output = tape.tensor(x!.dtype, shape);
    tape.engine.run("gather", { x: x!.handle, index: index.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(scatterOp, [g], params)],
};

const scatterOp: Op<Params> = {
  name: "scatter_add",
  forward(tape, [x], { index, rows }) {
    const output = tape.tensor(x!.dtype, x!.handle.rank === 1 ? [rows] : [rows, x!.cols]);
    tape.engine.run("scatter_add", { x: x!.handle, index: index.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(gatherOp, [g], params)],
};

/** x[index[i], :] */
export function gather(tape: Tape, x: Tensor, index: Tensor): Tensor {
  return tape.apply(gatherOp, [x], { index, rows: x.rows });
}
/** out[index[i], :] += x[i, :] into `rows` rows, in order of i. */
export function scatterAdd(tape: Tape, x: Tensor, index: Tensor, rows: number): Tensor {
  return tape.apply(scatterOp, [x], { index, rows });
}
