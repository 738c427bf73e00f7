/** Smoothing of a graph's labels, or of predictions of its nodes: from documents to a prediction. */
import { Engine, hostArray } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { checkArcs, checkInside } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import type { ItemPrediction } from "../train/prediction_document.ts";
import { Field, type SmootherEntry } from "./smoother.ts";

export interface Smoothed {
  readonly prediction: ItemPrediction;
  /** Nodes that no label reached: they have the class frequencies of the training nodes. */
  readonly unreached: number;
}

/** Class of each training node, -1 elsewhere. @throws {GustError} if there are none. */
function knownLabels(graph: Graph, train: BigInt64Array): Int32Array {
  const { document } = graph, labels = graph.labels();
  if (!labels) {
    throw new GustError(
      "missing",
      `${document.label} has no class per node to spread${
        document.has("label") ? ", but several labels" : ""
      }`,
    );
  }
  checkInside(document, "label", -1, graph.numClasses - 1);
  const known = new Int32Array(graph.numNodes).fill(-1), window = labels.window();
  for (const node of train) {
    const v = Number(node);
    if (v < 0 || v >= known.length) {
      throw new GustError("data", `The training split holds node ${v}, expected 0 to ${known.length - 1}`);
    }
    known[v] = window[v]!;
  }
  if (known.every((c) => c < 0)) {
    throw new GustError("data", `No training node of ${document.label} has a class, expected at least one`);
  }
  return known;
}

/** Rows divided by their sums, negative scores being 0; rows of zeros become `prior`. Returns how many. */
function toProbabilities(scores: NativeArray<"F32">, width: number, prior: Float64Array): number {
  const count = scores.length / width, rows = Math.max(1, Math.floor(2 ** 24 / width));
  let unreached = 0;
  for (let from = 0; from < count; from += rows) {
    const window = scores.window(from * width, Math.min(rows, count - from) * width);
    for (let at = 0; at < window.length; at += width) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += Math.max(0, window[at + c]!);
      if (sum === 0) unreached++;
      for (let c = 0; c < width; c++) {
        window[at + c] = sum === 0 ? prior[c]! : Math.max(0, window[at + c]!) / sum;
      }
    }
  }
  return unreached;
}

/**
 * Spread labels of the training nodes over a graph, by what a smoother makes of them.
 *
 * @param base  predictions to start from, where the smoother reads some.
 * @returns (nodes, classes) probabilities.
 */
export function smooth(
  graph: Graph,
  train: BigInt64Array,
  smoother: SmootherEntry,
  params: Record<string, unknown>,
  base: ItemPrediction | null,
): Smoothed {
  const { numClasses, numNodes } = graph;
  if (base && (base.items !== "nodes" || base.kind !== "classes" || base.outputs.width !== numClasses)) {
    throw new GustError(
      "mismatch",
      `${smoother.name} starts from probabilities of ${numClasses} classes per node, ` +
        `and was given ${base.outputs.width} ${base.kind} of ${base.items}`,
    );
  }
  checkArcs(graph);
  const known = knownLabels(graph, train);
  const engine = new Engine();
  try {
    const arena = engine.arena();
    const field = new Field(engine, arena, graph, known, numClasses);
    const from = base && arena.bind(base.outputs.scores, [numNodes, numClasses]);
    const result = smoother.smooth(field, from, params);
    const scores = hostArray(result, "F32").copy();
    const prior = new Float64Array(numClasses);
    for (const c of known) if (c >= 0) prior[c]!++;
    const total = prior.reduce((a, b) => a + b, 0);
    const unreached = toProbabilities(scores, numClasses, prior.map((x) => x / total));
    const best = arena.tensor("I32", [numNodes]);
    engine.run("argmax", { x: arena.bind(scores, [numNodes, numClasses]), out: best });
    const predicted = hostArray(best, "I32").copy();
    return {
      prediction: {
        items: "nodes",
        kind: "classes",
        count: numNodes,
        outputs: { scores, predicted, width: numClasses },
      },
      unreached,
    };
  } finally {
    engine.destroy();
  }
}
