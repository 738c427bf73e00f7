/** Sums along a row or over everything, their adjoints (broadcasts), and products with one number per row. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

const rowSumOp: Op<undefined> = {
  name: "row_sum",
  forward(tape, [x]) {
    const output = tape.tensor(x!.dtype, [x!.rows]);
    tape.engine.run("row_sum", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x] }, g) => [broadcastColumns(tape, g, x!.cols)],
};

const broadcastColumnsOp: Op<{ cols: number }> = {
  name: "broadcast_columns",
  forward(tape, [x], { cols }) {
    const output = tape.tensor(x!.dtype, [x!.size, cols]);
    tape.engine.run("broadcast_columns", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, _call, g) => [rowSum(tape, g)],
};

const totalSumOp: Op<undefined> = {
  name: "total_sum",
  forward(tape, [x]) {
    const output = tape.tensor(x!.dtype, [1]);
    tape.engine.run("total_sum", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x] }, g) => [tape.apply(broadcastScalarOp, [g], { shape: x!.shape })],
};

const broadcastScalarOp: Op<{ shape: readonly number[] }> = {
  name: "broadcast_scalar",
  forward(tape, [x], { shape }) {
    const output = tape.tensor(x!.dtype, shape);
    tape.engine.run("broadcast_scalar", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, _call, g) => [totalSum(tape, g)],
};

const rowDotOp: Op<undefined> = {
  name: "row_dot",
  forward(tape, [x, y]) {
    const output = tape.tensor(x!.dtype, [x!.rows]);
    tape.engine.run("row_dot", { x: x!.handle, y: y!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x, y] }, g, needs) => [
    needs[0] ? rowScale(tape, y!, g) : null,
    needs[1] ? rowScale(tape, x!, g) : null,
  ],
};

const rowScaleOp: Op<undefined> = {
  name: "row_scale",
  forward(tape, [x, scale]) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("row_scale", { x: x!.handle, scale: scale!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x, scale] }, g, needs) => [
    needs[0] ? rowScale(tape, g, scale!) : null,
    needs[1] ? rowDot(tape, g, x!) : null,
  ],
};

/** (n, f) -> [n] */
export function rowSum(tape: Tape, x: Tensor): Tensor {
  return tape.apply(rowSumOp, [x], undefined);
}
/** [n] -> (n, cols) */
export function broadcastColumns(tape: Tape, x: Tensor, cols: number): Tensor {
  return tape.apply(broadcastColumnsOp, [x], { cols });
}
/** (n, f) -> [1] */
export function totalSum(tape: Tape, x: Tensor): Tensor {
  return tape.apply(totalSumOp, [x], undefined);
}
/** [1] -> any shape */
export function broadcastScalar(tape: Tape, x: Tensor, shape: readonly number[]): Tensor {
  return tape.apply(broadcastScalarOp, [x], { shape });
}
/** <x[i], y[i]> for each row: (n, f), (n, f) -> [n] */
export function rowDot(tape: Tape, x: Tensor, y: Tensor): Tensor {
  return tape.apply(rowDotOp, [x, y], undefined);
}
/** scale[i] * x[i, :] */
export function rowScale(tape: Tape, x: Tensor, scale: Tensor): Tensor {
  return tape.apply(rowScaleOp, [x, scale], undefined);
}
