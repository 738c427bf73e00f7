/** An operator whose product is exact, and whose gradient is that of a sampled product. */
import type { TensorHandle } from "../../ffi/engine.ts";
import type { DType } from "../../ffi/dtype.ts";
import type { Tape } from "../tensor/autograd.ts";
import { addFromTop } from "../tensor/ops/epilogue.ts";
import { SparseOperator } from "../tensor/operator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { SampledProduct } from "./sampled_product.ts";

export class SampledOperator extends SparseOperator {
  /** @param scored  the operator whose entries choose the rows: `exact` before dropout. */
  constructor(
    private readonly exact: SparseOperator,
    private readonly product: SampledProduct,
    private readonly scored = exact,
  ) {
    super(exact.pattern, exact.scales, exact.order);
  }

  override transpose(tape: Tape): SparseOperator {
    return this.exact.transpose(tape);
  }

  override applyTransposed(tape: Tape, g: Tensor, addend: Tensor | null): Tensor {
    const gradient = this.product.apply(tape, this.exact, this.scored, g);
    // Not an ending of the product: the length of the product alone is measured.
    return addend ? addFromTop(tape, gradient, addend) : gradient;
  }

  override dropoutEdges(
    tape: Tape,
    p: number,
    layer: number,
    ids: TensorHandle | null,
    dtype: DType,
  ): SparseOperator {
    const dropped = this.exact.dropoutEdges(tape, p, layer, ids, dtype);
    return dropped === this.exact ? this : new SampledOperator(dropped, this.product, this.scored);
  }
}
