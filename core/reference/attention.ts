/** Attention of graph attention networks and its gradients, edge by edge from the definition. */
import type { PlainCsr } from "./csr.ts";
import { dropoutEdges, headDots, spmmHeads } from "./heads.ts";
import type { Random } from "../tensor/rng.ts";

type Numbers = ArrayLike<number>;

export interface AttentionInputs {
  /** (numCols, f); rows are the first of the columns. */
  readonly x: Numbers;
  /** [f] */
  readonly left: Numbers;
  readonly right: Numbers;
  readonly f: number;
  readonly heads: number;
  readonly slope: number;
  /** Dropout on the weights; p = 0: none. */
  readonly p: number;
  readonly random: Random;
  readonly ids?: Numbers;
}

/** What is known of every edge and head. */
function weights(a: PlainCsr, { x, left, right, f, heads, slope, p, random, ids }: AttentionInputs) {
  const row = headDots(x, left, f, heads), column = headDots(x, right, f, heads);
  const alpha: number[] = [], slopes: number[] = [];
  for (let i = 0; i < a.numRows; i++) {
    const [begin, end] = [a.indptr[i]!, a.indptr[i + 1]!];
    const sums = new Array<number>(heads).fill(0), tops = new Array<number>(heads).fill(-Infinity);
    const score = (e: number, h: number) => {
      const z = row[i * heads + h]! + column[a.indices[e]! * heads + h]!;
      slopes[e * heads + h] = z > 0 ? 1 : slope;
      return z > 0 ? z : slope * z;
    };
    const each = (visit: (e: number, h: number) => void) => {
      for (let e = begin; e < end; e++) for (let h = 0; h < heads; h++) visit(e, h);
    };
    each((e, h) => tops[h] = Math.max(tops[h]!, score(e, h)));
    each((e, h) => sums[h]! += alpha[e * heads + h] = Math.exp(score(e, h) - tops[h]!));
    each((e, h) => alpha[e * heads + h]! /= sums[h]!);
  }
  const mask = dropoutEdges(a, alpha.map(() => 1), heads, p, random, ids);
  return { alpha, slopes, mask };
}

export function attention(a: PlainCsr, inputs: AttentionInputs): number[] {
  const { alpha, mask } = weights(a, inputs);
  return spmmHeads(a, alpha.map((w, k) => w * mask[k]!), inputs.x, inputs.f, inputs.heads);
}

/** Gradients of sum(g * attention) to x, left and right, and to the scores of every node as row and as column. */
export function attentionGradients(a: PlainCsr, inputs: AttentionInputs, g: Numbers) {
  const { x, left, right, f, heads } = inputs, width = f / heads;
  const { alpha, slopes, mask } = weights(a, inputs);
  const dx = new Array<number>(a.numCols * f).fill(0);
  const dRow = new Array<number>(a.numCols * heads).fill(0), dColumn = [...dRow];
  for (let i = 0; i < a.numRows; i++) {
    for (let h = 0; h < heads; h++) {
      const edges = Array.from({ length: a.indptr[i + 1]! - a.indptr[i]! }, (_, k) => a.indptr[i]! + k);
      const columns = Array.from({ length: width }, (_, k) => h * width + k);
      const dAlpha = edges.map((e) =>
        mask[e * heads + h]! * columns.reduce((sum, k) => sum + g[i * f + k]! * x[a.indices[e]! * f + k]!, 0)
      );
      const mean = edges.reduce((sum, e, k) => sum + alpha[e * heads + h]! * dAlpha[k]!, 0);
      edges.forEach((e, k) => {
        const j = a.indices[e]!, at = e * heads + h;
        const ds = alpha[at]! * (dAlpha[k]! - mean) * slopes[at]!;
        dRow[i * heads + h]! += ds;
        dColumn[j * heads + h]! += ds;
        for (const c of columns) dx[j * f + c]! += alpha[at]! * mask[at]! * g[i * f + c]!;
      });
    }
  }
  const dLeft = new Array<number>(f).fill(0), dRight = [...dLeft];
  for (let j = 0; j < a.numCols; j++) {
    for (let k = 0; k < f; k++) {
      const of = j * heads + Math.floor(k / width);
      dx[j * f + k]! += dRow[of]! * left[k]! + dColumn[of]! * right[k]!;
      dLeft[k]! += dRow[of]! * x[j * f + k]!;
      dRight[k]! += dColumn[of]! * x[j * f + k]!;
    }
  }
  return { dx, dRow, dColumn, dLeft, dRight };
}
