/** Predicting what graphs are: one class each, or numbers. */
import { z } from "zod";
import { findOutsideSegments } from "../../ffi/native_checks.ts";
import { gatherRows } from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import { checkInfinite, checkInside, checkPointer } from "../graph/arcs.ts";
import type { Graph, SplitName } from "../graph/graph.ts";
import { poolings } from "../pooling/mod.ts";
import type { PoolingEntry } from "../pooling/pooling.ts";
import { withReadout } from "../pooling/readout.ts";
import { chosenOptions, entryOptions, foreignOptions } from "../registry.ts";
import {
  fixedOutputs,
  forwardPieces,
  GraphSlices,
  graphSource,
  piecesOf,
  pointerOf,
} from "../train/graph_batches.ts";
import { foldPart, graphSplit, numFolds } from "../train/graph_split.ts";
import type { Outputs } from "../train/predictions.ts";
import { isKnown, storedTargets, type TargetKind, type Targets } from "../train/targets.ts";
import { chosenItems, inferItems, itemParts, scoreItems } from "./items.ts";
import { defineTask, type OpenedRun, type TaskParts, type TaskRun } from "./task.ts";

const ownOptions = {
  pool: z.enum(poolings.names as [string, ...string[]]).default("sum").describe(
    "from nodes to one row per graph",
  ),
  headLayers: z.int().min(1).max(8).default(1).describe("linear layers behind the pooling"),
  headHidden: z.int().min(1).optional().describe(
    "width of those before the last [as wide as what is pooled]",
  ),
  headDropout: z.number().min(0).lt(1).default(0.5).describe("dropout on the input of each"),
  batchSize: z.int().min(0).default(32).describe("most graphs per step, 0 = all at once"),
};

const params = z.object({ ...ownOptions, ...entryOptions(poolings) }).strict().superRefine(
  (given, context) => {
    for (const key of foreignOptions(poolings, given.pool, given)) {
      context.addIssue({ code: "custom", path: [key], message: `does not apply to --pool ${given.pool}` });
    }
  },
);

/** The pooling of a run with its options. */
function poolingOf(
  given: Readonly<Record<string, unknown>>,
): { pooling: PoolingEntry; poolParams: Record<string, unknown> } {
  const name = given["pool"] as string;
  return { pooling: poolings.get(name), poolParams: chosenOptions(poolings, name, given) };
}

/** Number of graph classes: the document's, unless those are classes of nodes. */
function numGraphClasses({ document, numClasses }: Graph): number {
  if (!document.has("label") || !document.has("graph_label")) return numClasses;
  return Math.max(-1, ...document.tensor("graph_label", "I32").window()) + 1;
}

/** The targets of a data set's graphs. @throws {GustError} (missing) if it has none. */
export function graphTargets(graph: Graph): Targets {
  const targets = storedTargets(graph.document, "graph_label", "graph_target", numGraphClasses(graph));
  if (!targets) {
    throw new GustError("missing", `${graph.document.label} has no labels or targets of its graphs`);
  }
  return targets;
}

/** Refuse arcs from one graph to another: graphs are batched one by one. */
function checkArcsInside(graph: Graph): void {
  const { document, csr } = graph, ptr = pointerOf(graph), graphs = ptr.length - 1;
  const arcs = gatherRows(csr.indptr, 1, ptr);
  const { count, place, value } = findOutsideSegments(
    arcs,
    csr.indices,
    ptr.slice(0, graphs),
    ptr.slice(1, graphs),
  );
  if (count === 0) return;
  throw new GustError(
    "data",
    `Cannot read ${document.label}: ${count} arcs lead out of their graph, the first at position ${place} of tensor "indices", to node ${value}`,
    "gust inspect --check lists every problem",
  );
}

/** Exact outputs of every graph: in one pass, or in pieces where hidden rows of all nodes would be much. */
function infer(run: OpenedRun, kind: TargetKind): Outputs {
  const { engine, arena, graph, model, input, norm } = run, pieces = piecesOf(pointerOf(graph));
  if (pieces.length <= 1) return inferItems(run, kind, "graph");
  const slices = new GraphSlices(engine, graph, input.features, norm);
  const out = arena.tensor("F32", [slices.numGraphs, model.width]);
  forwardPieces(engine, model, slices, pieces, out);
  return inferItems({ ...run, model: fixedOutputs(out) }, kind, "graph");
}

/** Loss and scorer of a run; scoring goes in pieces as inference does. */
function partsOf(run: TaskRun, slices: GraphSlices, targets: Targets): Omit<TaskParts, "source"> {
  const { engine, arena, model } = run, pieces = piecesOf(slices.ptr);
  if (pieces.length <= 1) return itemParts(run, targets);
  const out = arena.tensor("F32", [slices.numGraphs, model.width]);
  const { loss, scorer } = itemParts({ ...run, model: fixedOutputs(out) }, targets);
  return {
    loss,
    scorer: {
      metric: scorer.metric,
      run() {
        forwardPieces(engine, model, slices, pieces, out);
        return scorer.run();
      },
    },
  };
}

/** Graph numbers of a part of the first stored fold, or null where none is stored. */
export function storedFold(graph: Graph, name: SplitName): BigInt64Array | null {
  const part = numFolds(graph) > 0 ? foldPart(graph, name, 0) : null;
  return part && BigInt64Array.from(part, BigInt);
}

export const graph = defineTask({
  name: "graph",
  summary: "classes or numbers of the graphs of a data set of many",
  source: "Xu et al. 2019, arXiv:1810.00826, section 4",
  params,
  unused: ["trainPerClass", "valPerClass", "inference", "batchLoss"],
  misfit: ({ document }) =>
    document.has("graph_label") || document.has("graph_target")
      ? null
      : "it has no labels or targets of its graphs",
  outputs(graph) {
    const { kind, width } = graphTargets(graph);
    return { kind, width };
  },
  check(graph) {
    const { document } = graph;
    if (document.has("graph_ptr")) checkPointer(document, "graph_ptr", graph.numNodes);
    checkArcsInside(graph);
    if (document.has("graph_label")) checkInside(document, "graph_label", -1, numGraphClasses(graph) - 1);
    if (document.has("graph_target")) checkInfinite(document, "graph_target");
  },
  split(graph, options) {
    const targets = graphTargets(graph), labels = targets.kind === "classes" ? targets.array.window() : null;
    return graphSplit(graph, options, {
      numGraphs: pointerOf(graph).length - 1,
      classOf: (g) => labels?.[g] ?? 0,
      isKnown: isKnown(targets),
    });
  },
  numSplits: numFolds,
  trainNodes(graph, { train }) {
    const ptr = pointerOf(graph).window(), nodes: bigint[] = [];
    for (const g of train) for (let v = ptr[Number(g)]!; v < ptr[Number(g) + 1]!; v++) nodes.push(v);
    return BigInt64Array.from(nodes);
  },
  build(init, entry, signature, modelParams, given) {
    const body = entry.build(init, signature, modelParams, "hidden");
    return withReadout(init, body, signature.num_classes, {
      ...poolingOf(given),
      layers: given.headLayers,
      hidden: given.headHidden ?? null,
      dropout: given.headDropout,
    });
  },
  start(run) {
    const { job: { graph, samples, model, modelParams, taskParams }, engine, arena, input, seed, split } =
      run;
    if (samples) {
      throw new GustError(
        "usage",
        'Task "graph" draws batches of whole graphs itself, expected no sample or partition',
        "leave it out and give --batch-size",
      );
    }
    const targets = graphTargets(graph);
    const slices = new GraphSlices(engine, graph, input.features, model.operator(modelParams));
    const batchSize = taskParams["batchSize"] as number;
    const source = graphSource(engine, arena, slices, targets, split.train, { batchSize, seed });
    return { source, ...partsOf(run, slices, targets) };
  },
  evaluate(run, subset) {
    const { graph } = run, targets = graphTargets(graph), count = pointerOf(graph).length - 1;
    const graphs = chosenItems(run, "graphs", targets, count, subset, (name) => storedFold(graph, name));
    return scoreItems("graphs", infer(run, targets.kind), targets, graphs);
  },
  predict(run) {
    const kind = run.kind as TargetKind;
    return { items: "graphs", kind, count: pointerOf(run.graph).length - 1, outputs: infer(run, kind) };
  },
});
