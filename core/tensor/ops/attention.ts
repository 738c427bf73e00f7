/** Attention of graph attention networks as one op: scores, softmax and the weighted sum, no number per edge in memory. */
import type { TensorHandle } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Pattern } from "../operator.ts";
import { Tensor } from "../tensor.ts";
import { dropoutEdges } from "./csr_values.ts";
import { DROPOUT_STREAM } from "./dropout.ts";
import { edgeSum, headDots, spmmHeads } from "./heads.ts";
import { relu } from "./relu.ts";
import { firstRows } from "./rows.ts";
import { segmentSoftmax } from "./segment.ts";

export interface AttentionOptions {
  readonly pattern: Pattern;
  readonly heads: number;
  /** Slope of the leaky relu on scores. */
  readonly slope: number;
  /** Dropout on the weights of edges; masks are those of dropoutEdges(), told apart by `layer`. */
  readonly p: number;
  readonly layer: number;
  /** Original node number of each column, the rows being the first of them; null where column = node. */
  readonly ids: TensorHandle | null;
}

/**
 * What is kept for the gradient besides x: nothing ("feat"), the scores of nodes ("feat+node"), or the result and all
 * sums over edges as well ("full"). The rest is computed again: the same bytes.
 */
export const keptScores = ["feat", "feat+node", "full"] as const;
export type KeptScores = (typeof keptScores)[number];

/** Scores of nodes as rows and as columns. */
interface Scores {
  readonly row: Tensor;
  readonly column: Tensor;
}
/** What the gradient needs of the forward pass. */
interface Saved extends Scores {
  readonly sloped: Tensor;
  readonly top: Tensor;
  readonly total: Tensor;
  readonly meanSlope: Tensor;
}

/** What both passes are told besides tensors of their own. */
function settings(tape: Tape, { pattern, slope, p, layer, ids }: AttentionOptions) {
  return {
    ids: ids && { ...ids, rows: pattern.numCols },
    slope,
    p: tape.training ? p : 0,
    stream: DROPOUT_STREAM,
    layer,
  };
}

/** Scores of every row of x. */
function scoresOf(
  tape: Tape,
  [x, left, right]: readonly Tensor[],
  { pattern, heads }: AttentionOptions,
): Scores {
  const make = () => tape.tensor(x!.dtype, [x!.rows, heads]), n = pattern.numRows;
  const column = make(), all = make();
  tape.engine.run("head_dots", {
    x: x!.handle,
    a: left!.handle,
    b: right!.handle,
    out: all.handle,
    out_b: column.handle,
  });
  return { row: n === x!.rows ? all : new Tensor(tape.arena.rows(all.handle, 0, n)), column };
}

/** The forward pass; `saves` also gives what the gradient needs. */
export function attentionForward(
  tape: Tape,
  inputs: readonly Tensor[],
  params: AttentionOptions,
  saves: boolean,
  { row, column }: Scores = scoresOf(tape, inputs, params),
): { output: Tensor; scores: Scores; saved: Saved | null } {
  const x = inputs[0]!, { pattern, heads } = params;
  const make = (cols: number) => tape.tensor(x.dtype, [pattern.numRows, cols]);
  const output = make(x.cols);
  const saved: Saved | null = saves
    ? { row, column, sloped: make(x.cols), top: make(heads), total: make(heads), meanSlope: make(heads) }
    : null;
  tape.engine.run("attention", {
    ...settings(tape, params),
    indptr: pattern.indptr,
    indices: pattern.indices,
    row: row.handle,
    column: column.handle,
    x: x.handle,
    out: output.handle,
    sloped: saved?.sloped.handle,
    top: saved?.top.handle,
    total: saved?.total.handle,
    mean_slope: saved?.meanSlope.handle,
  });
  return { output, scores: { row, column }, saved };
}

/** Gradients to x, left and right; the last two null where `wantsVectors` is false. */
export function attentionGradients(
  tape: Tape,
  inputs: readonly Tensor[],
  params: AttentionOptions,
  { output, saved }: { output: Tensor; saved: Saved },
  g: Tensor,
  wantsVectors: boolean,
): (Tensor | null)[] {
  const [x, left, right] = inputs as [Tensor, Tensor, Tensor];
  const { row, column, sloped, top, total, meanSlope } = saved;
  const { pattern, heads } = params;
  const transposed = pattern.isSymmetric ? pattern : pattern.transpose().pattern;
  const [dx, dRow, dColumn] = [x.cols, heads, heads].map((cols) => tape.tensor(x.dtype, [x.rows, cols]));
  tape.engine.run("attention_backward", {
    ...settings(tape, params),
    indptr: transposed.indptr,
    indices: transposed.indices,
    row: row.handle,
    column: column.handle,
    x: x.handle,
    left: left.handle,
    right: right.handle,
    g: g.handle,
    out: output.handle,
    sloped: sloped.handle,
    top: top.handle,
    total: total.handle,
    mean_slope: meanSlope.handle,
    dx: dx!.handle,
    d_row: dRow!.handle,
    d_column: dColumn!.handle,
  });
  if (!wantsVectors) return [dx!, null, null];
  const [dLeft, dRight] = [left, right].map((a) => tape.tensor(a.dtype, a.shape));
  tape.engine.run("head_sums", {
    g: dRow!.handle,
    g_b: dColumn!.handle,
    x: x.handle,
    out: dLeft!.handle,
    out_b: dRight!.handle,
  });
  return [dx!, dLeft!, dRight!];
}

type Params = AttentionOptions & { readonly keeps: KeptScores };

const op: Op<Params, { readonly scores: Scores | null; readonly all: Saved | null }> = {
  name: "attention",
  forward(tape, inputs, params) {
    // Outside of training a gradient is the exception: what it needs is then made when it is asked for.
    const isKept = inputs.some((x) => x.requiresGrad) && tape.training, { keeps } = params;
    const { output, scores, saved } = attentionForward(tape, inputs, params, isKept && keeps === "full");
    return { output, saved: { scores: isKept && keeps !== "feat" ? scores : null, all: saved } };
  },
  backward(tape, { inputs, output, params, saved: { scores, all } }, g, needs) {
    const again = all ? null : attentionForward(tape, inputs, params, true, scores ?? undefined);
    const known = again ? { output: again.output, saved: again.saved! } : { output, saved: all! };
    return attentionGradients(tape, inputs, params, known, g, needs[1]! || needs[2]!);
  },
  decompose(tape, [x, left, right], { pattern, heads, slope, p, layer, ids }) {
    const row = firstRows(tape, headDots(tape, x!, left!, heads), pattern.numRows);
    const scores = relu(tape, edgeSum(tape, pattern, row, headDots(tape, x!, right!, heads)), slope);
    const alpha = segmentSoftmax(tape, scores, new Tensor(pattern.indptr));
    return spmmHeads(tape, pattern, dropoutEdges(tape, pattern, alpha, p, layer, ids), x!);
  },
};

/**
 * out[i, k] = sum over edges e = (i, j) of alpha[e, h] * x[j, k], column k being of head h, with alpha the softmax over
 * the edges of row i of leaky(<x[i], left> + <x[j], right>), dots over the columns of the head, and dropout on alpha.
 *
 * @param x  (numCols, f); rows are the first of the columns. f is a multiple of the heads.
 * @param left  [f] scores a node as row, `right` as column.
 * @param keeps  what the gradient need not compute again.
 * @returns  (numRows, f); rows without edges are 0.
 */
export function attention(
  tape: Tape,
  x: Tensor,
  left: Tensor,
  right: Tensor,
  params: AttentionOptions,
  keeps: KeptScores = "full",
): Tensor {
  return tape.apply(op, [x, left, right], { ...params, keeps });
}
