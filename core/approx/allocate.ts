/** How many rows each layer's sampled product takes, so that all together stay within a budget of multiply-adds. */
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { allocateRows } from "../../ffi/native_allocate.ts";
import { rowLength, type RowSizes } from "./row_sizes.ts";
import { LEAST_ROWS, type SampledProduct } from "./sampled_product.ts";

/** Rows that a step of the greedy allocation takes away, as a share of all. */
const STEP = 0.02;

export const allocations = ["greedy", "uniform"] as const;
export type Allocation = (typeof allocations)[number];

/**
 * Set the shares of the products that have been measured.
 *
 * greedy: from all rows whose score is not zero, blocks of rows are given up, each by the layer that loses the smallest
 * sum of scores over its length, until the multiply-adds of the layers are within `budget` of those of the exact products;
 * of the last block as many rows stay as the budget has room for.
 * uniform: the same share of the rows for every layer.
 *
 * @param isStatic  whether all steps have the same rows; else shares are of the rows that have a score.
 *
 * Source: Liu et al. 2023, arXiv:2210.10737, section 3.2 and algorithm 1.
 */
export function allocate(
  products: readonly SampledProduct[],
  how: Allocation,
  budget: number,
  isStatic = true,
): void {
  const measured = products.filter(({ width, scores }) => width > 0 && scores !== null);
  if (measured.length === 0) return;
  if (how === "uniform") {
    for (const product of measured) product.share = budget;
    return;
  }
  const sizes = measured[0]!.sizes!, n = sizes.indptr.length - 1;
  const scores = NativeArray.allocate("F32", measured.length * n, false);
  measured.forEach(({ scores: own }, l) => scores.window(l * n, n).set(hostArray(own!, "F32").window()));
  const widths = measured.map(({ width }) => width);
  const { kept } = allocateRows({
    scores,
    counts: countsOf(sizes),
    widths: NativeArray.from<"I64">(BigInt64Array.from(widths, BigInt)),
    scale: NativeArray.from<"F64">(Float64Array.from(measured, ({ length }) => length > 0 ? 1 / length : 0)),
    cap: Math.floor(budget * Number(sizes.indptr[n]!) * widths.reduce((a, b) => a + b, 0)),
    block: Math.max(1, Math.floor(STEP * n)),
    least: Math.min(LEAST_ROWS, n),
  });
  const useful = measured.map((product) => product.countUseful());
  // Where all useful rows fit, those that become useful later are not left out either.
  const fits = kept.every((rows, l) => rows >= useful[l]!);
  measured.forEach((product, l) => {
    product.share = fits ? 1 : kept[l]! / Math.max(1, isStatic ? n : useful[l]!);
  });
}

/**
 * How many rows with the largest scores have at most the share `budget` of the entries together; at least one, if any has
 * a score.
 */
export function rowsWithin(scores: TensorHandle, sizes: RowSizes, budget: number): number {
  const { kept } = allocateRows({
    scores: hostArray(scores, "F32"),
    counts: countsOf(sizes),
    widths: NativeArray.from<"I64">(BigInt64Array.of(1n)),
    scale: NativeArray.from<"F64">(Float64Array.of(1)),
    cap: Math.floor(budget * Number(sizes.indptr.at(-1)!)),
    block: 1,
    least: 0,
  });
  return kept[0]!;
}

const counted = new WeakMap<RowSizes, NativeArray<"I64">>();

/** I64 [rows] entries of each row. */
function countsOf(sizes: RowSizes): NativeArray<"I64"> {
  const counts = counted.get(sizes) ??
    NativeArray.from<"I64">(
      BigInt64Array.from({ length: sizes.indptr.length - 1 }, (_, i) => BigInt(rowLength(sizes, i))),
    );
  counted.set(sizes, counts);
  return counts;
}
