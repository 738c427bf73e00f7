/** Which nodes train, validate and test: stored in the graph, or drawn per class. */
import { splitNodes, splitParts } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import type { Graph, SplitName } from "../graph/graph.ts";
import { drawPerClass } from "../splits/per_class.ts";
import { itemsOf } from "../splits/splitter.ts";

export type Split = Record<SplitName, BigInt64Array>;

export interface SplitOptions {
  /** file: as stored in the graph; random: drawn from the seed, per class. */
  readonly split: "file" | "random";
  /** Which of several stored splits. */
  readonly splitIndex: number;
  readonly trainPerClass: number;
  readonly valPerClass: number;
  /** Shares of many items (graphs): of the training part where a stored split has no validation, or of all. */
  readonly valShare: number;
  readonly testShare: number;
  readonly seed: number;
}

/**
 * The split of a run: a stored one, or the one that `gust split --method per-class` would draw.
 *
 * @throws {GustError} (missing) if the graph stores no split and none was asked for.
 */
export function resolveSplit(graph: Graph, options: SplitOptions): Split {
  if (options.split === "random") return randomSplit(graph, options);
  const train = graph.split("train", options.splitIndex);
  if (!train) {
    throw new GustError(
      "missing",
      `${graph.document.label} stores no split, expected split.train`,
      graph.labels()
        ? "draw one with --split random --train-per-class 20 --val-per-class 30"
        : "draw one with gust split --method random",
    );
  }
  const empty = new BigInt64Array(0);
  return {
    train,
    val: graph.split("val", options.splitIndex) ?? empty,
    test: graph.split("test", options.splitIndex) ?? empty,
  };
}

function randomSplit(graph: Graph, options: SplitOptions): Split {
  const { document } = graph;
  const part = drawPerClass(itemsOf({ document, over: "nodes", seed: options.seed }), options);
  const nodes = (name: SplitName) => {
    // One piece, valid while the loop stands at it.
    for (const piece of splitNodes(part, splitParts[name], part.length)) return piece.read();
    return new BigInt64Array(0);
  };
  return { train: nodes("train"), val: nodes("val"), test: nodes("test") };
}
