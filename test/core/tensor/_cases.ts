/** A function for every op of core/tensor/ops, by the name of its file. */
import { unaryKinds } from "../../../ffi/ops.ts";
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { addBias, broadcastRows, columnSum } from "../../../core/tensor/ops/add_bias.ts";
import { argScatter } from "../../../core/tensor/ops/arg.ts";
import { attention, keptScores } from "../../../core/tensor/ops/attention.ts";
import { axpby, scale } from "../../../core/tensor/ops/axpby.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { columnAffine } from "../../../core/tensor/ops/column_affine.ts";
import { concatColumns, takeColumns } from "../../../core/tensor/ops/columns.ts";
import { dropoutEdges, dropoutValues, gatherValues } from "../../../core/tensor/ops/csr_values.ts";
import { dropout } from "../../../core/tensor/ops/dropout.ts";
import { epilogue } from "../../../core/tensor/ops/epilogue.ts";
import { gather, scatterAdd } from "../../../core/tensor/ops/gather.ts";
import { edgeSum, headDots, sddmmHeads, spmmHeads } from "../../../core/tensor/ops/heads.ts";
import { layerProduct, orders } from "../../../core/tensor/ops/layer_product.ts";
import { logSoftmax } from "../../../core/tensor/ops/log_softmax.ts";
import { matmul, matmulSum } from "../../../core/tensor/ops/matmul.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { projectedAttention } from "../../../core/tensor/ops/projected_attention.ts";
import { rowNormalize, segmentNorm } from "../../../core/tensor/ops/norms.ts";
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
import { sddmm } from "../../../core/tensor/ops/sddmm.ts";
import { aboveRows, firstRows } from "../../../core/tensor/ops/rows.ts";
import { segmentBroadcast, segmentReduce, segmentSoftmax } from "../../../core/tensor/ops/segment.ts";
import { unary, type UnaryKind } from "../../../core/tensor/ops/unary.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { type Case, fixed, index, integers, randoms, variable, vector } from "./_autograd.ts";

type Named = Record<string, Case>;

const of = (f: Case["f"], ...inputs: Tensor[]): Case => ({ inputs, f });
const x34 = () => variable([3, 4]);
const y34 = () => variable([3, 4], randoms(12, "y"));
/** Numbers that keep 0.2 away from 0, where relu, abs and sign have a corner. */
const cornerless = (shape: readonly number[]) =>
  variable(shape, randoms(shape.reduce((a, b) => a * b, 1), `x${shape}`).map((v) => v + Math.sign(v) * 0.2));
/** Numbers in 0.5 .. 1.5. */
const positive = (shape: readonly number[]) =>
  variable(shape, randoms(shape.reduce((a, b) => a * b, 1), `p${shape}`).map((v) => 1 + v / 2));

/** (4, 5) with an empty row, a double entry and an empty column. */
export function pattern45(dtype: "I32" | "I64" = "I32"): Pattern {
  return new Pattern(
    fixed,
    4,
    5,
    integers("I64", [0, 3, 3, 5, 8]),
    integers(dtype, [0, 2, 2, 4, 1, 0, 1, 4]),
  );
}

/** pattern45() with values, scales and what a diagonal adds to its first rows. */
const scaledOperator = () =>
  new SparseOperator(pattern45(), {
    values: new Tensor(vector(randoms(8, "values"))),
    left: vector([1, 0.5, 2, 1]),
    right: vector([1, 2, 0.5, 1, 3]),
    diagonal: vector([0.5, 1, 0.25, 2]),
  });

/** Attention over pattern45(): what it is, its options, its columns. */
const attentionOptions = () =>
  ([[2, 3, 0, false], [1, 4, 0.4, false], [3, 1, 0.4, true]] as const).map(([heads, width, p, hasIds]) =>
    [
      `${heads} heads of ${width}, dropout ${p}`,
      () => ({
        pattern: pattern45(),
        heads,
        slope: 0.2,
        p,
        layer: 3,
        ids: hasIds ? integers("I64", [9, 8, 7, 6, 5]) : null,
      }),
      heads * width,
    ] as const
  );

const segments = () => index([0, 2, 2, 5, 6]);
const labels = () => integers("I32", [2, -1, 0, 1, 1]);

const unaryCases: Named = Object.fromEntries(
  (Object.keys(unaryKinds) as UnaryKind[]).map((kind) => {
    const needsPositive = kind === "log" || kind === "sqrt" || kind === "power";
    const alpha = kind === "power" ? -1.5 : kind === "max_scalar" ? 0.1 : 0;
    const at = needsPositive ? positive([3, 4]) : cornerless([3, 4]);
    return [kind, of((tape, [x]) => unary(tape, x!, kind, alpha), at)];
  }),
);

export const cases: Record<string, Named> = {
  add_bias: {
    "x + bias": of((tape, [x, b]) => addBias(tape, x!, b!), x34(), variable([4])),
    "sum over rows": of((tape, [x]) => columnSum(tape, x!), x34()),
    "bias to rows": of((tape, [b]) => broadcastRows(tape, b!, 3), variable([4])),
  },
  arg: {
    "edges to columns, with values": of(
      (tape, [g]) =>
        argScatter(tape, g!, {
          arg: indexMatrix([4, 2], [0, 2, -1, -1, 4, 3, 5, 7]),
          indices: pattern45().indices,
          values: vector(randoms(8, "values")),
          rows: 5,
        }),
      variable([4, 2]),
    ),
    "rows to rows": of(
      (tape, [g]) =>
        argScatter(tape, g!, {
          arg: indexMatrix([2, 2], [1, 1, -1, 0]),
          indices: null,
          values: null,
          rows: 3,
        }),
      variable([2, 2]),
    ),
  },
  attention: Object.fromEntries(
    // Widths of one head and several, with and without dropout, by numbers of original nodes, and what is kept.
    attentionOptions().flatMap(([name, options, total]) =>
      keptScores.map((keeps) => [
        `${name}, ${keeps} kept`,
        of(
          (tape, [x, left, right]) => attention(tape, x!, left!, right!, options(), keeps),
          variable([5, total]),
          variable([total], randoms(total, "left")),
          variable([total], randoms(total, "right")),
        ),
      ])
    ),
  ),
  axpby: {
    "a x + b y": of((tape, [x, y]) => axpby(tape, x!, y!, 2, -3), x34(), y34()),
    "x - x / 2": of((tape, [x]) => axpby(tape, x!, x!, 1, -0.5), x34()),
    "a x": of((tape, [x]) => scale(tape, x!, 0.25), x34()),
  },
  cross_entropy: {
    "every row": of((tape, [x]) => crossEntropy(tape, x!, labels()), variable([5, 3])),
    "weighted rows, one of them twice": of(
      (tape, [x]) =>
        crossEntropy(tape, x!, labels(), {
          index: integers("I64", [4, 0, 4, 1, 3]),
          weight: vector([0.5, 2, 1, 3, 0.25]),
        }),
      variable([5, 3]),
    ),
    "a sum over an index": of(
      (tape, [x]) => crossEntropy(tape, x!, labels(), { index: integers("I32", [0, 2]), sum: true }),
      variable([5, 3]),
    ),
    "of a function of x": of(
      (tape, [x, w]) => crossEntropy(tape, matmul(tape, x!, w!), labels()),
      variable([5, 2]),
      variable([2, 3]),
    ),
  },
  column_affine: {
    "scale x + shift": of(
      (tape, [x, a, b]) => columnAffine(tape, x!, a!, b!),
      x34(),
      variable([4]),
      variable([4], randoms(4, "b")),
    ),
    "scale x": of((tape, [x, a]) => columnAffine(tape, x!, a!, null), x34(), variable([4])),
  },
  columns: {
    "side by side": of((tape, [x, y]) => concatColumns(tape, [x!, y!, x!]), x34(), variable([3, 2])),
    "some columns": of((tape, [x]) => takeColumns(tape, x!, 1, 2), x34()),
  },
  csr_values: {
    "values in another order": of(
      (tape, [v]) => gatherValues(tape, v!, integers("I64", [3, 0, 2, 2])),
      variable([4]),
    ),
    "dropout on values": of((tape, [v]) => dropoutValues(tape, pattern45(), v!, 0.4, 2, null), variable([8])),
    "dropout on edges": of(
      (tape, [v]) => dropoutEdges(tape, pattern45(), v!, 0.4, 2, null),
      variable([8, 3]),
    ),
    "dropout by id": of(
      (tape, [v]) => dropoutValues(tape, pattern45(), v!, 0.4, 2, integers("I64", [9, 8, 7, 6])),
      variable([8]),
    ),
  },
  epilogue: {
    "everything, relu": of(
      (tape, [x, addend, bias]) =>
        epilogue(tape, x!, {
          addend: addend!,
          bias: bias!,
          activation: "relu",
          drop: { p: 0.4, layer: 1, ids: null },
        }),
      cornerless([3, 4]),
      variable([3, 4], randoms(12, "y").map((v) => v / 20)),
      variable([4], randoms(4, "b").map((v) => v / 20)),
    ),
    "leaky relu and dropout by id": of(
      (tape, [x]) =>
        epilogue(tape, x!, {
          activation: "relu",
          slope: 0.1,
          drop: { p: 0.4, layer: 1, ids: index([7, 2, 2, 5]).handle },
        }),
      cornerless([3, 4]),
    ),
    "elu of a sum": of(
      (tape, [x, addend]) => epilogue(tape, x!, { addend: addend!, activation: "elu" }),
      x34(),
      y34(),
    ),
    "tanh and dropout": of(
      (tape, [x, bias]) =>
        epilogue(tape, x!, { bias: bias!, activation: "tanh", drop: { p: 0.3, layer: 2, ids: null } }),
      x34(),
      variable([4]),
    ),
    "elu and dropout": of(
      (tape, [x]) => epilogue(tape, x!, { activation: "elu", drop: { p: 0.3, layer: 2, ids: null } }),
      x34(),
    ),
    "a sum and dropout": of(
      (tape, [x, addend]) => epilogue(tape, x!, { addend: addend!, drop: { p: 0.3, layer: 2, ids: null } }),
      x34(),
      y34(),
    ),
    "a sum alone": of(
      (tape, [x, addend, bias]) => epilogue(tape, x!, { addend: addend!, bias: bias! }),
      x34(),
      y34(),
      variable([4]),
    ),
    "a sum with the first rows": of(
      (tape, [x, addend, bias]) => epilogue(tape, x!, { addend: addend!, bias: bias!, activation: "tanh" }),
      x34(),
      variable([2, 4]),
      variable([4]),
    ),
  },
  dropout: {
    "by row": of((tape, [x]) => dropout(tape, x!, 0.4, 1), x34()),
    "by id": of((tape, [x]) => dropout(tape, x!, 0.4, 1, index([7, 2, 2])), x34()),
  },
  gather: {
    "rows, some twice, one of nothing": of((tape, [x]) => gather(tape, x!, index([2, 0, -1, 2])), x34()),
    "elements": of((tape, [x]) => gather(tape, x!, index([3, 1, 1], "I32")), variable([4])),
    "rows added up": of((tape, [x]) => scatterAdd(tape, x!, index([4, -1, 4]), 5), x34()),
    "elements added up": of((tape, [x]) => scatterAdd(tape, x!, index([1, 1, 0, -1]), 2), variable([4])),
  },
  heads: {
    "weights of two heads": of(
      (tape, [v, x]) => spmmHeads(tape, pattern45(), v!, x!),
      variable([8, 2]),
      variable([5, 6]),
    ),
    "dots of two heads": of(
      (tape, [x, y]) => sddmmHeads(tape, pattern45("I64"), x!, y!, 2),
      variable([4, 6]),
      variable([5, 6]),
    ),
    "scores of rows": of(
      (tape, [x, a]) => headDots(tape, x!, a!, 2),
      variable([4, 6]),
      variable([6], randoms(6, "a")),
    ),
    "sums of the ends": of(
      (tape, [x, y]) => edgeSum(tape, pattern45(), x!, y!),
      variable([4, 2]),
      variable([5, 2]),
    ),
  },
  layer_product: Object.fromEntries(
    orders.flatMap((order) =>
      (["kept", "recomputed", "aggregate-first"] as const)
        .filter((made) => made !== "kept" || order === "aggregate-first")
        .flatMap((weightGradient) =>
          orders.map((inputGradient) => [
            `${order}, dW ${weightGradient}, dX ${inputGradient}`,
            of(
              (tape, [x, w, addend, bias]) =>
                layerProduct(scaledOperator(), x!, w!, { order, weightGradient, inputGradient })
                  .apply(tape, { addend: addend!, bias: bias!, activation: "tanh" }),
              variable([5, 3]),
              variable([3, 2]),
              variable([4, 2]),
              variable([2]),
            ),
          ])
        )
    ),
  ),
  log_softmax: {
    "rows": of((tape, [x]) => logSoftmax(tape, x!), x34()),
    "one column": of((tape, [x]) => logSoftmax(tape, x!), variable([3, 1])),
  },
  matmul: {
    "a b": of((tape, [a, b]) => matmul(tape, a!, b!), variable([3, 2]), variable([2, 4])),
    "a' b": of((tape, [a, b]) => matmul(tape, a!, b!, { transA: true }), variable([2, 3]), variable([2, 4])),
    "a b'": of((tape, [a, b]) => matmul(tape, a!, b!, { transB: true }), variable([3, 2]), variable([4, 2])),
    "a' b'": of(
      (tape, [a, b]) => matmul(tape, a!, b!, { transA: true, transB: true }),
      variable([2, 3]),
      variable([4, 2]),
    ),
    "a' a": of((tape, [a]) => matmul(tape, a!, a!, { transA: true }), x34()),
    "what follows a b": of(
      (tape, [a, b, addend, bias]) =>
        matmul(tape, a!, b!, {}, {
          addend: addend!,
          bias: bias!,
          activation: "tanh",
          drop: { p: 0.3, layer: 1, ids: index([7, 2, 2, 5]).handle },
        }),
      variable([3, 2]),
      variable([2, 4]),
      variable([2, 4], randoms(8, "addend")),
      variable([4]),
    ),
    "a bias behind a' b'": of(
      (tape, [a, b, bias]) => matmul(tape, a!, b!, { transA: true, transB: true }, { bias: bias! }),
      variable([2, 3]),
      variable([4, 2]),
      variable([4]),
    ),
    "a b + a2 b2 and what follows": of(
      (tape, [a, b, a2, b2, bias]) =>
        matmulSum(tape, [a!, b!], [a2!, b2!], {
          bias: bias!,
          activation: "tanh",
          drop: { p: 0.3, layer: 1, ids: null },
        }),
      variable([3, 2]),
      variable([2, 4]),
      variable([3, 5]),
      variable([5, 4]),
      variable([4]),
    ),
    "a a + a b + c": of(
      (tape, [a, b, c]) => matmulSum(tape, [a!, a!], [a!, b!], { addend: c!, activation: "elu" }),
      variable([3, 3]),
      variable([3, 3], randoms(9, "b")),
      variable([2, 3]),
    ),
    "a b + b a": of(
      (tape, [a, b]) => matmulSum(tape, [a!, b!], [b!, a!]),
      variable([2, 2]),
      variable([2, 2]),
    ),
    "elu of a a'": of((tape, [a]) => matmul(tape, a!, a!, { transB: true }, { activation: "elu" }), x34()),
  },
  mul: {
    "x y": of((tape, [x, y]) => mul(tape, x!, y!), x34(), y34()),
    "x x": of((tape, [x]) => mul(tape, x!, x!), x34()),
  },
  norms: {
    // Segments of 1, 2 and 17 rows; alpha, gamma and beta away from their starts.
    ...Object.fromEntries([[0, 1], [0, 2], [0, 17], [0, 1, 1, 3, 20]].map((starts) => [
      `segments ${starts}`,
      of(
        (tape, [x, alpha, gamma, beta]) =>
          segmentNorm(tape, x!, index(starts), { alpha: alpha!, gamma: gamma!, beta: beta! }, 0.1),
        variable([starts.at(-1)!, 2]),
        variable([2], [0.6, 1.3]),
        variable([2], [1.5, -0.7]),
        variable([2], [0.2, 0.1]),
      ),
    ])),
    "one segment": of(
      (tape, [x, alpha, gamma, beta]) =>
        segmentNorm(tape, x!, null, { alpha: alpha!, gamma: gamma!, beta: beta! }, 0.1),
      variable([5, 3]),
      variable([3], [1, 0, 0.5]),
      variable([3], [1, 2, 3]),
      variable([3]),
    ),
    "along rows": of((tape, [x]) => rowNormalize(tape, x!, 0.1), x34()),
  },
  projected_attention: Object.fromEntries(
    attentionOptions().flatMap(([name, options, total]) => {
      const vectors = [variable([total], randoms(total, "left")), variable([total], randoms(total, "right"))];
      // Sparse features: a matrix of 5 x 5, one row of which is empty.
      const sparse = () =>
        new SparseOperator(
          new Pattern(
            fixed,
            5,
            5,
            integers("I64", [0, 3, 3, 5, 8, 9]),
            integers("I32", [0, 2, 3, 4, 1, 0, 1, 4, 2]),
          ),
          { values: new Tensor(vector(randoms(9, "features"))) },
        );
      return [
        [
          name,
          of(
            (tape, [x, w, left, right]) => projectedAttention(tape, x!, w!, left!, right!, options()),
            variable([5, 2]),
            variable([2, total]),
            ...vectors,
          ),
        ],
        [
          `${name}, sparse features`,
          of(
            (tape, [w, left, right]) => projectedAttention(tape, sparse(), w!, left!, right!, options()),
            variable([5, total]),
            ...vectors,
          ),
        ],
      ];
    }),
  ),
  relu: {
    "relu": of((tape, [x]) => relu(tape, x!), cornerless([3, 4])),
    "leaky relu": of((tape, [x]) => relu(tape, x!, 0.2), cornerless([3, 4])),
    "of a square": of(
      (tape, [x, y]) => relu(tape, mul(tape, x!, y!)),
      cornerless([3, 4]),
      variable([3, 4], randoms(12, "y").map((v) => v + Math.sign(v) * 0.2)),
    ),
  },
  reshape: {
    "to one dimension": of((tape, [x]) => reshape(tape, x!, [12]), x34()),
    "of a product": of((tape, [x, y]) => reshape(tape, mul(tape, x!, y!), [2, 6]), x34(), y34()),
  },
  rows: {
    "the first rows": of((tape, [x]) => firstRows(tape, x!, 2), x34()),
    "the first numbers": of((tape, [x]) => firstRows(tape, mul(tape, x!, x!), 2), variable([4])),
    "the first numbers, and all": of(
      (tape, [x]) => {
        const y = mul(tape, x!, x!), first = firstRows(tape, y, 2);
        return axpby(tape, totalSum(tape, mul(tape, first, first)), totalSum(tape, mul(tape, y, y)), 1, 1);
      },
      variable([4]),
    ),
    "all rows": of((tape, [x]) => firstRows(tape, scale(tape, x!, 2), 3), x34()),
    "above constant rows": of((tape, [x]) => aboveRows(tape, x!, y34().handle), x34()),
    "above no rows": of(
      (tape, [x]) => aboveRows(tape, scale(tape, x!, 2), variable([0, 4], []).handle),
      x34(),
    ),
    // Gradients of first rows meet those of all and of fewer rows, which come before and after them.
    "rows that others read": of(
      (tape, [x, b]) => {
        const y = mul(tape, x!, x!), sum = (z: Tensor) => totalSum(tape, mul(tape, z, z));
        const parts = [
          firstRows(tape, y, 2),
          y,
          firstRows(tape, y, 1),
          matmul(tape, y, b!),
          firstRows(tape, y, 2),
          firstRows(tape, y, 1),
        ];
        return parts.map(sum).reduce((a, b) => axpby(tape, a, b, 1, 1));
      },
      x34(),
      variable([4, 2]),
    ),
  },
  row_sum: {
    "row sums": of((tape, [x]) => rowSum(tape, x!), x34()),
    "a column to columns": of((tape, [x]) => broadcastColumns(tape, x!, 3), variable([4])),
    "total": of((tape, [x]) => totalSum(tape, x!), x34()),
    "one number to all": of((tape, [x]) => broadcastScalar(tape, x!, [2, 3]), variable([1])),
    "dots of rows": of((tape, [x, y]) => rowDot(tape, x!, y!), x34(), y34()),
    "dots of rows with themselves": of((tape, [x]) => rowDot(tape, x!, x!), x34()),
    "rows scaled": of((tape, [x, s]) => rowScale(tape, x!, s!), x34(), variable([3])),
  },
  sddmm: {
    "plain": of(
      (tape, [x, y]) => sddmm(tape, pattern45(), null, null, x!, y!),
      variable([4, 2]),
      variable([5, 2]),
    ),
    "with scales and wide indices": of(
      (tape, [x, y]) =>
        sddmm(tape, pattern45("I64"), vector(randoms(4, "left")), vector(randoms(5, "right")), x!, y!),
      variable([4, 2]),
      variable([5, 2]),
    ),
  },
  segment: {
    "sum": of((tape, [x]) => segmentReduce(tape, x!, segments(), "sum"), variable([6, 2])),
    "mean": of((tape, [x]) => segmentReduce(tape, x!, segments(), "mean"), variable([6, 2])),
    "max": of((tape, [x]) => segmentReduce(tape, x!, segments(), "max"), variable([6, 2])),
    "min": of((tape, [x]) => segmentReduce(tape, x!, segments(), "min"), variable([6, 2])),
    "broadcast": of((tape, [x]) => segmentBroadcast(tape, x!, segments(), 6), variable([4, 2])),
    "softmax": of((tape, [x]) => segmentSoftmax(tape, x!, segments()), variable([6, 2])),
    "max of a product": of(
      (tape, [x, y]) => segmentReduce(tape, mul(tape, x!, y!), segments(), "max"),
      variable([6, 2]),
      variable([6, 2], randoms(12, "z")),
    ),
  },
  unary: unaryCases,
};

function indexMatrix(shape: readonly number[], values: readonly number[]): Tensor {
  return new Tensor(fixed.reshape(index(values).handle, shape));
}
