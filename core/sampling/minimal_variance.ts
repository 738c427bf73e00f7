/**
 * The probabilities of minimal variance: which items to draw, each on its own, so that B of n are drawn on average and
 * the mean of all items, estimated by (1/n) sum over the drawn of g_i / p_i, varies least.
 *
 *   minimise sum g_i^2 / p_i  where  sum p_i = B, floor <= p_i <= 1:   p_i = min(1, max(floor, g_i / mu))
 *
 * Source: Cong et al. 2020, arXiv:2006.13866, eq. 9; the floor keeps 1 / p_i bounded where a score is out of date or 0.
 */

/** The share of B / n that no probability goes below, where nothing else is said. */
export const FLOOR_SHARE = 0.1;

/**
 * [n] probabilities by scores, which sum to `expected`. Equal scores have equal probabilities, larger ones no smaller
 * ones. Float64, O(n log n), the same whatever the order of the items but for rounding of sums.
 *
 * @param scores  at least 0: the lengths of the items' gradients, or what stands for them.
 * @param expected  items that are drawn on average, B: above 0 and at most n.
 * @param floorShare  no probability is below this share, 0 to 1, of B / n; with 0, items of score 0 are never drawn
 * unless there is room behind all others.
 * @throws {RangeError} for other numbers.
 */
export function minimalVariance(
  scores: Float64Array,
  expected: number,
  floorShare = FLOOR_SHARE,
): Float64Array {
  const n = scores.length;
  if (!(expected > 0 && expected <= n)) {
    throw new RangeError(`${expected} of ${n} items, expected 0 < B <= n`);
  }
  if (!(floorShare >= 0 && floorShare <= 1)) {
    throw new RangeError(`a floor of ${floorShare} of the mean, expected 0 to 1`);
  }
  const wrong = scores.find((g) => !(g >= 0 && g < Infinity));
  if (wrong !== undefined) throw new RangeError(`score ${wrong}, expected a finite number of at least 0`);
  // Relative to the largest, so that no sum overflows; typed arrays sort by number.
  const most = scores.reduce((a, b) => Math.max(a, b), 0);
  if (most === 0 || floorShare === 1) return new Float64Array(n).fill(expected / n);
  const sorted = scores.map((g) => g / most).sort().reverse();
  const floor = floorShare * expected / n, positive = lengthWhile(sorted, (g) => g > 0);
  if (positive + (n - positive) * floor <= expected) {
    // Whatever counts is drawn for certain, and there is room for some of the rest.
    const rest = Math.min(1, (expected - positive) / (n - positive));
    return scores.map((g) => g > 0 ? 1 : rest);
  }
  const mu = threshold(sorted, expected, floor);
  return scores.map((g) => Math.min(1, Math.max(floor, g / most / mu)));
}

/** The mu whose probabilities sum to `expected`; scores descend from 1. */
function threshold(sorted: Float64Array, expected: number, floor: number): number {
  const n = sorted.length, sums = new Float64Array(n + 1);
  // From the smallest on, where less is lost.
  for (let i = n - 1; i >= 0; i--) sums[i] = sums[i + 1]! + sorted[i]!;
  const ends = (mu: number): [saturated: number, above: number] => [
    lengthWhile(sorted, (g) => g >= mu),
    lengthWhile(sorted, (g) => g > floor * mu),
  ];
  const total = (mu: number) => {
    const [saturated, above] = ends(mu);
    return saturated + (sums[saturated]! - sums[above]!) / mu + floor * (n - above);
  };
  // The sum falls as mu rises, and is linear in 1 / mu between the places where an item reaches 1 or the floor.
  const places = Float64Array.from([...sorted, ...(floor > 0 ? sorted.map((g) => g / floor) : [])])
    .filter((mu) => mu > 0).sort();
  const next = lengthWhile(places, (mu) => total(mu) >= expected);
  const low = next > 0 ? places[next - 1]! : 0, high = places[next] ?? Infinity;
  const middle = high === Infinity ? 2 * low : (low + high) / 2;
  const [saturated, above] = ends(middle);
  return (sums[saturated]! - sums[above]!) / (expected - saturated - floor * (n - above));
}

/** How many elements come before the first that `test` denies; it holds for a prefix. */
function lengthWhile(array: Float64Array, test: (value: number) => boolean): number {
  let low = 0, high = array.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(array[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The variance of the estimated mean, (1/n^2) sum g_i^2 (1 / p_i - 1): of the gradient where scores are lengths of
 * gradients. Items of score 0 add nothing.
 */
export function drawVariance(scores: Float64Array, probabilities: Float64Array): number {
  let sum = 0;
  scores.forEach((g, i) => {
    if (g > 0) sum += g * g * (1 / probabilities[i]! - 1);
  });
  return sum / scores.length ** 2;
}
