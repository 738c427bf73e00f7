/** x[i, j] + bias[j], and its adjoint, the sum over rows. */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

const addBiasOp: Op<undefined> = {
  name: "add_bias",
  parameterUse: { weight: 1, input: -1 },
  forward(tape, [x, bias]) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("add_bias", { x: x!.handle, bias: bias!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, _call, g, needs) => [needs[0] ? g : null, needs[1] ? columnSum(tape, g) : null],
};

const columnSumOp: Op<undefined> = {
  name: "column_sum",
  forward(tape, [x]) {
    const output = tape.tensor(x!.dtype, [x!.cols]);
    tape.engine.run("column_sum", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x] }, g) => [broadcastRows(tape, g, x!.rows)],
};

const broadcastRowsOp: Op<{ rows: number }> = {
  name: "broadcast_rows",
  forward(tape, [x], { rows }) {
    const output = tape.tensor(x!.dtype, [rows, x!.size]);
    tape.engine.run("broadcast_rows", { x: x!.handle, out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, _call, g) => [columnSum(tape, g)],
};

export function addBias(tape: Tape, x: Tensor, bias: Tensor): Tensor {
  return tape.apply(addBiasOp, [x, bias], undefined);
}
/** (n, f) -> [f] */
export function columnSum(tape: Tape, x: Tensor): Tensor {
  return tape.apply(columnSumOp, [x], undefined);
}
/** [f] -> (rows, f) */
export function broadcastRows(tape: Tape, x: Tensor, rows: number): Tensor {
  return tape.apply(broadcastRowsOp, [x], { rows });
}
