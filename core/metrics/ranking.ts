/** How high true links rank. */
import { defineMetric } from "./metric.ts";
import type { LinkPredictions } from "./predictions.ts";

/**
 * The place of each link among its own negatives, from 1 on; of those that score the same, half count as higher (the
 * mean over all orders of equals). NaN where a score is.
 */
export function ranksOf({ positive, negative, negativesPer, ranks }: LinkPredictions): Float64Array {
  if (ranks) return ranks;
  return Float64Array.from(positive, (score, i) => {
    let rank = Number.isNaN(score) ? NaN : 1;
    for (let j = i * negativesPer; j < (i + 1) * negativesPer; j++) {
      const other = negative[j]!;
      rank += other > score ? 1 : other === score ? 0.5 : Number.isNaN(other) ? NaN : 0;
    }
    return rank;
  });
}

const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;

export const mrr = defineMetric({
  name: "mrr",
  summary: "mean of 1 / the place of each link among its candidates; of equal scores half count as higher",
  source: "Bordes et al. 2013, section 4.1; ties as in Berrendorf et al. 2020, arXiv:2002.06914",
  computes: { links: (p) => mean(ranksOf(p).map((rank) => 1 / rank)) },
});

const hitsAt = (k: number) =>
  defineMetric({
    name: `hits-at-${k}`,
    summary:
      `share of links whose place among their candidates is at most ${k}; of equals half count as higher`,
    source: "Bordes et al. 2013, section 4.1",
    computes: { links: (p) => mean(ranksOf(p).map((rank) => Number.isNaN(rank) ? NaN : rank <= k ? 1 : 0)) },
  });
export const hitsAt1 = hitsAt(1);
export const hitsAt3 = hitsAt(3);
export const hitsAt10 = hitsAt(10);

/** Share of links that score higher than the k-th best of all negatives together; NaN for fewer than k of these. */
export function sharedHitsOf({ positive, negative }: LinkPredictions, k: number): number {
  if (negative.length < k || positive.some(Number.isNaN) || negative.some(Number.isNaN)) return NaN;
  const bar = negative.toSorted()[negative.length - k]!;
  return positive.reduce((sum, score) => sum + (score > bar ? 1 : 0), 0) / positive.length;
}

export const sharedHits = [20, 50, 100].map((k) =>
  defineMetric({
    name: `shared-hits-at-${k}`,
    summary: `share of links that score higher than the ${k}th best of all negatives together`,
    source: "Hu et al. 2020, arXiv:2005.00687, section 4.2 (Hits@K of ogbl-ddi, -collab and -ppa)",
    computes: { links: (p) => sharedHitsOf(p, k) },
  })
);
