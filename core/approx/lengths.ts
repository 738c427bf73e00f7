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

/** An approximated product beside the exact one. */
export interface Comparison {
  /** |got - exact| / |exact|; 0 where both are 0. */
  readonly error: number;
  readonly cosine: number;
}

/** @param product  the arguments of the exact product. */
export function compare(at: Scratch, product: Omit<OpArgs<"spmm">, "out">, got: TensorHandle): Comparison {
  const { engine, scratch } = at;
  const exact = scratch.tensor("F32", [got.rows, got.cols]),
    off = scratch.tensor("F32", [got.rows, got.cols]);
  engine.run("spmm", { ...product, out: exact });
  engine.run("axpby", { x: got, y: exact, out: off, alpha: 1, beta: -1 });
  const [own, length, distance] = [got, exact, off].map((x) => lengthOf(at, x)) as [number, number, number];
  const either = own * length;
  return {
    error: distance === 0 ? 0 : distance / length,
    cosine: either === 0 ? (distance === 0 ? 1 : 0) : dot(at, got, exact) / either,
  };
}
