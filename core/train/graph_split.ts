/** Which graphs train, validate and test: the folds of the data set, or shares drawn by class. */
import { GustError } from "../errors.ts";
import { type Graph, type SplitName, splitNames } from "../graph/graph.ts";
import { Random } from "../tensor/rng.ts";
import type { Split, SplitOptions } from "./split.ts";

/** How many folds a data set stores. */
export function numFolds({ document }: Graph): number {
  return document.has("fold.train") ? document.spec("fold.train").shape[0]! : 0;
}

/** Ascending graph numbers of a part of fold `index`, or null where it is not stored. @throws {GustError} (usage) */
export function foldPart({ document }: Graph, name: SplitName, index: number): number[] | null {
  const key = `fold.${name}`;
  if (!document.has(key)) return null;
  const [count, graphs] = document.spec(key).shape as [number, number];
  if (index < 0 || index >= count) {
    throw new GustError(
      "usage",
      `Fold ${index} of ${document.label}: it stores ${count} fold${count === 1 ? "" : "s"}, numbered from 0`,
    );
  }
  const mask = document.tensor(key, "BOOL").window(index * graphs, graphs);
  return [...mask.keys()].filter((g) => mask[g]);
}

/** The class of each graph where it has one, else 0: shares are drawn inside of a class. */
type ClassOf = (graph: number) => number;

/** The items of each class in a random order of their numbers. */
function shuffledByClass(items: readonly number[], classOf: ClassOf, random: Random): number[][] {
  const classes = new Map<number, { item: number; key: bigint }[]>();
  for (const item of items) {
    const list = classes.get(classOf(item)) ?? [];
    list.push({ item, key: random.u64(item, 0) });
    classes.set(classOf(item), list);
  }
  const sorted = [...classes].sort(([a], [b]) => a - b).map(([, list]) => list);
  return sorted.map((list) =>
    list.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : a.item - b.item).map(({ item }) => item)
  );
}

const asSplit = (parts: Record<SplitName, number[]>): Split => {
  const sorted = (items: number[]) => BigInt64Array.from(items.toSorted((a, b) => a - b), BigInt);
  return { train: sorted(parts.train), val: sorted(parts.val), test: sorted(parts.test) };
};

/**
 * The split of a run. A fold without a validation part gives up `valShare` of its training graphs, rounded, of every
 * class; a random split takes shares of all graphs. Both go by seed, fold and graph number alone, and leave graphs
 * whose target is not known out.
 *
 * @throws {GustError} (missing) if there are no folds and no random split was asked for; (usage) for shares that leave
 * nothing to train on.
 */
export function graphSplit(
  graph: Graph,
  { split, splitIndex, valShare, testShare, seed }: SplitOptions,
  { numGraphs, classOf, isKnown }: { numGraphs: number; classOf: ClassOf; isKnown: (g: number) => boolean },
): Split {
  if (split === "random") {
    if (valShare + testShare >= 1) {
      throw new GustError(
        "usage",
        `--val-share ${valShare} and --test-share ${testShare} leave nothing to train on`,
      );
    }
    const all = Array.from({ length: numGraphs }, (_, g) => g).filter(isKnown);
    const parts: Record<SplitName, number[]> = { train: [], val: [], test: [] };
    for (const list of shuffledByClass(all, classOf, new Random({ seed, stream: "split" }))) {
      const test = Math.round(testShare * list.length), val = Math.round(valShare * list.length);
      parts.test.push(...list.slice(0, test));
      parts.val.push(...list.slice(test, test + val));
      parts.train.push(...list.slice(test + val));
    }
    return asSplit(parts);
  }
  if (numFolds(graph) === 0) {
    throw new GustError(
      "missing",
      `${graph.document.label} stores no folds, expected fold.train`,
      "draw a split with --split random --val-share 0.1 --test-share 0.1",
    );
  }
  const [train, val, test] = splitNames.map((name) =>
    foldPart(graph, name, splitIndex)?.filter(isKnown) ?? null
  );
  if (val) return asSplit({ train: train!, val, test: test ?? [] });
  const random = new Random({ seed, stream: "split", step: splitIndex });
  const parts: Record<SplitName, number[]> = { train: [], val: [], test: test ?? [] };
  for (const list of shuffledByClass(train!, classOf, random)) {
    const count = Math.round(valShare * list.length);
    parts.val.push(...list.slice(0, count));
    parts.train.push(...list.slice(count));
  }
  return asSplit(parts);
}
