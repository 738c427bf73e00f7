/** Which nodes train, validate and test: stored in the graph, or drawn per class. */
import { GustError } from "../errors.ts";
import type { Graph, SplitName } from "../graph/graph.ts";
import { Random } from "../tensor/rng.ts";

export type Split = Record<SplitName, BigInt64Array>;

export interface SplitOptions {
  /** file: as stored in the graph; random: drawn from the seed, per class. */
  readonly split: "file" | "random";
  /** Which of several stored splits. */
  readonly splitIndex: number;
  readonly trainPerClass: number;
  readonly valPerClass: number;
  readonly seed: number;
}

/**
 * The split of a run. Random splits order each class by a random number of the node's original id, so that they do
 * not depend on the node order: the first `trainPerClass` train, the next `valPerClass` validate, the rest test.
 *
 * @throws {GustError} (missing) if the graph stores no split and none was asked for.
 * Source of the random protocol: Shchur et al. 2018, arXiv:1811.05868, section 3 (20 and 30 nodes per class).
 */
export function resolveSplit(graph: Graph, options: SplitOptions): Split {
  if (options.split === "random") return randomSplit(graph, options);
  const train = graph.split("train", options.splitIndex);
  if (!train) {
    throw new GustError(
      "missing",
      `${graph.document.label} stores no split, expected split.train`,
      "draw one with --split random --train-per-class 20 --val-per-class 30",
    );
  }
  const empty = new BigInt64Array(0);
  return {
    train,
    val: graph.split("val", options.splitIndex) ?? empty,
    test: graph.split("test", options.splitIndex) ?? empty,
  };
}

function randomSplit(graph: Graph, { trainPerClass, valPerClass, seed }: SplitOptions): Split {
  const labels = graph.labels();
  if (!labels) throw new GustError("missing", `${graph.document.label} has no labels to draw a split from`);
  const random = new Random({ seed, stream: "split" });
  const ids = graph.nodeIds()?.window();
  const byClass: { node: number; key: bigint }[][] = Array.from({ length: graph.numClasses }, () => []);
  labels.window().forEach((label, node) => {
    if (label >= 0) byClass[label]!.push({ node, key: random.u64(Number(ids?.[node] ?? node), 0) });
  });
  const parts: Record<SplitName, number[]> = { train: [], val: [], test: [] };
  byClass.forEach((nodes, c) => {
    if (nodes.length > 0 && nodes.length < trainPerClass + valPerClass) {
      throw new GustError(
        "data",
        `Random split: class ${c} has ${nodes.length} nodes, expected at least ${trainPerClass} + ${valPerClass}`,
        "lower --train-per-class or --val-per-class",
      );
    }
    nodes.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : a.node - b.node);
    nodes.forEach(({ node }, i) => {
      parts[i < trainPerClass ? "train" : i < trainPerClass + valPerClass ? "val" : "test"].push(node);
    });
  });
  const sorted = (nodes: number[]) => BigInt64Array.from(nodes.sort((a, b) => a - b), BigInt);
  return { train: sorted(parts.train), val: sorted(parts.val), test: sorted(parts.test) };
}
