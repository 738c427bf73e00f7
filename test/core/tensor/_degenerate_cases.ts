/** The ops of core/tensor at the edges of what shapes can be: no rows, no columns, one column (a single class), no edges. */
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { addBias, broadcastRows, columnSum } from "../../../core/tensor/ops/add_bias.ts";
import { argScatter } from "../../../core/tensor/ops/arg.ts";
import { attention } from "../../../core/tensor/ops/attention.ts";
import { axpby, scale } from "../../../core/tensor/ops/axpby.ts";
import { columnAffine } from "../../../core/tensor/ops/column_affine.ts";
import { concatColumns, takeColumns } from "../../../core/tensor/ops/columns.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { dropoutEdges, dropoutValues, gatherValues } from "../../../core/tensor/ops/csr_values.ts";
import { dropout } from "../../../core/tensor/ops/dropout.ts";
import { epilogue } from "../../../core/tensor/ops/epilogue.ts";
import { gather, scatterAdd } from "../../../core/tensor/ops/gather.ts";
import { edgeSum, headDots, sddmmHeads, spmmHeads } from "../../../core/tensor/ops/heads.ts";
import { layerProduct, orders } from "../../../core/tensor/ops/layer_product.ts";
import { logSoftmax } from "../../../core/tensor/ops/log_softmax.ts";
import { matmul, matmulSum } from "../../../core/tensor/ops/matmul.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { rowNormalize, segmentNorm } from "../../../core/tensor/ops/norms.ts";
import { projectedAttention } from "../../../core/tensor/ops/projected_attention.ts";
import { relu } from "../../../core/tensor/ops/relu.ts";
import { reshape } from "../../../core/tensor/ops/reshape.ts";
import {
  broadcastColumns,
  broadcastScalar,
  rowDot,
  rowScale,
  rowSum,
  totalSum,
} from "../../../core/tensor/ops/row_sum.ts";
import { aboveRows, firstRows, padRows } from "../../../core/tensor/ops/rows.ts";
import { sddmm } from "../../../core/tensor/ops/sddmm.ts";
import { segmentBroadcast, segmentReduce, segmentSoftmax } from "../../../core/tensor/ops/segment.ts";
import { unary } from "../../../core/tensor/ops/unary.ts";
import { SparseFeatures } from "../../../core/tensor/sparse_features.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { type Case, fixed, index, integers, randoms, variable, vector } from "./_autograd.ts";

/** Matrices are n x f, sparse ones n x m with these entries. */
interface Sizes {
  readonly n: number;
  readonly m: number;
  readonly f: number;
  readonly indptr: readonly number[];
  readonly indices: readonly number[];
}
const entries = { indptr: [0, 3, 3, 5, 8], indices: [0, 2, 2, 4, 1, 0, 1, 4] };

export const degenerateSizes: Readonly<Record<string, Sizes>> = {
  "no rows": { n: 0, m: 5, f: 2, indptr: [0], indices: [] },
  "no nodes": { n: 0, m: 0, f: 2, indptr: [0], indices: [] },
  "no columns": { n: 4, m: 5, f: 0, ...entries },
  "one column": { n: 4, m: 5, f: 1, ...entries },
  "isolated nodes": { n: 4, m: 5, f: 2, indptr: [0, 0, 0, 0, 0], indices: [] },
  "one node without edges": { n: 1, m: 1, f: 1, indptr: [0, 0], indices: [] },
  "nothing at all": { n: 0, m: 0, f: 0, indptr: [0], indices: [] },
};

/** Every op on matrices of these sizes. */
export function degenerateCases({ n, m, f, indptr, indices }: Sizes): Record<string, Case> {
  const of = (f: Case["f"], ...inputs: Tensor[]): Case => ({ inputs, f });
  const matrix = (rows: number, cols: number, name: string) =>
    variable([rows, cols], randoms(rows * cols, name).map((v) => v + Math.sign(v) * 0.2));
  const list = (size: number, name: string) => variable([size], randoms(size, name));
  const x = matrix(n, f, "x"), y = matrix(n, f, "y"), u = matrix(m, f, "u"), bias = list(f, "bias");
  const e = indices.length, edges = matrix(e, f, "edges");
  const pattern = () => new Pattern(fixed, n, m, integers("I64", indptr), integers("I32", indices));
  const values = list(e, "values"), constants = new Tensor(vector(randoms(e, "constants")));
  const scales = { left: vector(randoms(n, "left")), right: vector(randoms(m, "right")) };
  const operator = () => new SparseOperator(pattern(), { ...scales, values: constants });
  const ending = { activation: "tanh" as const, drop: { p: 0.3, layer: 1, ids: null } };
  const rows = (size: number) => index(Array.from({ length: size }, (_, i) => i));
  // Segments of the rows of x: an empty one, all of them, an empty one.
  const segments = index([0, 0, n, n]), segmented = matrix(3, f, "segmented");
  const labels = integers("I32", Array.from({ length: n }, (_, i) => i === 0 ? -1 : 0));
  const winners = (size: number) =>
    new Tensor(fixed.reshape(index(new Array<number>(size * f).fill(-1)).handle, [size, f]));
  const attend = { pattern: pattern(), heads: 1, slope: 0.2, p: 0.4, layer: 3, ids: null };
  const ends = [list(f, "l"), list(f, "r")] as const;
  const weight = matrix(f, 3, "w");

  return {
    "x + bias": of((tape, [x, b]) => addBias(tape, x!, b!), x, bias),
    "sum over rows": of((tape, [x]) => columnSum(tape, x!), x),
    "bias to rows": of((tape, [b]) => broadcastRows(tape, b!, n), bias),
    "winners to columns": of(
      (tape, [g]) =>
        argScatter(tape, g!, {
          arg: winners(n),
          indices: pattern().indices,
          values: constants.handle,
          rows: m,
        }),
      x,
    ),
    "attention": of((tape, [u, l, r]) => attention(tape, u!, l!, r!, attend, "full"), u, ...ends),
    "attention of projections": of(
      (tape, [u, w, l, r]) => projectedAttention(tape, u!, w!, l!, r!, attend),
      u,
      matrix(f, 3, "w"),
      list(3, "l3"),
      list(3, "r3"),
    ),
    "a x + b y": of((tape, [x, y]) => axpby(tape, x!, y!, 2, -3), x, y),
    "a x": of((tape, [x]) => scale(tape, x!, 0.25), x),
    "scale x + shift": of((tape, [x, a, b]) => columnAffine(tape, x!, a!, b!), x, list(f, "a"), bias),
    "side by side": of((tape, [x, y]) => concatColumns(tape, [x!, y!, x!]), x, matrix(n, 1, "y1")),
    "no columns of some": of((tape, [x]) => takeColumns(tape, x!, f, 0), x),
    "all columns": of((tape, [x]) => takeColumns(tape, x!, 0, f), x),
    ...(f === 0 ? {} : {
      "cross entropy": of((tape, [x]) => crossEntropy(tape, x!, labels), x),
      "cross entropy of no rows": of(
        (tape, [x]) => crossEntropy(tape, x!, labels, { index: integers("I64", []), sum: true }),
        x,
      ),
    }),
    "values in no order": of((tape, [v]) => gatherValues(tape, v!, integers("I64", [])), values),
    "dropout on values": of((tape, [v]) => dropoutValues(tape, pattern(), v!, 0.4, 2, null), values),
    "dropout on edges": of((tape, [v]) => dropoutEdges(tape, pattern(), v!, 0.4, 2, null), edges),
    "dropout": of((tape, [x]) => dropout(tape, x!, 0.4, 1), x),
    "epilogue": of(
      (tape, [x, y, b]) => epilogue(tape, x!, { addend: y!, bias: b!, ...ending }),
      x,
      y,
      bias,
    ),
    "no rows of some": of((tape, [x]) => gather(tape, x!, index([])), x),
    "rows of nothing": of((tape, [x]) => gather(tape, x!, index([-1, -1])), x),
    "rows added up": of((tape, [x]) => scatterAdd(tape, x!, rows(n), n + 1), x),
    "rows added to nothing": of(
      (tape, [x]) => scatterAdd(tape, x!, index(new Array<number>(n).fill(-1)), 0),
      x,
    ),
    "weights of a head": of((tape, [v, u]) => spmmHeads(tape, pattern(), v!, u!), matrix(e, 1, "v"), u),
    "dots of a head": of((tape, [x, u]) => sddmmHeads(tape, pattern(), x!, u!, 1), x, u),
    "scores of rows": of((tape, [x, a]) => headDots(tape, x!, a!, 1), x, list(f, "a")),
    "sums of the ends": of((tape, [x, u]) => edgeSum(tape, pattern(), x!, u!), x, u),
    ...Object.fromEntries(orders.map((order) => [
      `layer, ${order}`,
      of(
        (tape, [u, w, b]) =>
          layerProduct(operator(), u!, w!, { order, weightGradient: "recomputed", inputGradient: order })
            .apply(tape, { bias: b!, activation: "tanh" }),
        u,
        weight,
        list(3, "b3"),
      ),
    ])),
    ...(f === 0 ? {} : { "log softmax": of((tape, [x]) => logSoftmax(tape, x!), x) }),
    "x w": of((tape, [x, w]) => matmul(tape, x!, w!), x, weight),
    "x' y": of((tape, [x, y]) => matmul(tape, x!, y!, { transA: true }), x, y),
    "x y'": of((tape, [x, y]) => matmul(tape, x!, y!, { transB: true }), x, y),
    "x w to no columns": of((tape, [x, w]) => matmul(tape, x!, w!), x, matrix(f, 0, "none")),
    "what follows x w": of(
      (tape, [x, w, b]) => matmul(tape, x!, w!, {}, { bias: b!, ...ending }),
      x,
      weight,
      list(3, "b3"),
    ),
    "x w + y w": of(
      (tape, [x, w, y]) => matmulSum(tape, [x!, w!], [y!, w!], ending),
      x,
      weight,
      y,
    ),
    "x y": of((tape, [x, y]) => mul(tape, x!, y!), x, y),
    "segment norm": of(
      (tape, [x, alpha, gamma, beta]) =>
        segmentNorm(tape, x!, segments, { alpha: alpha!, gamma: gamma!, beta: beta! }, 0.1),
      x,
      list(f, "alpha"),
      list(f, "gamma"),
      list(f, "beta"),
    ),
    "norm of one segment": of(
      (tape, [x, alpha, gamma, beta]) =>
        segmentNorm(tape, x!, null, { alpha: alpha!, gamma: gamma!, beta: beta! }, 0.1),
      x,
      list(f, "alpha"),
      list(f, "gamma"),
      list(f, "beta"),
    ),
    "norm along rows": of((tape, [x]) => rowNormalize(tape, x!, 0.1), x),
    "relu": of((tape, [x]) => relu(tape, x!), x),
    "to one dimension": of((tape, [x]) => reshape(tape, x!, [n * f]), x),
    "no rows of all": of((tape, [x]) => firstRows(tape, mul(tape, x!, x!), 0), x),
    "all rows": of((tape, [x]) => firstRows(tape, scale(tape, x!, 2), n), x),
    "above a constant row": of((tape, [x]) => aboveRows(tape, x!, matrix(1, f, "below").handle), x),
    "above a row of zeros": of((tape, [x]) => padRows(tape, x!, n + 1), x),
    "row sums": of((tape, [x]) => rowSum(tape, x!), x),
    "a column to columns": of((tape, [v]) => broadcastColumns(tape, v!, f), list(n, "v")),
    "total": of((tape, [x]) => totalSum(tape, x!), x),
    "one number to all": of((tape, [x]) => broadcastScalar(tape, x!, [n, f]), list(1, "one")),
    "dots of rows": of((tape, [x, y]) => rowDot(tape, x!, y!), x, y),
    "rows scaled": of((tape, [x, s]) => rowScale(tape, x!, s!), x, list(n, "s")),
    "sddmm": of((tape, [x, u]) => sddmm(tape, pattern(), scales.left, scales.right, x!, u!), x, u),
    ...Object.fromEntries((["sum", "mean", "max", "min"] as const).map((kind) => [
      `segment ${kind}`,
      of((tape, [x]) => segmentReduce(tape, x!, segments, kind), x),
    ])),
    "segment broadcast": of((tape, [s]) => segmentBroadcast(tape, s!, segments, n), segmented),
    "segment softmax": of((tape, [x]) => segmentSoftmax(tape, x!, segments), x),
    "tanh": of((tape, [x]) => unary(tape, x!, "tanh"), x),
    "A u": of((tape, [u]) => operator().apply(tape, u!), u),
    "A u with values": of(
      (tape, [u, values]) => new SparseOperator(pattern(), { ...scales, values: values! }).apply(tape, u!),
      u,
      values,
    ),
    "A' x": of((tape, [x]) => operator().transpose(tape).apply(tape, x!), x),
    "what follows A u": of(
      (tape, [u, y, b]) => operator().apply(tape, u!, { addend: y!, bias: b!, ...ending }),
      u,
      y,
      bias,
    ),
    ...Object.fromEntries((["mean", "max", "min"] as const).map((kind) => [
      `${kind} of neighbours`,
      of((tape, [u]) => new SparseOperator(pattern(), { values: constants }).reduce(tape, u!, kind), u),
    ])),
    "sparse features": of(
      (tape, [u]) => new SparseFeatures(pattern(), { values: constants }).apply(tape, u!),
      u,
    ),
    ...(n === m || n === 4
      ? {
        "with a diagonal": of(
          (tape, [u]) =>
            new SparseOperator(pattern(), { ...scales, diagonal: vector(randoms(n, "diagonal")) }).apply(
              tape,
              u!,
            ),
          u,
        ),
      }
      : {}),
  };
}
