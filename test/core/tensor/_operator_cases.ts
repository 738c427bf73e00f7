/** Sparse operators of every shape that models use, as functions of x (and of values). */
import { Pattern, type Scales, SparseOperator } from "../../../core/tensor/operator.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { firstRows } from "../../../core/tensor/ops/rows.ts";
import { SparseFeatures } from "../../../core/tensor/sparse_features.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { type Case, fixed, integers, randoms, variable, vector } from "./_autograd.ts";
import { pattern45 } from "./_cases.ts";

const INDPTR = [0, 2, 3, 3, 6, 8], INDICES = [1, 4, 0, 0, 2, 2, 1, 3];
/** (5, 5), not symmetric, with an empty row and a double entry. */
export const square = () => new Pattern(fixed, 5, 5, integers("I64", INDPTR), integers("I32", INDICES));
/** The path 0-1-2-3, both directions. */
export const path = () =>
  new Pattern(fixed, 4, 4, integers("I64", [0, 1, 3, 5, 6]), integers("I32", [1, 0, 2, 1, 3, 2]), true);

const left = (n: number) => vector(randoms(n, `left${n}`));
const right = (n: number) => vector(randoms(n, `right${n}`));
const diagonal = (n: number) => vector(randoms(n, `diagonal${n}`));

const apply = (pattern: Pattern, scales: Scales = {}): Case => ({
  inputs: [variable([pattern.numCols, 2])],
  f: (tape, [x]) => new SparseOperator(pattern, scales).apply(tape, x!),
});

/** With values that are an input too. */
const withValues = (
  pattern: Pattern,
  scales: Scales,
  f: (operator: SparseOperator) => (tape: Parameters<Case["f"]>[0], x: Tensor) => Tensor,
): Case => ({
  inputs: [
    variable([pattern.numCols, 2]),
    variable([pattern.numEntries], randoms(pattern.numEntries, "values")),
  ],
  f: (tape, [x, values]) => f(new SparseOperator(pattern, { ...scales, values: values! }))(tape, x!),
});
const product = (operator: SparseOperator) => (tape: Parameters<Case["f"]>[0], x: Tensor) =>
  operator.apply(tape, x);

const reduce = (kind: "mean" | "max" | "min", pattern: Pattern, values?: Tensor): Case => ({
  inputs: [variable([pattern.numCols, 2])],
  f: (tape, [x]) => new SparseOperator(pattern, { values: values ?? null }).reduce(tape, x!, kind),
});
const constants = (n: number) => new Tensor(vector(randoms(n, "constants")));

export const operatorCases: Record<string, Case> = {
  "a square pattern": apply(square()),
  "a square pattern with a diagonal": apply(square(), { diagonal: diagonal(5) }),
  "a square pattern with scales and a diagonal": apply(square(), {
    left: left(5),
    right: right(5),
    diagonal: diagonal(5),
  }),
  "a symmetric pattern with scales and a diagonal": apply(path(), {
    left: left(4),
    right: right(4),
    diagonal: diagonal(4),
  }),
  "a rectangular block": apply(pattern45()),
  "a rectangular block with 64-bit indices and scales": apply(pattern45("I64"), {
    left: left(4),
    right: right(5),
  }),
  "a rectangular block with scales and a diagonal": apply(pattern45(), {
    left: left(4),
    right: right(5),
    diagonal: diagonal(4),
  }),
  "values": withValues(square(), {}, product),
  "values with scales and a diagonal": withValues(square(), {
    left: left(5),
    right: right(5),
    diagonal: diagonal(5),
  }, product),
  "values of a symmetric pattern": withValues(path(), { left: left(4), right: right(4) }, product),
  "values of a rectangular block with scales and a diagonal": withValues(
    pattern45(),
    { left: left(4), right: right(5), diagonal: diagonal(4) },
    product,
  ),
  "what follows a product": {
    inputs: [variable([5, 2]), variable([5, 2], randoms(10, "addend")), variable([2], randoms(2, "bias"))],
    f: (tape, [x, addend, bias]) =>
      new SparseOperator(square(), { left: left(5), diagonal: diagonal(5) }).apply(tape, x!, {
        addend: addend!,
        bias: bias!,
        activation: "tanh",
        drop: { p: 0.3, layer: 1, ids: null },
      }),
  },
  "what follows a product with values": withValues(
    pattern45(),
    { right: right(5) },
    (operator) => (tape, x) => operator.apply(tape, x, { activation: "elu" }),
  ),
  "a product of what others read the first rows of": {
    inputs: [variable([5, 2]), variable([3, 2], randoms(6, "addend"))],
    f: (tape, [x, addend]) => {
      const operator = new SparseOperator(pattern45(), { left: left(4), diagonal: diagonal(4) });
      const y = mul(tape, x!, x!), first = firstRows(tape, y, 3);
      const z = operator.apply(tape, y, { addend: addend!, activation: "tanh" });
      return mul(tape, firstRows(tape, z, 3), mul(tape, first, firstRows(tape, y, 3)));
    },
  },
  "a bias behind a product with constant values": {
    inputs: [variable([5, 2]), variable([2], randoms(2, "bias"))],
    f: (tape, [x, bias]) =>
      new SparseOperator(square(), { values: constants(8) }).apply(tape, x!, { bias: bias! }),
  },
  "constant values": apply(square(), { values: constants(8), left: left(5) }),
  "the transpose": {
    inputs: [variable([4, 2])],
    f: (tape, [x]) =>
      new SparseOperator(pattern45(), { left: left(4), right: right(5) }).transpose(tape).apply(tape, x!),
  },
  "the transpose of the transpose, with values": withValues(
    square(),
    { left: left(5), right: right(5), diagonal: diagonal(5) },
    (operator) => (tape, x) => operator.transpose(tape).transpose(tape).apply(tape, x),
  ),
  "dropout on values": withValues(
    pattern45(),
    { left: left(4) },
    (operator) => (tape, x) => operator.dropout(tape, 0.4, 1, null).apply(tape, x),
  ),
  "the gradient of a rectangular block with a diagonal": {
    inputs: [variable([4, 2])],
    f(tape, [seed]) {
      const x = variable([5, 2]);
      const out = new SparseOperator(pattern45(), { left: left(4), diagonal: diagonal(4) }).apply(tape, x);
      return tape.grad(out, [x], { seed: seed!, createGraph: true })[0]!;
    },
  },
  "the same operator twice": {
    inputs: [variable([5, 2])],
    f: (tape, [x]) => {
      const operator = new SparseOperator(square(), {
        left: left(5),
        right: right(5),
        diagonal: diagonal(5),
      });
      const once = operator.apply(tape, x!);
      return operator.apply(tape, mul(tape, once, once));
    },
  },
  "sparse features": {
    inputs: [variable([5, 2])],
    f: (tape, [w]) => new SparseFeatures(pattern45(), { values: constants(8) }).apply(tape, w!),
  },
  "sparse features with dropout by id": {
    inputs: [variable([5, 3])],
    f: (tape, [w]) =>
      new SparseFeatures(pattern45(), { values: constants(8) }).dropout(
        tape,
        0.4,
        1,
        integers("I64", [9, 8, 7, 6]),
      )
        .apply(tape, w!),
  },
  "the mean": reduce("mean", pattern45()),
  "the mean with values": reduce("mean", pattern45(), constants(8)),
  "the mean with values that gradients flow to": withValues(
    pattern45(),
    {},
    (operator) => (tape, x) => operator.reduce(tape, x, "mean"),
  ),
  "the maximum": reduce("max", square()),
  "the maximum with values": reduce("max", square(), constants(8)),
  "the minimum": reduce("min", pattern45()),
  "the maximum of a product": {
    inputs: [variable([5, 2]), variable([5, 2], randoms(10, "other"))],
    f: (tape, [x, y]) => new SparseOperator(square()).reduce(tape, mul(tape, x!, y!), "max"),
  },
};
