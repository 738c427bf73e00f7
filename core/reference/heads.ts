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

/** <x[i], a> over the columns of each head: (n, f), [f] -> (n, heads). */
export function headDots(x: Numbers, a: Numbers, f: number, heads: number): number[] {
  const out = new Array<number>(f === 0 ? 0 : x.length / f * heads).fill(0);
  for (let at = 0; at < x.length; at++) {
    const k = at % f;
    out[Math.floor(at / f) * heads + Math.floor(k * heads / f)]! += x[at]! * a[k]!;
  }
  return out;
}

/** g[i, head of k] * a[k]: (n, heads), [f] -> (n, f). */
export function headScale(g: Numbers, a: Numbers, f: number, heads: number): number[] {
  return Array.from(
    { length: g.length / heads * f },
    (_, at) => g[Math.floor(at / f) * heads + Math.floor(at % f * heads / f)]! * a[at % f]!,
  );
}

/** The sum over rows of g[i, head of k] * x[i, k]: (n, heads), (n, f) -> [f]. */
export function headSums(g: Numbers, x: Numbers, f: number, heads: number): number[] {
  const out = new Array<number>(f).fill(0);
  for (let at = 0; at < x.length; at++) {
    const k = at % f;
    out[k]! += g[Math.floor(at / f) * heads + Math.floor(k * heads / f)]! * x[at]!;
  }
  return out;
}
