/** The product of a layer, A X W, whose gradients are computed in an order of their own. */
import type { Op, Tape } from "../autograd.ts";
import type { Product, SparseOperator } from "../operator.ts";
import type { Tensor } from "../tensor.ts";
import {
  epilogueGradients,
  epilogueInputs,
  type EpilogueParams,
  epilogueParams,
  epilogueTerms,
} from "./epilogue.ts";
import { matmul } from "./matmul.ts";

/** What is multiplied first: by the weights, or by the operator. */
export const orders = ["combine-first", "aggregate-first"] as const;
export type Order = (typeof orders)[number];

/** How a product is computed, forward and backward: core/models/plan.ts chooses. */
export interface ProductForm {
  readonly order: Order;
  /** dW of the kept A X ("kept"), of the same computed again ("recomputed"), or of A^T G ("aggregate-first"). */
  readonly weightGradient: "kept" | "recomputed" | "aggregate-first";
  /** Which product of A^T G W^T comes first; "none": X is constant. */
  readonly inputGradient: Order | "none";
}

interface Params {
  readonly operator: SparseOperator;
  readonly form: ProductForm;
  readonly after: EpilogueParams;
}

/** Inputs: X, W, and the addend and bias of what follows. Saved: A X where dW is made of it. */
const op: Op<Params, { readonly aggregated: Tensor | null }> = {
  name: "layer_product",
  forward: (tape, [x, weight, ...terms], { operator, form, after }) =>
    tape.noGrad(() => {
      const ending = { ...after, ...epilogueTerms(terms, after) };
      if (form.order === "combine-first") {
        const output = operator.apply(tape, matmul(tape, x!, weight!), ending);
        return { output, saved: { aggregated: null } };
      }
      const aggregated = operator.apply(tape, x!);
      return {
        output: matmul(tape, aggregated, weight!, {}, ending),
        saved: { aggregated: form.weightGradient === "kept" ? aggregated : null },
      };
    }),
  backward(
    tape,
    { inputs, output, params: { operator, form, after }, saved: { aggregated } },
    g,
    needs,
    take,
  ) {
    const [x, weight] = inputs as [Tensor, Tensor];
    const { dx: at, rest } = epilogueGradients(tape, output, inputs.slice(2), after, g, needs.slice(2));
    let transposed: Tensor | null = null;
    const propagated = () => transposed ??= operator.applyTransposed(tape, at, null);
    const weightGradient = () => {
      const ending = { addend: take(1) };
      if (form.weightGradient === "aggregate-first") {
        return matmul(tape, x, propagated(), { transA: true }, ending);
      }
      return matmul(tape, aggregated ?? operator.apply(tape, x), at, { transA: true }, ending);
    };
    const inputGradient = () =>
      form.inputGradient === "combine-first"
        ? operator.applyTransposed(tape, matmul(tape, at, weight, { transB: true }), take(0))
        : matmul(tape, propagated(), weight, { transB: true }, { addend: take(0) });
    return [needs[0] ? inputGradient() : null, needs[1] ? weightGradient() : null, ...rest];
  },
  decompose(tape, [x, weight, ...terms], { operator, form, after }) {
    const ending = { ...after, ...epilogueTerms(terms, after) };
    return form.order === "combine-first"
      ? operator.apply(tape, matmul(tape, x!, weight!), ending)
      : matmul(tape, operator.apply(tape, x!), weight!, {}, ending);
  },
};

/**
 * operator @ x @ weight, still to be computed: in this order, with gradients of this form. The operator's values are
 * constants.
 */
export function layerProduct(
  operator: SparseOperator,
  x: Tensor,
  weight: Tensor,
  form: ProductForm,
): Product {
  return {
    rows: operator.numRows,
    apply(tape: Tape, ending = {}) {
      const after = epilogueParams(tape, operator.numRows, ending);
      return tape.apply(op, [x, weight, ...epilogueInputs(ending)], { operator, form, after });
    },
  };
}
