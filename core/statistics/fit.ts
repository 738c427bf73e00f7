/** Least squares. */

/**
 * The exponent b of y = a x^b: the slope of a straight line through the logarithms.
 * NaN of fewer than two different x; all numbers above 0.
 */
export function exponentOf(xs: readonly number[], ys: readonly number[]): number {
  const u = xs.map(Math.log), v = ys.map(Math.log);
  const centerU = u.reduce((sum, x) => sum + x, 0) / u.length;
  const centerV = v.reduce((sum, y) => sum + y, 0) / v.length;
  const both = u.reduce((sum, x, i) => sum + (x - centerU) * (v[i]! - centerV), 0);
  const square = u.reduce((sum, x) => sum + (x - centerU) ** 2, 0);
  return both / square;
}
