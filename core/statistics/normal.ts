/** The normal distribution. */

/**
 * P(|Z| >= z) of a standard normal Z, relative error below 1e-13.
 * Source: Abramowitz and Stegun 1964, 26.2.11 (series, for small z) and 26.2.14 (continued fraction).
 */
export function normalTails(z: number): number {
  const x = Math.abs(z);
  const density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  if (x < 3) {
    let term = x, sum = x;
    for (let k = 3; term > sum * 1e-17; k += 2) {
      term *= x * x / k;
      sum += term;
    }
    return 1 - 2 * density * sum;
  }
  let fraction = 0;
  for (let k = 200; k >= 1; k--) fraction = k / (x + fraction);
  return 2 * density / (x + fraction);
}
