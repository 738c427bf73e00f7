/** Rows by index in plain float64. */

type Numbers = ArrayLike<number>;

/** out[i] = x[index[i]]; a negative index gives zeros. */
export function gather(x: Numbers, f: number, index: Numbers): number[] {
  const out = new Array<number>(index.length * f).fill(0);
  for (let k = 0; k < out.length; k++) {
    const j = index[Math.floor(k / f)]!;
    if (j >= 0) out[k] = x[j * f + k % f]!;
  }
  return out;
}

/** out[index[i]] += x[i] into m rows; a negative index is left out. */
export function scatterAdd(x: Numbers, f: number, index: Numbers, m: number): number[] {
  const out = new Array<number>(m * f).fill(0);
  for (let k = 0; k < index.length * f; k++) {
    const j = index[Math.floor(k / f)]!;
    if (j >= 0) out[j * f + k % f]! += x[k]!;
  }
  return out;
}
