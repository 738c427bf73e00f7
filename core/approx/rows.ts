/** Which rows a sampled product takes: the best by score, or drawn in proportion to it. */
import { type Arena, type Engine, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import type { Random } from "../tensor/rng.ts";

export interface Chosen {
  /** Ascending. */
  readonly rows: Int32Array;
  /** I64, the same for ops; null: nobody has them yet. */
  readonly list: TensorHandle | null;
  /** F32 [all rows] what a row counts; null: 1 for every chosen one. */
  readonly weights: Float32Array | null;
}

/** How many scores are above 0. */
export function usefulRows(engine: Engine, scratch: Arena, scores: TensorHandle): number {
  const signs = scratch.tensor("F32", [scores.rows]), count = scratch.tensor("F32", [1]);
  engine.run("unary", { x: scores, out: signs, kind: unaryKinds.sign, alpha: 0 });
  engine.run("total_sum", { x: signs, out: count });
  // Scores that are not numbers come of a loss that is none, which ends the run with a reason.
  return hostArray(count, "F32").at(0) || 0;
}

/**
 * The k rows with the largest scores, of equals the first.
 * @param scores  F32 [n]
 * @param scratch  holds `list`.
 */
export function bestRows(engine: Engine, scratch: Arena, scores: TensorHandle, k: number): Chosen {
  const out = scratch.tensor("I64", [k]);
  engine.run("segment_top", {
    indptr: bounds(scratch, scores.rows),
    x: scores,
    out_indptr: bounds(scratch, k),
    out,
  });
  return { rows: rowNumbers(out), list: out, weights: null };
}

const bounds = (arena: Arena, end: number) =>
  arena.bind(NativeArray.from<"I64">(BigInt64Array.of(0n, BigInt(end))));

/** Row numbers as 32-bit integers. */
function rowNumbers(rows: TensorHandle): Int32Array {
  const words = new Int32Array(hostArray(rows, "I64").read().buffer, 0, 2 * rows.rows);
  return Int32Array.from({ length: rows.rows }, (_, i) => words[2 * i]!);
}

/**
 * k rows with replacement, row i with probability p_i in proportion to its score; each time it is drawn it counts
 * 1 / (k p_i), so that the expected product is the exact one.
 */
export function drawnRows(scores: TensorHandle, k: number, random: Random): Chosen {
  const values = hostArray(scores, "F32").read(), n = values.length;
  const sums = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) sums[i] = total += values[i]!;
  const weights = new Float32Array(n);
  if (!(total > 0)) return { rows: new Int32Array(0), list: null, weights };
  const times = new Int32Array(n);
  for (let t = 0; t < k; t++) times[firstAbove(sums, random.f64(t, 0) * total)]!++;
  const rows = Int32Array.from(times.keys()).filter((i) => times[i]! > 0);
  for (const i of rows) weights[i] = (times[i]! * total) / (k * values[i]!);
  return { rows, list: null, weights };
}

/** The first position whose sum is larger than x, which is smaller than the last one. */
function firstAbove(sums: Float64Array, x: number): number {
  let low = 0, high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > x) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Rows that two ascending lists have in common, over those of either; 1 for two empty ones. */
export function overlapOf(a: Int32Array, b: Int32Array): number {
  let common = 0;
  for (let i = 0, k = 0; i < a.length && k < b.length;) {
    const order = a[i]! - b[k]!;
    if (order === 0) common++;
    if (order <= 0) i++;
    if (order >= 0) k++;
  }
  const either = a.length + b.length - common;
  return either === 0 ? 1 : common / either;
}
