/** Student's t distribution for whole degrees of freedom. */

/**
 * P(|T| <= t) as a function of the angle atan(t / sqrt(df)).
 * Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4 (finite sums, exact).
 */
function central(angle: number, df: number): number {
  const sine = Math.sin(angle), cosine = Math.cos(angle);
  const isOdd = df % 2 === 1;
  if (df === 1) return 2 * angle / Math.PI;
  // Terms in cos^1, cos^3, ... for odd, cos^0, cos^2, ... for even df, up to cos^(df - 2).
  let term = isOdd ? cosine : 1, sum = term;
  for (let power = isOdd ? 3 : 2; power <= df - 2; power += 2) {
    term *= cosine * cosine * (power - 1) / power;
    sum += term;
  }
  return isOdd ? 2 / Math.PI * (angle + sine * sum) : sine * sum;
}

/**
 * The t with P(|T| <= t) = confidence.
 *
 * @param confidence  between 0 and 1, both excluded.
 * @throws {RangeError} for other arguments.
 */
export function studentBound(confidence: number, df: number): number {
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`confidence is ${confidence}, expected between 0 and 1`);
  }
  if (!Number.isInteger(df) || df < 1) throw new RangeError(`df is ${df}, expected a whole number from 1`);
  // The angle is found by halving: 60 steps leave less than a double resolves.
  let low = 0, high = Math.PI / 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (central(middle, df) < confidence) low = middle;
    else high = middle;
  }
  return Math.sqrt(df) * Math.tan((low + high) / 2);
}
