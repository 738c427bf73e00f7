/** Groups of runs against the first of them. */
import { mean, type Summary, summaryOf } from "../statistics/moments.ts";
import { holm, meanDifference, pairedTest, type TestResult } from "../statistics/paired.ts";
import { differingSettings, type Group } from "./groups.ts";
import type { Run } from "./runs.ts";

export const splits = ["train", "val", "test"] as const;
export type Split = (typeof splits)[number];

/** One group against the first, over the runs of equal seed and split. */
export interface Comparison {
  readonly group: string;
  readonly baseline: string;
  readonly pairs: number;
  /** Mean of the group's score less the baseline's, with its confidence interval. */
  readonly difference: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
  readonly test: TestResult["test"] | null;
  readonly p: number | null;
  /** Adjusted for the number of groups (Holm). */
  readonly p_adjusted: number | null;
  /** Why there is no test. */
  readonly reason?: string;
}

export interface ComparedGroup extends Group {
  readonly summary: Readonly<Record<Split, Summary>>;
  readonly mean_best_epoch: number;
  readonly mean_seconds: number | null;
}

export interface Result {
  readonly split: Split;
  readonly groups: readonly ComparedGroup[];
  /** Values in the order of the groups, null where a group does not say. */
  readonly settings_that_differ: Readonly<Record<string, readonly unknown[]>>;
  readonly comparisons: readonly Comparison[];
}

function summarised(group: Group): ComparedGroup {
  const { runs } = group;
  return {
    ...group,
    summary: Object.fromEntries(
      splits.map((split) => [split, summaryOf(runs.map((run) => run[split]))]),
    ) as ComparedGroup["summary"],
    mean_best_epoch: mean(runs.map(({ best_epoch }) => best_epoch)),
    mean_seconds: summaryOf(runs.map(({ seconds }) => seconds)).mean,
  };
}

/** Differences over the runs that both have. */
function differences(group: Group, baseline: Group, split: Split): number[] {
  const key = ({ seed, split: s }: Run) => `${s} ${seed}`;
  const scores = new Map(baseline.runs.map((run) => [key(run), run[split]]));
  return group.runs.flatMap((run) => {
    const [a, b] = [run[split], scores.get(key(run))];
    return a === null || b === null || b === undefined ? [] : [a - b];
  });
}

function comparison(group: Group, baseline: Group, split: Split, confidence: number): Comparison {
  const empty = {
    group: group.label,
    baseline: baseline.label,
    pairs: 0,
    difference: null,
    low: null,
    high: null,
    confidence,
    test: null,
    p: null,
    p_adjusted: null,
  };
  if (group.metric !== baseline.metric) {
    return { ...empty, reason: `scores are ${group.metric}, not ${baseline.metric}` };
  }
  const pairs = differences(group, baseline, split);
  if (pairs.length === 0) return { ...empty, reason: `no seed in common with a ${split} score` };
  const { mean: difference, low, high } = meanDifference(pairs, confidence);
  const known = { ...empty, pairs: pairs.length, difference, low, high };
  if (pairs.length < 2) return { ...known, reason: "one seed in common, a test needs at least 2" };
  return { ...known, ...pairedTest(pairs) };
}

/**
 * Compare every group with the first by the scores of one split.
 *
 * @param confidence  of the intervals, e.g. 0.95.
 */
export function compareGroups(groups: readonly Group[], split: Split, confidence: number): Result {
  const [baseline, ...others] = groups;
  const compared = others.map((group) => comparison(group, baseline!, split, confidence));
  const tested = compared.filter(({ p }) => p !== null);
  const adjusted = holm(tested.map(({ p }) => p!));
  return {
    split,
    groups: groups.map(summarised),
    settings_that_differ: Object.fromEntries(
      [...differingSettings(groups)].map(([key, values]) => [key, values.map((value) => value ?? null)]),
    ),
    comparisons: compared.map((one) =>
      one.p === null ? one : { ...one, p_adjusted: adjusted[tested.indexOf(one)]! }
    ),
  };
}
