/** Reductions over row ranges (graphs of a batch, edges of a row), broadcasts back, softmax inside a range. */
import { hostArray } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { reductions } from "../../../ffi/ops.ts";
import type { Op, Tape } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
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

/**
 * The ceil(ratio * rows) rows of each segment with the largest scores, ascending (of equal scores the first).
 *
 * @param score  [n]; no gradient flows through the choice.
 * @param ratio  above 0, at most 1.
 * @returns the rows, and the row range of each segment among them.
 */
export function segmentTop(
  tape: Tape,
  score: Tensor,
  indptr: Tensor,
  ratio: number,
): { index: Tensor; ptr: Tensor } {
  const { arena, engine } = tape, segments = indptr.size - 1;
  const from = hostArray(indptr.handle, "I64").window();
  const kept = NativeArray.allocate("I64", segments + 1), to = kept.window();
  for (let s = 0; s < segments; s++) {
    // A product that rounds up past a whole number must not take one more.
    const rows = Number(from[s + 1]! - from[s]!), take = Math.ceil(ratio * rows - 1e-9);
    to[s + 1] = to[s]! + BigInt(rows === 0 ? 0 : Math.max(1, take));
  }
  const ptr = arena.bind(kept), index = arena.tensor("I64", [Number(to[segments])]);
  engine.run("segment_top", { indptr: indptr.handle, x: score.handle, out_indptr: ptr, out: index });
  return { index: new Tensor(index), ptr: new Tensor(ptr) };
}
