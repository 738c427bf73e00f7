/** Tensors of the autograd layer: a native tensor, and whether gradients flow to it. */
import type { DType } from "../../ffi/dtype.ts";
import { type Arena, hostArray, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";

/** A value on a tape (or a constant). Immutable but for parameters, which optimizers update in place. */
export class Tensor {
  constructor(readonly handle: TensorHandle, readonly requiresGrad = false) {}

  get rows(): number {
    return this.handle.rows;
  }
  get cols(): number {
    return this.handle.cols;
  }
  get dtype(): DType {
    return this.handle.dtype;
  }
  get shape(): number[] {
    return this.handle.rank === 1 ? [this.rows] : [this.rows, this.cols];
  }
  get size(): number {
    return this.rows * this.cols;
  }

  /** The elements as memory of the host. */
  private get array(): NativeArray {
    if (this.handle.scope.ended) throw new RangeError("read of a tensor whose scope has ended");
    return hostArray(this.handle);
  }
  toNumbers(): number[] {
    return this.array.toNumbers();
  }
  /** Hold other numbers. */
  set(values: readonly number[]): void {
    if (values.length !== this.size) {
      throw new RangeError(`${values.length} values for shape [${this.shape}]`);
    }
    const typed = this.dtype === "F32" ? Float32Array.from(values) : Float64Array.from(values);
    writeTensor(this.handle, NativeArray.from(typed));
  }
  /** The only element of a [1] tensor. */
  item(): number {
    if (this.size !== 1) throw new RangeError(`item() of a tensor of ${this.size} elements`);
    return this.array.at(0);
  }
}

/**
 * A trainable tensor: lives in the persistent arena. `layer` counts from 0 at the input. `decay` is its own weight
 * decay, 0 for what never decays (scales and shifts of norms); undefined leaves it to the training options.
 */
export class Parameter extends Tensor {
  constructor(
    handle: TensorHandle,
    readonly name: string,
    readonly layer: number,
    readonly decay?: number,
  ) {
    super(handle, true);
  }
}

/** A constant tensor from numbers, for tests and small inputs. `shape` of two numbers, or one. */
export function constant(
  arena: Arena,
  dtype: "F32" | "F64",
  shape: readonly number[],
  values: readonly number[],
): Tensor {
  const tensor = new Tensor(arena.tensor(dtype, shape));
  tensor.set(values);
  return tensor;
}
