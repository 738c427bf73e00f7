/**
 * Functions whose last bits runtimes do not agree on (Math.log, Math.cos and ** of Bun and of Deno differ), made of
 * operations that IEEE 754 fixes: the same bytes from both.
 */

const float = new Float64Array(1), word = new BigUint64Array(float.buffer);
const MANTISSA = (1n << 52n) - 1n, ONE = 1023n << 52n;
/** ln 2 in two parts, the first with zeros behind, so that its multiples by exponents are exact. */
const LN2_HIGH = 6.93147180369123816490e-1, LN2_LOW = 1.90821492927058770002e-10;

/** 1/3, 1/5, ..., 1/23: the next term of the series is below 2^-62 of the first. */
const ODD = Array.from({ length: 11 }, (_, k) => 1 / (2 * k + 3)).reverse();

/**
 * The natural logarithm, within 2 units in the last place; -Infinity of 0 and NaN of what is below.
 * With x = 2^e m and m about 1: e ln 2 + 2 artanh((m - 1) / (m + 1)).
 */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x > 0 ? x : NaN;
  const isTiny = x < 2 ** -1022;
  float[0] = isTiny ? x * 2 ** 54 : x;
  let exponent = Number(word[0]! >> 52n) - 1023 - (isTiny ? 54 : 0);
  word[0] = (word[0]! & MANTISSA) | ONE;
  let m = float[0]!;
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  const s = (m - 1) / (m + 1), z = s * s;
  let sum = 0;
  for (const term of ODD) sum = (sum + term) * z;
  return exponent * LN2_HIGH + (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/** cos(pi t) for t of 0 .. 1, within 2 units in the last place of 1; exact at 0, 1/2 and 1. */
export function cosPi(t: number): number {
  if (t > 0.5) return -cosPi(1 - t);
  const isSine = t > 0.25, x = Math.PI * (isSine ? 0.5 - t : t), z = x * x;
  // Taylor series: a factor of 1 - z / (k (k - 1)) per term, the last at x^20 / 20!, or x^21 / 21!.
  let sum = 1;
  for (let k = isSine ? 21 : 20; k > 1; k -= 2) sum = 1 - z / (k * (k - 1)) * sum;
  return isSine ? x * sum : sum;
}

/** base^n for a whole n of at least 0, by squares. */
export function power(base: number, n: number): number {
  let result = 1;
  for (let square = base, left = n; left > 0; left = Math.floor(left / 2), square *= square) {
    if (left % 2 === 1) result *= square;
  }
  return result;
}
