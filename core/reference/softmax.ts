/** Row-wise softmax and argmax in plain float64. */

type Numbers = ArrayLike<number>;

const rowOf = (x: Numbers, i: number, f: number): number[] =>
  Array.from({ length: f }, (_, j) => x[i * f + j]!);

/** log softmax of n rows of f columns. */
export function logSoftmax(x: Numbers, n: number, f: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < n; i++) {
    const row = rowOf(x, i, f), top = Math.max(...row);
    const logSum = Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0));
    out.push(...row.map((v) => v - top - logSum));
  }
  return out;
}

/** First position of each row's largest element; -1 for rows without elements. */
export function argmax(x: Numbers, n: number, f: number): number[] {
  return Array.from({ length: n }, (_, i) => {
    const row = rowOf(x, i, f);
    return row.indexOf(Math.max(...row));
  });
}
