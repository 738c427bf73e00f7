/** Normalisation of hidden layers over segments of rows, and along rows. */
import type { Op, Tape } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { columnSum } from "./add_bias.ts";
import { axpby, scale } from "./axpby.ts";
import { columnAffine } from "./column_affine.ts";
import { mul } from "./mul.ts";
import { broadcastColumns, rowDot, rowScale, rowSum } from "./row_sum.ts";
import { segmentBroadcast, segmentReduce } from "./segment.ts";
import { unary } from "./unary.ts";

/** 1 / sqrt(x + eps), element by element */
export function inverseRoot(tape: Tape, x: Tensor, eps: number): Tensor {
  const level = tape.tensor(x.dtype, x.shape);
  tape.engine.run("fill", { out: level.handle, value: eps });
  return unary(tape, axpby(tape, x, level, 1, 1), "power", -0.5);
}

interface SegmentParams {
  readonly indptr: Tensor | null;
  readonly eps: number;
}
interface SegmentSaved {
  readonly mean: Tensor;
  readonly moment: Tensor;
}

function segmentForward(tape: Tape, inputs: readonly Tensor[], { indptr, eps }: SegmentParams) {
  const [x, alpha, gamma, beta] = inputs;
  const shape = [indptr ? indptr.size - 1 : 1, x!.cols];
  const output = tape.tensor(x!.dtype, x!.shape);
  const mean = tape.tensor(x!.dtype, shape), moment = tape.tensor(x!.dtype, shape);
  tape.engine.run("segment_norm", {
    indptr: indptr?.handle,
    x: x!.handle,
    alpha: alpha!.handle,
    gamma: gamma!.handle,
    beta: beta!.handle,
    mean: mean.handle,
    moment: moment.handle,
    out: output.handle,
    eps,
  });
  return { output, saved: { mean, moment } };
}

const segmentOp: Op<SegmentParams & { seen?: (saved: SegmentSaved) => void }, SegmentSaved> = {
  name: "segment_norm",
  forward(tape, inputs, params) {
    const result = segmentForward(tape, inputs, params);
    params.seen?.(result.saved);
    return result;
  },
  backward(tape, { inputs: [x, alpha, gamma], params: { indptr, eps }, saved: { mean, moment } }, g, needs) {
    const output = tape.tensor(x!.dtype, x!.shape);
    const [dAlpha, dGamma, dBeta] = [0, 1, 2].map(() => tape.tensor(x!.dtype, mean.shape));
    tape.engine.run("segment_norm_backward", {
      indptr: indptr?.handle,
      x: x!.handle,
      alpha: alpha!.handle,
      gamma: gamma!.handle,
      mean: mean.handle,
      moment: moment.handle,
      g: g.handle,
      out: output.handle,
      d_alpha: dAlpha!.handle,
      d_gamma: dGamma!.handle,
      d_beta: dBeta!.handle,
      eps,
    });
    return [output, ...[dAlpha, dGamma, dBeta].map((d, k) => needs[k + 1] ? columnSum(tape, d!) : null)];
  },
  decompose(tape, [x, alpha, gamma, beta], { indptr, eps }) {
    const rows = x!.rows;
    const ranges = indptr ?? wholeRange(tape, rows);
    const mean = segmentReduce(tape, x!, ranges, "mean");
    const off = segmentBroadcast(tape, columnAffine(tape, mean, alpha!, null), ranges, rows);
    const centred = axpby(tape, x!, off, 1, -1);
    const moment = segmentReduce(tape, mul(tape, centred, centred), ranges, "mean");
    const factor = segmentBroadcast(tape, inverseRoot(tape, moment, eps), ranges, rows);
    return columnAffine(tape, mul(tape, centred, factor), gamma!, beta!);
  },
};

/** Row ranges of one segment of n rows. */
export function wholeRange(tape: Tape, rows: number): Tensor {
  const { arena, engine } = tape;
  return engine.once(() => {
    const handle = arena.tensor("I64", [2], true);
    engine.run("fill", { out: arena.rows(handle, 1, 1), value: rows });
    return new Tensor(handle);
  });
}

/** Per column: alpha, gamma and beta are [f]. */
export interface NormScales {
  readonly alpha: Tensor;
  readonly gamma: Tensor;
  readonly beta: Tensor;
}

/**
 * gamma * c / sqrt(mean of c^2 + eps) + beta with c = x - alpha * mean, over the rows of each segment: (n, f) -> (n, f).
 *
 * @param indptr  I64[segments + 1] row ranges; null: all rows are one segment.
 * @param seen  called with the (segments, f) means of x and of c^2, for running statistics.
 * Source: Cai et al. 2021, arXiv:2009.03294, eq. 6; alpha = 1: instance normalisation.
 */
export function segmentNorm(
  tape: Tape,
  x: Tensor,
  indptr: Tensor | null,
  { alpha, gamma, beta }: NormScales,
  eps: number,
  seen?: (saved: SegmentSaved) => void,
): Tensor {
  return tape.apply(segmentOp, [x, alpha, gamma, beta], { indptr, eps, ...(seen ? { seen } : {}) });
}

const rowOp: Op<{ eps: number }, { inverse: Tensor }> = {
  name: "row_normalize",
  forward(tape, [x], { eps }) {
    const output = tape.tensor(x!.dtype, x!.shape), inverse = tape.tensor(x!.dtype, [x!.rows]);
    tape.engine.run("row_normalize", { x: x!.handle, out: output.handle, inverse: inverse.handle, eps });
    return { output, saved: { inverse } };
  },
  backward(tape, { output: y, saved: { inverse } }, g) {
    const output = tape.tensor(g.dtype, g.shape);
    tape.engine.run("row_normalize_backward", {
      g: g.handle,
      y: y.handle,
      inverse: inverse.handle,
      out: output.handle,
    });
    return [output];
  },
  decompose(tape, [x], { eps }) {
    const share = 1 / Math.max(1, x!.cols);
    const mean = broadcastColumns(tape, scale(tape, rowSum(tape, x!), share), x!.cols);
    const centred = axpby(tape, x!, mean, 1, -1);
    const variance = scale(tape, rowDot(tape, centred, centred), share);
    return rowScale(tape, centred, inverseRoot(tape, variance, eps));
  },
};

/** (x - mean) / sqrt(variance + eps) along each row: (n, f) -> (n, f). Source: Ba et al. 2016, arXiv:1607.06450. */
export function rowNormalize(tape: Tape, x: Tensor, eps: number): Tensor {
  return tape.apply(rowOp, [x], { eps });
}
