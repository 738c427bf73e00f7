/** How many rows each layer keeps under a budget of multiply-adds, in native memory. */
import { call, NativeArray } from "./native.ts";

/** L layers of n rows each, and what they may cost. */
export interface RowBudget {
  /** What a row is worth, [L * n], layer by layer; at least 0. */
  readonly scores: NativeArray<"F32">;
  /** Entries of each row, [n]: those of the matrix that all layers multiply by. */
  readonly counts: NativeArray<"I64">;
  /** Multiply-adds per entry in each layer, [L]. */
  readonly widths: NativeArray<"I64">;
  /** What the scores of each layer are multiplied by before they are compared, [L]. */
  readonly scale: NativeArray<"F64">;
  /** Most multiply-adds. */
  readonly cap: number;
  /** Rows that a step takes off. */
  readonly block: number;
  /** Rows that every layer keeps, if it has as many, whatever they cost. */
  readonly least: number;
}

export interface RowAllocation {
  /** Rows per layer: those with the largest scores, of equal ones the first. */
  readonly kept: number[];
  /**
   * Multiply-adds of the greedy choice, before `least` is applied. More than the cap only where every layer has at most
   * `block` rows left.
   */
  readonly used: number;
  /** Multiply-adds of the rows in `kept`: with those that `least` adds. */
  readonly usedByKept: number;
}

/**
 * Choose greedily: from all rows whose score is not 0 on, a step takes `block` rows off the layer that loses the least
 * score by it, until the rest costs at most `cap`. Layers with at most `block` rows give none; of the last step's rows as
 * many stay as the cap has room for. The same for any thread count. O(L n log n).
 *
 * @throws {RangeError} for arrays of sizes that do not fit.
 * @throws {NativeError} (data) for scores or counts that are negative or not finite, (invalid) for costs above 2^63.
 * Source: Liu et al. 2023, arXiv:2210.10737, algorithm 1.
 */
export function allocateRows({ scores, counts, widths, scale, cap, block, least }: RowBudget): RowAllocation {
  const layers = widths.length, rows = counts.length;
  if (scores.length !== layers * rows || scale.length !== layers) {
    throw new RangeError(
      `${scores.length} scores and ${scale.length} scales for ${layers} layers of ${rows} rows, expected ` +
        `${layers * rows} and ${layers}`,
    );
  }
  for (const [name, value, low] of [["cap", cap, 0], ["block", block, 1], ["least", least, 0]] as const) {
    if (!Number.isSafeInteger(value) || value < low) {
      throw new RangeError(`${name}: ${value}, expected a whole number from ${low} on`);
    }
  }
  const kept = NativeArray.allocate("I64", layers, false), costs = NativeArray.allocate("I64", 2, false);
  call(
    "gust_allocate_rows",
    layers,
    rows,
    scores.address,
    counts.address,
    widths.address,
    scale.address,
    cap,
    block,
    least,
    kept.address,
    costs.address,
  );
  const [used, usedByKept] = costs.toNumbers() as [number, number];
  return { kept: kept.toNumbers(), used, usedByKept };
}
