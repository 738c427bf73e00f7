/** Products of edges with several heads, edge by edge. */
import type { PlainCsr } from "./csr.ts";
import { mix64, type Random } from "../tensor/rng.ts";

type Numbers = ArrayLike<number>;

/** Call visit(e, i, j) for every entry. */
function forEdges({ indptr, indices }: PlainCsr, visit: (e: number, i: number, j: number) => void): void {
  for (let i = 0; i + 1 < indptr.length; i++) {
    for (let e = indptr[i]!; e < indptr[i + 1]!; e++) visit(e, i, indices[e]!);
  }
}

export function spmmHeads(a: PlainCsr, values: Numbers, x: Numbers, f: number, heads: number): number[] {
  const out = new Array<number>(a.numRows * f).fill(0);
  forEdges(a, (e, i, j) => {
    for (let k = 0; k < f; k++) {
      out[i * f + k]! += values[e * heads + Math.floor(k * heads / f)]! * x[j * f + k]!;
    }
  });
  return out;
}

export function sddmmHeads(a: PlainCsr, x: Numbers, y: Numbers, f: number, heads: number): number[] {
  const out = new Array<number>(a.indices.length * heads).fill(0);
  forEdges(a, (e, i, j) => {
    for (let k = 0; k < f; k++) out[e * heads + Math.floor(k * heads / f)]! += x[i * f + k]! * y[j * f + k]!;
  });
  return out;
}

export function edgeSum(a: PlainCsr, x: Numbers, y: Numbers, f: number): number[] {
  const out: number[] = [];
  forEdges(a, (_, i, j) => {
    for (let k = 0; k < f; k++) out.push(x[i * f + k]! + y[j * f + k]!);
  });
  return out;
}

/** Draw h of the edge's hash decides about head h. */
export function dropoutEdges(
  a: PlainCsr,
  x: Numbers,
  heads: number,
  p: number,
  random: Random,
  ids?: Numbers,
): number[] {
  const out: number[] = [];
  const id = (v: number) => BigInt(ids ? ids[v]! : v);
  forEdges(a, (e, i, j) => {
    const edge = Number(mix64(mix64(id(i)) ^ id(j)) & 0xffffffffffn);
    for (let h = 0; h < heads; h++) {
      out.push(random.u32(edge, h) >= Math.floor(p * 2 ** 32) ? x[e * heads + h]! / (1 - p) : 0);
    }
  });
  return out;
}
