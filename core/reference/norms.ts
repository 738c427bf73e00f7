/** Normalisation over segments and along rows, as the formulas say. */
type Numbers = ArrayLike<number>;

export interface SegmentNorm {
  readonly f: number;
  readonly eps: number;
  readonly alpha?: Numbers;
  readonly gamma?: Numbers;
  readonly beta?: Numbers;
}

const sum = (count: number, term: (k: number) => number) => {
  let total = 0;
  for (let k = 0; k < count; k++) total += term(k);
  return total;
};

/** Statistics of one column of one segment: c = x - alpha * mean. */
function column(indptr: Numbers, x: Numbers, s: number, j: number, { f, alpha }: SegmentNorm) {
  const first = indptr[s]!, rows = indptr[s + 1]! - first;
  const at = (i: number) => (first + i) * f + j;
  const mean = sum(rows, (i) => x[at(i)]!) / Math.max(1, rows);
  const c = (i: number) => x[at(i)]! - (alpha ? alpha[j]! : 1) * mean;
  return { rows, at, mean, c, moment: sum(rows, (i) => c(i) ** 2) / Math.max(1, rows) };
}

export function segmentNorm(indptr: Numbers, x: Numbers, norm: SegmentNorm) {
  const { f, eps, gamma, beta } = norm, segments = indptr.length - 1;
  const out = new Array<number>(x.length).fill(0), mean: number[] = [], moment: number[] = [];
  for (let s = 0; s < segments; s++) {
    for (let j = 0; j < f; j++) {
      const of = column(indptr, x, s, j, norm);
      mean.push(of.mean);
      moment.push(of.moment);
      for (let i = 0; i < of.rows; i++) {
        out[of.at(i)] = (gamma ? gamma[j]! : 1) * of.c(i) / Math.sqrt(of.moment + eps) +
          (beta ? beta[j]! : 0);
      }
    }
  }
  return { out, mean, moment };
}

/** Gradients: to x, and per segment to alpha, gamma and beta. */
export function segmentNormBackward(indptr: Numbers, x: Numbers, g: Numbers, norm: SegmentNorm) {
  const { f, eps, alpha, gamma } = norm, segments = indptr.length - 1;
  const out = new Array<number>(x.length).fill(0);
  const dAlpha: number[] = [], dGamma: number[] = [], dBeta: number[] = [];
  for (let s = 0; s < segments; s++) {
    for (let j = 0; j < f; j++) {
      const { rows, at, mean, c, moment } = column(indptr, x, s, j, norm);
      const r = 1 / Math.sqrt(moment + eps), u = (i: number) => g[at(i)]! * (gamma ? gamma[j]! : 1);
      const along = sum(rows, (i) => u(i) * c(i));
      const dc = (i: number) => r * u(i) - c(i) * r ** 3 * along / rows;
      const total = sum(rows, dc);
      for (let i = 0; i < rows; i++) out[at(i)] = dc(i) - (alpha ? alpha[j]! : 1) / rows * total;
      dAlpha.push(-mean * total);
      dGamma.push(sum(rows, (i) => g[at(i)]! * c(i) * r));
      dBeta.push(sum(rows, (i) => g[at(i)]!));
    }
  }
  return { out, dAlpha, dGamma, dBeta };
}

/** (x - mean) / sqrt(variance + eps) along rows of width f, and 1 / sqrt(variance + eps) of each. */
export function rowNormalize(x: Numbers, f: number, eps: number) {
  const inverse: number[] = [], out: number[] = [];
  for (let i = 0; i < x.length / f; i++) {
    const mean = sum(f, (j) => x[i * f + j]!) / f;
    inverse.push(1 / Math.sqrt(sum(f, (j) => (x[i * f + j]! - mean) ** 2) / f + eps));
    for (let j = 0; j < f; j++) out.push((x[i * f + j]! - mean) * inverse[i]!);
  }
  return { out, inverse };
}

export function rowNormalizeBackward(g: Numbers, y: Numbers, inverse: Numbers, f: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < inverse.length; i++) {
    const mean = sum(f, (j) => g[i * f + j]!) / f, along = sum(f, (j) => g[i * f + j]! * y[i * f + j]!) / f;
    for (let j = 0; j < f; j++) out.push(inverse[i]! * (g[i * f + j]! - mean - y[i * f + j]! * along));
  }
  return out;
}
