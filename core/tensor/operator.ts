/**
 * Operators: what models multiply by. An operator is a pattern with optional values, left and right scales and a
 * diagonal, so that normalising, re-normalising a slice and leaving the diagonal out of sampling need no copy.
 *
 * `Operator` is the seam: exact products live here; sampled, cached and reordered ones implement the same interface
 * and no model knows the difference.
 */
import { type Arena, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { reductions, unaryKinds } from "../../ffi/ops.ts";
import type { DType } from "../../ffi/dtype.ts";
import type { Csr } from "../graph/csr.ts";
import type { Op, Tape } from "./autograd.ts";
import { argScatter } from "./ops/arg.ts";
import { rowScale } from "./ops/row_sum.ts";
import { sddmm } from "./ops/sddmm.ts";
import { dropoutEdges, dropoutValues, gatherValues } from "./ops/csr_values.ts";
import { dropout } from "./ops/dropout.ts";
import {
  addFromTop,
  endingArgs,
  epilogue,
  epilogueGradients,
  epilogueInputs,
  type EpilogueParams,
  epilogueParams,
  type EpilogueParts,
  epilogueTerms,
  hasEpilogue,
} from "./ops/epilogue.ts";
import { Tensor } from "./tensor.ts";

/** A sparse (or otherwise cheap) linear map on node rows: (numCols, f) -> (numRows, f). */
export interface Operator {
  readonly numRows: number;
  readonly numCols: number;
  /** Whether it adds terms of its own, made of rows like those of x: it is applied before x is multiplied by weights. */
  readonly addsRows?: boolean;
  /** @param ending  what follows the product, as epilogue() does it: a fused part of it, where an operator can. */
  apply(tape: Tape, x: Tensor, ending?: EpilogueParts): Tensor;
}

/** A product that is still to be computed, so that what follows it can be a part of it. */
export interface Product {
  readonly rows: number;
  apply(tape: Tape, ending?: EpilogueParts): Tensor;
}

/** operator @ x, still to be computed. */
export function operatorProduct(operator: Operator, x: Tensor): Product {
  return { rows: operator.numRows, apply: (tape, ending) => operator.apply(tape, x, ending) };
}

/**
 * An operator as stored entries, for models that weight them or reduce them otherwise.
 * @throws {RangeError} naming who asked, if it is of another kind.
 */
export function storedEntries(operator: Operator, who: string): SparseOperator {
  if (operator instanceof SparseOperator) return operator;
  throw new RangeError(`${who} weights the entries of its operator, which this one does not store`);
}

/** Where the non-zeros are, with the transpose computed once. */
export class Pattern {
  private cached: { pattern: Pattern; order: TensorHandle } | null = null;

  /**
   * @param arena  holds the transpose; it must live as long as the pattern is used.
   * @param isSymmetric  the pattern equals its transpose.
   * @param made  the arrays of the host that it was made from, if it was.
   */
  constructor(
    readonly arena: Arena,
    readonly numRows: number,
    readonly numCols: number,
    readonly indptr: TensorHandle,
    readonly indices: TensorHandle,
    readonly isSymmetric = false,
    private readonly made: Csr | null = null,
  ) {}

  static of(arena: Arena, csr: Csr, isSymmetric = false): Pattern {
    return new Pattern(
      arena,
      csr.numRows,
      csr.numCols,
      arena.bind(csr.indptr),
      arena.bind(csr.indices),
      isSymmetric,
      csr,
    );
  }

  /** The pattern as memory of the host. */
  hostCsr(): Csr {
    const { made, numRows, numCols } = this;
    return {
      numRows,
      numCols,
      indptr: made?.indptr ?? hostArray(this.indptr, "I64"),
      indices: made?.indices ?? hostArray(this.indices) as Csr["indices"],
      values: null,
    };
  }

  get numEntries(): number {
    return this.indices.rows;
  }

  /** The transposed pattern, and for each of its entries the number of the old one. */
  transpose(): { pattern: Pattern; order: TensorHandle } {
    const { arena, numRows, numCols, numEntries } = this;
    this.cached ??= arena.engine.once(() => {
      const indptr = arena.tensor("I64", [numCols + 1]);
      const indices = arena.tensor(this.indices.dtype, [numEntries]);
      const order = arena.tensor("I64", [numEntries]);
      arena.engine.run("csr_transpose", {
        indptr: this.indptr,
        indices: this.indices,
        out_indptr: indptr,
        out_indices: indices,
        order,
      });
      return { pattern: new Pattern(arena, numCols, numRows, indptr, indices), order };
    });
    return this.cached;
  }
}

export interface Scales {
  /** [nnz] values; absent: ones. */
  readonly values?: Tensor | null;
  /** [numRows] factor of each row. */
  readonly left?: TensorHandle | null;
  /** [numCols] factor of each column. */
  readonly right?: TensorHandle | null;
  /** [numRows] what is added on the diagonal, after the scales (square operators, or blocks whose rows come first). */
  readonly diagonal?: TensorHandle | null;
}

/**
 * The exact product: out[i] = left[i] * sum over e in row i of values[e] * right[j] * x[j] + diagonal[i] * x[i].
 * Deterministic for any thread count. Gradients flow to x and to values; scales are constants.
 */
export class SparseOperator implements Operator {
  /** The transpose, whose own is this one; null where none was made, or where its values want a gradient. */
  private cachedTranspose: SparseOperator | null = null;

  /** @param order  the values belong to the entries in this order: entry e has values[order[e]]; null: as they are. */
  constructor(
    readonly pattern: Pattern,
    readonly scales: Scales = {},
    readonly order: TensorHandle | null = null,
  ) {
    if (scales.diagonal && pattern.numRows > pattern.numCols) {
      throw new RangeError(`diagonal of a ${pattern.numRows} x ${pattern.numCols} operator`);
    }
  }

  get numRows(): number {
    return this.pattern.numRows;
  }
  get numCols(): number {
    return this.pattern.numCols;
  }

  apply(tape: Tape, x: Tensor, ending: EpilogueParts = {}): Tensor {
    const { values } = this.scales, inputs = values ? [x, values] : [x], params = { operator: this };
    const after = epilogueParams(tape, this.numRows, ending);
    if (!hasEpilogue(ending, after)) return tape.apply(spmmOp, inputs, params);
    return tape.apply(endedOp, [...inputs, ...epilogueInputs(ending)], { ...params, after });
  }

  /** The arguments of the native product with x. */
  productArgs(x: Tensor) {
    const { pattern, scales: { values, left, right, diagonal }, order } = this;
    const { indptr, indices } = pattern;
    return {
      indptr,
      indices,
      values: values?.handle,
      order,
      left,
      right,
      diagonal,
      x: x.handle,
      reduce: reductions.sum,
    };
  }

  /**
   * The row-wise mean, maximum or minimum of values[e] * x[j] in place of the sum; 0 for empty rows.
   *
   * @throws {RangeError} with scales or a diagonal, which would be lost, and for a maximum or minimum whose values want
   * a gradient: only x gets one.
   */
  reduce(tape: Tape, x: Tensor, kind: "mean" | "max" | "min"): Tensor {
    const { values, left, right, diagonal } = this.scales;
    if (left || right || diagonal) {
      throw new RangeError(`the ${kind} of an operator with scales or a diagonal`);
    }
    if (kind === "mean") return meanOperator(tape, this, x.dtype === "F64" ? "F64" : "F32").apply(tape, x);
    if (values?.requiresGrad) throw new RangeError(`the ${kind} has no gradient to the values`);
    return tape.apply(extremumOp, [x], { operator: this, kind });
  }

  /**
   * The transpose, to be applied. The pattern's own is computed once; constant values are read in its order, without a
   * copy.
   */
  transpose(tape: Tape): SparseOperator {
    const { values, left, right, diagonal } = this.scales;
    if (this.cachedTranspose) return this.cachedTranspose;
    if (diagonal && this.numRows !== this.numCols) {
      throw new RangeError("the transpose of a rectangular operator with a diagonal is applied, not built");
    }
    const scales = { left: right, right: left, diagonal };
    if (values?.requiresGrad) {
      // They leave an entry at every use.
      const { pattern, order } = this.pattern.transpose();
      return new SparseOperator(pattern, { values: gatherValues(tape, values, order), ...scales });
    }
    const { pattern, order } = this.pattern.isSymmetric && !values
      ? { pattern: this.pattern, order: null }
      : this.pattern.transpose();
    this.cachedTranspose = new SparseOperator(pattern, { values, ...scales }, values ? order : null);
    this.cachedTranspose.cachedTranspose = this;
    return this.cachedTranspose;
  }

  /**
   * This operator's transpose times g, the gradient of apply(), plus `addend`, which may have the first rows alone. A
   * rectangular operator's diagonal adds the scaled rows of g to the first rows of the result.
   */
  applyTransposed(tape: Tape, g: Tensor, addend: Tensor | null): Tensor {
    const { diagonal, ...scales } = this.scales;
    if (!diagonal || this.numRows === this.numCols) return this.transpose(tape).apply(tape, g, { addend });
    const scaled = rowScale(tape, g, new Tensor(diagonal));
    return new SparseOperator(this.pattern, scales).transpose(tape).apply(tape, g, {
      addend: addend ? addFromTop(tape, addend, scaled) : scaled,
    });
  }

  /** This operator with dropout on its entries, the diagonal among them; masks follow the edge (see dropoutEdges). */
  dropoutEdges(tape: Tape, p: number, layer: number, ids: TensorHandle | null, dtype: DType): SparseOperator {
    if (p <= 0 || !tape.training) return this;
    const { pattern, scales } = this;
    const ones = (count: number) => {
      const handle = tape.arena.tensor(dtype, [count]);
      tape.engine.run("fill", { out: handle, value: 1 });
      return new Tensor(handle);
    };
    const values = dropoutEdges(tape, pattern, scales.values ?? ones(pattern.numEntries), p, layer, ids);
    const diagonal = scales.diagonal &&
      dropout(tape, new Tensor(scales.diagonal), p, layer, ids && new Tensor({ ...ids, rows: this.numRows }));
    return new SparseOperator(pattern, { ...scales, values, diagonal: diagonal?.handle ?? null });
  }

  /** This operator with dropout on its values: for sparse features, where an entry is a feature of a node. */
  dropout(tape: Tape, p: number, layer: number, ids: TensorHandle | null): SparseOperator {
    if (p <= 0 || !tape.training) return this;
    const values = dropoutValues(tape, this.pattern, this.scales.values ?? null, p, layer, ids);
    return new SparseOperator(this.pattern, { ...this.scales, values });
  }
}

interface SpmmParams {
  readonly operator: SparseOperator;
}

const spmmOp: Op<SpmmParams> = {
  name: "spmm",
  parameterUse: { weight: 0, input: -1 },
  forward(tape, [x], { operator }) {
    const output = productOf(tape, operator, x!);
    tape.engine.run("spmm", { ...operator.productArgs(x!), out: output.handle });
    return { output, saved: undefined };
  },
  backward: (tape, { inputs: [x], params: { operator } }, g, needs, take) =>
    productGradients(tape, operator, x!, g, needs, take),
};

/** The product's result. x may be stored as F16 or BF16; sums and result are float32 then. */
const productOf = (tape: Tape, { numRows }: SparseOperator, x: Tensor) =>
  tape.tensor(x.dtype === "F64" ? "F64" : "F32", [numRows, x.cols]);

/** Gradients of a product to x and to the values. */
function productGradients(
  tape: Tape,
  operator: SparseOperator,
  x: Tensor,
  g: Tensor,
  needs: readonly boolean[],
  take: (input: number) => Tensor | null,
): (Tensor | null)[] {
  const { pattern, scales: { left = null, right = null } } = operator;
  return [
    needs[0] ? operator.applyTransposed(tape, g, take(0)) : null,
    needs[1] ? sddmm(tape, pattern, left, right, g, x) : null,
  ];
}

/** A product and what follows it. Inputs: x, the values if there are any, addend and bias. */
const endedOp: Op<SpmmParams & { readonly after: EpilogueParams }> = {
  name: "spmm_epilogue",
  forward(tape, inputs, { operator, after }) {
    const x = inputs[0]!, output = productOf(tape, operator, x);
    tape.engine.run("spmm", {
      ...operator.productArgs(x),
      out: output.handle,
      ...endingArgs(inputs.slice(numProductInputs(operator)), after),
    });
    return { output, saved: undefined };
  },
  backward(tape, { inputs, output, params: { operator, after } }, g, needs, take) {
    const first = numProductInputs(operator);
    const { dx, rest } = epilogueGradients(tape, output, inputs.slice(first), after, g, needs.slice(first));
    const own = productGradients(tape, operator, inputs[0]!, dx, needs.slice(0, first), take);
    return [...own.slice(0, first), ...rest];
  },
  decompose(tape, inputs, { operator, after }) {
    const terms = inputs.slice(numProductInputs(operator));
    return epilogue(tape, operator.apply(tape, inputs[0]!), { ...after, ...epilogueTerms(terms, after) });
  },
};
const numProductInputs = ({ scales }: SparseOperator) => scales.values ? 2 : 1;

/** The mean is a sum with 1 / degree on the left. */
function meanOperator(tape: Tape, { pattern, scales }: SparseOperator, dtype: DType): SparseOperator {
  const inverse = tape.arena.tensor(dtype, [pattern.numRows]);
  tape.engine.run("csr_row_sum", { indptr: pattern.indptr, out: inverse, power: 0 });
  tape.engine.run("unary", { x: inverse, out: inverse, kind: unaryKinds.reciprocal, alpha: 0 });
  return new SparseOperator(pattern, { values: scales.values, left: inverse });
}

interface ExtremumParams extends SpmmParams {
  readonly kind: "max" | "min";
}

const extremumOp: Op<ExtremumParams, { arg: Tensor }> = {
  name: "spmm_extremum",
  forward(tape, [x], { operator: { pattern, scales }, kind }) {
    const shape = [pattern.numRows, x!.cols];
    const output = tape.tensor(x!.dtype, shape), arg = tape.tensor("I64", shape);
    tape.engine.run("spmm", {
      indptr: pattern.indptr,
      indices: pattern.indices,
      values: scales.values?.handle,
      x: x!.handle,
      out: output.handle,
      arg: arg.handle,
      reduce: reductions[kind],
    });
    return { output, saved: { arg } };
  },
  backward(tape, { inputs: [x], params: { operator }, saved: { arg } }, g) {
    const { pattern, scales } = operator;
    return [
      argScatter(tape, g, {
        arg,
        indices: pattern.indices,
        values: scales.values?.handle ?? null,
        rows: x!.rows,
      }),
    ];
  },
};
