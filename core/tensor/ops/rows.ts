/** The first rows of a matrix, without a copy, and its adjoint: zeros below; and a matrix above constant rows. */
import type { Op, Tape } from "../autograd.ts";
import type { TensorHandle } from "../../../ffi/engine.ts";
import { Tensor } from "../tensor.ts";

const firstOp: Op<{ rows: number }> = {
  name: "first_rows",
  forward: (tape, [x], { rows }) => ({
    output: new Tensor(tape.arena.rows(x!.handle, 0, rows)),
    saved: undefined,
  }),
  backward: (_tape, _call, g) => [g],
};

const padOp: Op<{ rows: number }> = {
  name: "pad_rows",
  forward(tape, [x], { rows }) {
    const output = tape.tensor(x!.dtype, x!.handle.rank === 1 ? [rows] : [rows, x!.cols]);
    tape.engine.run("fill", { out: output.handle, value: 0 });
    const head = tape.arena.rows(output.handle, 0, x!.rows);
    tape.engine.run("axpby", { x: x!.handle, out: head, alpha: 1, beta: 0 });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x] }, g) => [firstRows(tape, g, x!.rows)],
};

const aboveOp: Op<{ below: TensorHandle }> = {
  name: "above_rows",
  forward(tape, [x], { below }) {
    const output = tape.tensor(x!.dtype, [x!.rows + below.rows, x!.cols]);
    const copy = (from: TensorHandle, at: number) =>
      tape.engine.run("axpby", {
        x: from,
        out: tape.arena.rows(output.handle, at, from.rows),
        alpha: 1,
        beta: 0,
      });
    copy(x!.handle, 0);
    copy(below, x!.rows);
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x] }, g) => [firstRows(tape, g, x!.rows)],
};

/** Rows 0 .. rows - 1 of x; x itself if that is all. */
export function firstRows(tape: Tape, x: Tensor, rows: number): Tensor {
  return rows === x.rows ? x : tape.apply(firstOp, [x], { rows });
}

/** x with rows of zeros below, `rows` in all; x itself if it has as many. */
export function padRows(tape: Tape, x: Tensor, rows: number): Tensor {
  return rows === x.rows ? x : tape.apply(padOp, [x], { rows });
}

/** x with constant rows below: no gradient flows to them. */
export function aboveRows(tape: Tape, x: Tensor, below: TensorHandle): Tensor {
  return below.rows === 0 ? x : tape.apply(aboveOp, [x], { below });
}
