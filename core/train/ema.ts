/** Exponential moving average of the weights: what is scored and kept in place of the last ones. */
import type { Engine, TensorHandle } from "../../ffi/engine.ts";
import { dtypes } from "../../ffi/dtype.ts";
import { call, NativeArray } from "../../ffi/native.ts";
import type { Parameter } from "../tensor/tensor.ts";

const sizeOf = (t: TensorHandle) => t.rows * t.cols * dtypes[t.dtype].size;

/** Copy a tensor onto another of the same shape. */
export function copyTensor(from: TensorHandle, to: TensorHandle): void {
  call("gust_copy", to.address, from.address, sizeOf(from));
}

/** average = decay * average + (1 - decay) * weights, after each step. Source: Polyak and Juditsky 1992. */
export class Ema {
  /** The averages, in the order of the parameters. */
  readonly averages: readonly TensorHandle[];

  /** The averages begin as the initial weights. */
  constructor(
    private readonly engine: Engine,
    private readonly parameters: readonly Parameter[],
    private readonly decay: number,
  ) {
    this.averages = parameters.map((p) => {
      const average = engine.persistent.tensor(p.dtype, p.shape);
      copyTensor(p.handle, average);
      return average;
    });
  }

  /** One op per parameter: part of a recorded step. */
  update(): void {
    const { decay } = this;
    this.parameters.forEach((p, i) => {
      const average = this.averages[i]!;
      this.engine.run("axpby", { x: average, y: p.handle, out: average, alpha: decay, beta: 1 - decay });
    });
  }

  /** Run `body` with the averages in place of the weights. */
  within<T>(body: () => T): T {
    this.exchange();
    try {
      return body();
    } finally {
      this.exchange();
    }
  }

  private exchange(): void {
    this.parameters.forEach((p, i) => {
      const average = this.averages[i]!, bytes = sizeOf(average);
      const kept = NativeArray.allocate("U8", bytes, false);
      call("gust_copy", kept.address, p.handle.address, bytes);
      call("gust_copy", p.handle.address, average.address, bytes);
      call("gust_copy", average.address, kept.address, bytes);
    });
  }
}
