/** Sums in plain float64. Matrices are row-major arrays with f columns. */

type Numbers = ArrayLike<number>;

export function columnSum(x: Numbers, f: number): number[] {
  const out = new Array<number>(f).fill(0);
  for (let k = 0; k < x.length; k++) out[k % f]! += x[k]!;
  return out;
}

/** Sum of x * y along rows; y absent: of x. n rows, because f may be 0. */
export function rowDot(n: number, f: number, x: Numbers, y?: Numbers): number[] {
  const out = new Array<number>(n).fill(0);
  for (let k = 0; k < n * f; k++) out[Math.floor(k / f)]! += x[k]! * (y ? y[k]! : 1);
  return out;
}

/** The Euclidean norm of each of n rows, times scale[i]. */
export function rowNorm(n: number, f: number, x: Numbers, scale?: Numbers): number[] {
  return rowDot(n, f, x, x).map((sum, i) => (scale?.[i] ?? 1) * Math.sqrt(sum));
}

export function totalSum(x: Numbers): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]!;
  return sum;
}
