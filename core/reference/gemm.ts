/** Dense product in plain float64. */

type Numbers = ArrayLike<number>;

export interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

/** alpha * op(a) @ op(b) + beta * out; op(a) is m x k, op(b) k x n. beta = 0 does not read `out`. */
export function gemm(
  { m, n, k, transA, transB }: Shape,
  a: Numbers,
  b: Numbers,
  alpha = 1,
  beta = 0,
  out?: Numbers,
): number[] {
  const result = new Array<number>(m * n).fill(0);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) {
        sum += a[transA ? l * m + i : i * k + l]! * b[transB ? j * k + l : l * n + j]!;
      }
      result[i * n + j] = alpha * sum + (beta === 0 ? 0 : beta * out![i * n + j]!);
    }
  }
  return result;
}
