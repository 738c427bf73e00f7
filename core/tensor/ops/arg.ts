/** Where the winners of a maximum or minimum came from: gradients go back there, and gathers take from there. */
import type { TensorHandle } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  /** I64 (n, f) winning edge of each element, -1 = none. */
  readonly arg: Tensor;
  /** Source row of each edge; null: edge e is row e. */
  readonly indices: TensorHandle | null;
  readonly values: TensorHandle | null;
  /** Rows of the side that edges lead to. */
  readonly rows: number;
}

const scatterOp: Op<Params> = {
  name: "spmm_arg_backward",
  forward(tape, [g], { arg, indices, values, rows }) {
    const output = tape.tensor(g!.dtype, [rows, g!.cols]);
    tape.engine.run("spmm_arg_backward", {
      arg: arg.handle,
      indices,
      values,
      g: g!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(gatherOp, [g], params)],
};

const gatherOp: Op<Params> = {
  name: "spmm_arg_gather",
  forward(tape, [x], { arg, indices, values }) {
    const output = tape.tensor(x!.dtype, arg.shape);
    tape.engine.run("spmm_arg_gather", {
      arg: arg.handle,
      indices,
      values,
      x: x!.handle,
      out: output.handle,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(scatterOp, [g], params)],
};

/** out[indices[arg[i, c]], c] += values[arg[i, c]] * g[i, c]: (n, f) -> (rows, f). */
export function argScatter(tape: Tape, g: Tensor, params: Params): Tensor {
  return tape.apply(scatterOp, [g], params);
}
