/** Lengths of products, and how far one is from another. */
import { type Arena, type Engine, hostArray, type OpArgs, type TensorHandle } from "../../ffi/engine.ts";

/** Where results of the moment are. */
interface Scratch {
  readonly engine: Engine;
  readonly scratch: Arena;
}

/** The sum over all elements of x * y. */
function dot({ engine, scratch }: Scratch, x: TensorHandle, y: TensorHandle): number {
  const rows = scratch.tensor("F32", [x.rows]), sum = scratch.tensor("F32", [1]);
  engine.run("row_dot", { x, y, out: rows });
  engine.run("total_sum", { x: rows, out: sum });
  return hostArray(sum, "F32").at(0);
}

/** The square root of the sum of squares. */
export const lengthOf = (at: Scratch, x: TensorHandle) => Math.sqrt(dot(at, x, x));

/** What was approximated beside the exact one. */
export interface Comparison {
  /** |got - exact| / |exact|; 0 where both are 0. */
  readonly error: number;
  readonly cosine: number;
}

/** @param product  the arguments of the exact product. */
export function compare(at: Scratch, product: Omit<OpArgs<"spmm">, "out">, got: TensorHandle): Comparison {
  const exact = at.scratch.tensor("F32", [got.rows, got.cols]);
  at.engine.run("spmm", { ...product, out: exact });
  return comparePairs(at, [[got, exact]]);
}

/** @param pairs  parts of what was got, each with the exact one. */
export function comparePairs(
  at: Scratch,
  pairs: readonly (readonly [got: TensorHandle, exact: TensorHandle])[],
): Comparison {
  let own = 0, length = 0, distance = 0, common = 0;
  for (const [got, exact] of pairs) {
    const off = at.scratch.tensor("F32", got.rank === 1 ? [got.rows] : [got.rows, got.cols]);
    at.engine.run("axpby", { x: got, y: exact, out: off, alpha: 1, beta: -1 });
    own += dot(at, got, got);
    length += dot(at, exact, exact);
    distance += dot(at, off, off);
    common += dot(at, got, exact);
  }
  const either = Math.sqrt(own) * Math.sqrt(length);
  return {
    error: distance === 0 ? 0 : Math.sqrt(distance) / Math.sqrt(length),
    cosine: either === 0 ? (distance === 0 ? 1 : 0) : common / either,
  };
}
