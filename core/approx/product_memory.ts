/** What sampled products keep from epoch to epoch, as the tensors that a resumed run goes on with. */
import { type Engine, hostArray, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { SampledProduct } from "./sampled_product.ts";

interface Tensors {
  /** F64, by product: share, age, width, length, whether there are scores. */
  readonly numbers: TensorHandle;
  /** F32 [products, rows], where all steps have the same rows: their scores, and what the chosen ones count. */
  readonly rows: { readonly scores: TensorHandle; readonly weights: TensorHandle } | null;
}

export class ProductMemory {
  private made: Tensors | null = null;

  /** @param numRows  rows that all steps have; null: steps have rows of their own. */
  constructor(
    private readonly engine: Engine,
    private readonly products: readonly SampledProduct[],
    private readonly numRows: number | null,
  ) {}

  private get tensors(): Tensors {
    const { products, numRows, engine: { persistent } } = this, count = products.length;
    const perRow = (n: number) => persistent.tensor("F32", [count, n], true);
    return this.made ??= {
      numbers: persistent.tensor("F64", [count, 5], true),
      rows: numRows === null ? null : { scores: perRow(numRows), weights: perRow(numRows) },
    };
  }

  /** The tensors by name, for what a resumed run went on with to be loaded into. */
  get named(): ReadonlyMap<string, TensorHandle> {
    const { numbers, rows } = this.tensors;
    return new Map(Object.entries({ numbers, ...rows }).map(([name, t]) => [`approx_${name}`, t]));
  }

  /** Let the tensors hold the products as they are now. */
  save(): void {
    const { numbers, rows } = this.tensors;
    this.products.forEach(({ share, age, width, length, scores, chosen }, l) => {
      this.write(numbers, l, Float64Array.of(share, age, width, length, rows && scores ? 1 : 0));
      if (!rows) return;
      if (scores) this.write(rows.scores, l, hostArray(scores, "F32").read());
      const weights = new Float32Array(rows.weights.cols);
      for (const i of chosen?.rows ?? []) weights[i] = chosen!.weights?.[i] ?? 1;
      this.write(rows.weights, l, weights);
    });
  }

  /** Let the products go on from what was loaded into the tensors. */
  restore(): void {
    const { numbers, rows } = this.tensors;
    this.products.forEach((product, l) => {
      const [share, age, width, length, hasScores] = this.read(numbers, l) as Float64Array;
      Object.assign(product, { share, age, width, length });
      if (!rows) return;
      if (hasScores) product.restoreScores(this.read(rows.scores, l) as Float32Array);
      product.restoreChosen(this.read(rows.weights, l) as Float32Array);
    });
  }

  private row(t: TensorHandle, l: number): TensorHandle {
    return this.engine.persistent.rows(t, l, 1);
  }
  private write(t: TensorHandle, l: number, values: Float32Array | Float64Array): void {
    writeTensor(this.row(t, l), NativeArray.from(values));
  }
  private read(t: TensorHandle, l: number) {
    return hostArray(this.row(t, l)).read();
  }
}
