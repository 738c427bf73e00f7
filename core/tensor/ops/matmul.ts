/** Dense product op(a) @ op(b). */
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  transA: boolean;
  transB: boolean;
}

const op: Op<Params> = {
  name: "matmul",
  parameterUse: { weight: 1, input: 0 },
  forward(tape, [a, b], { transA, transB }) {
    const m = transA ? a!.cols : a!.rows, n = transB ? b!.rows : b!.cols;
    const output = tape.tensor(a!.dtype, [m, n]);
    tape.engine.run("gemm", {
      a: a!.handle,
      b: b!.handle,
      out: output.handle,
      trans_a: Number(transA),
      trans_b: Number(transB),
      alpha: 1,
      beta: 0,
    });
    return { output, saved: undefined };
  },
  backward(tape, { inputs: [a, b], params: { transA, transB } }, g, needs) {
    const product = (x: Tensor, y: Tensor, tx: boolean, ty: boolean) =>
      matmul(tape, x, y, { transA: tx, transB: ty });
    return [
      // C = op(A) op(B): dA = g op(B)^T, transposed where A was.
      needs[0] ? transA ? product(b!, g, transB, true) : product(g, b!, false, !transB) : null,
      needs[1] ? transB ? product(g, a!, true, transA) : product(a!, g, !transA, false) : null,
    ];
  },
};

/** (m, k) @ (k, n) = (m, n), with either factor transposed on request. */
export function matmul(tape: Tape, a: Tensor, b: Tensor, { transA = false, transB = false } = {}): Tensor {
  return tape.apply(op, [a, b], { transA, transB });
}
