/** Predicting which pairs of nodes are linked. */
import { z } from "zod";
import { hostArray } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { findNotFinite } from "../../ffi/native_checks.ts";
import type { Pairs } from "../../ffi/native_links.ts";
import { gatherRows } from "../../ffi/native_rows.ts";
import { decoders } from "../decoders/mod.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { checkLinks, heldOut, knownBesides, numLinkTypes, TrainingLinks } from "../links/links.ts";
import {
  drawSet,
  type LinkModel,
  type LinkRun,
  LinkScorer,
  type LinkSet,
  predict,
  together,
} from "../links/scores.ts";
import { linkSource } from "../links/source.ts";
import { lossFor } from "../losses/mod.ts";
import { allMetrics, metricFor } from "../metrics/mod.ts";
import { chosenOptions, entryOptions, foreignOptions } from "../registry.ts";
import { iota } from "../sampling/sampler.ts";
import { Tape } from "../tensor/autograd.ts";
import { gather } from "../tensor/ops/gather.ts";
import { reshape } from "../tensor/ops/reshape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { defineTask, type OpenedRun } from "./task.ts";

const params = z.object({
  embedding: z.int().min(1).default(64).describe("numbers per node that links are decoded from"),
  decoder: z.enum(decoders.names as [string, ...string[]]).default("dot").describe(
    "from two nodes' numbers to the score of a link",
  ),
  ...entryOptions(decoders),
  negatives: z.int().min(1).max(10_000).default(1).describe(
    "pairs without a link per link and epoch, drawn anew in each",
  ),
  corrupt: z.enum(["pair", "end"]).optional().describe(
    "draw both ends of such pairs, or one end of a link, in turn target and source [pair; end where links have types]",
  ),
  batchSize: z.int().min(0).default(0).describe("links per step, 0 = all; messages pass in the whole graph"),
  evalNegatives: z.int().min(0).max(100_000).default(1).describe(
    "pairs without a link per scored link, drawn once; 0 = rank among every node, at either end",
  ),
}).strict().superRefine((given, context) => {
  for (const key of foreignOptions(decoders, given.decoder, given)) {
    context.addIssue({
      code: "custom",
      path: [key],
      message: `does not apply to --decoder ${given.decoder}`,
    });
  }
});
type Params = z.infer<typeof params>;

const noSplit = () => ({
  train: new BigInt64Array(0),
  val: new BigInt64Array(0),
  test: new BigInt64Array(0),
});

/** What is scored against what: the same in training and evaluation. */
function linkRun(
  { engine, model }: { engine: LinkRun["engine"]; model: unknown },
  graph: Graph,
  { evalNegatives, corrupt }: Params,
  seed: number,
): LinkRun {
  const links = new TrainingLinks(graph);
  const oneEnd = (corrupt ?? (links.graph.types ? "end" : "pair")) === "end";
  return {
    engine,
    model: model as LinkModel,
    graph: links,
    others: knownBesides(graph),
    candidates: { negatives: evalNegatives, oneEnd, seed },
  };
}

const drawn = (run: LinkRun, links: Pairs | null): LinkSet | null =>
  links && links.source.length > 0 ? drawSet(run.graph, run.others, links, run.candidates) : null;

/** As many training links as there are held-out ones, at random: enough to see how well they are fitted. */
function someTrainingLinks({ graph, candidates }: LinkRun, most: number): Pairs {
  const { source, target, type } = graph.pairs;
  const chosen = graph.shuffled(candidates.seed, 2 ** 32 - 1).slice(0, Math.min(most, graph.count));
  return {
    source: gatherRows(source, 1, chosen),
    target: gatherRows(target, 1, chosen),
    type: type && gatherRows(type, 1, chosen),
  };
}

/** Vectors of every node. @throws {GustError} (data) if one is not a number, naming the node. */
function vectorsOf({ engine, arena, model, input, label, graph }: OpenedRun): Tensor {
  const vectors = model.forward(new Tape(engine, arena, false), input);
  const { count, place } = findNotFinite(hostArray(vectors.handle, "F32"));
  if (count === 0) return vectors;
  throw new GustError(
    "data",
    `The model of ${label} gives node ${
      Math.floor(place / vectors.cols)
    } of ${graph.document.label} a vector that is not finite: its weights, or their products, are not`,
    "train it again, with a smaller --lr",
  );
}

export const link = defineTask({
  name: "link",
  summary: "whether two nodes are linked: the graph's arcs train, link.val and link.test are held out",
  source: "Kipf and Welling 2016, arXiv:1611.07308; negatives as in Bordes et al. 2013",
  params,
  misfit: ({ document }) => document.has("indices") ? null : "it has no arcs of a single kind",
  unasked: ({ document }) =>
    ["link.val", "link.test"].some((name) => document.has(name))
      ? null
      : "it holds out no links (gust split --method links), and --task link was not asked for",
  outputs(graph, { embedding, decoder }) {
    const types = numLinkTypes(graph);
    const isTyped = decoders.get(decoder).isTyped;
    if (isTyped && types === null) {
      throw new GustError(
        "missing",
        `--decoder ${decoder} reads types of links, and ${graph.document.label} has no edge_type`,
        "choose another decoder: dot, mlp or bilinear",
      );
    }
    return { kind: "links", width: embedding, ...(isTyped ? { edgeTypes: types! } : {}) };
  },
  check: checkLinks,
  split: noSplit,
  numSplits: () => 1,
  unused: [
    "split",
    "splitIndex",
    "trainPerClass",
    "valPerClass",
    "valShare",
    "testShare",
    "inference",
    "batchLoss",
  ],
  trainNodes: (graph) => iota(graph.numNodes).window(),
  build(init, entry, signature, modelParams, params): LinkModel {
    const encoder = entry.build(init, signature, modelParams, "logits");
    const shape = { width: encoder.width, numTypes: signature.num_edge_types ?? null };
    const decoder = decoders.get(params.decoder).create(
      init,
      shape,
      chosenOptions(decoders, params.decoder, params),
    );
    const decode: LinkModel["decode"] = (tape, vectors, { source, target, type, perRow }) => {
      const ends = {
        source: gather(tape, vectors, new Tensor(source)),
        target: gather(tape, vectors, new Tensor(target)),
        type,
      };
      return reshape(tape, decoder.score(tape, ends), [source.rows / perRow, perRow]);
    };
    return {
      ...encoder,
      parameters: init.parameters,
      decoder,
      decode,
      forward(tape, input) {
        const vectors = encoder.forward(tape, input);
        return input.pairs ? decode(tape, vectors, input.pairs) : vectors;
      },
    };
  },
  start(run) {
    const { job: { graph, samples, options, lossParams, taskParams }, arena, seed, input } = run;
    const params = taskParams as Params, { label } = graph.document;
    if (samples) {
      throw new GustError(
        "usage",
        "Links are trained on the whole graph, expected no sampled batches",
        "leave the samples out; --batch-size cuts the links into batches",
      );
    }
    if (lossParams["classWeights"] !== undefined || lossParams["balanced"] === true) {
      throw new GustError("usage", "--class-weights and --balanced weight classes, and links have none");
    }
    const scored = linkRun(run, graph, params, seed);
    const { graph: links, candidates: { oneEnd } } = scored;
    if (links.count === 0) {
      throw new GustError("data", `${label} has no arc between different nodes, expected links to train on`);
    }
    const entry = lossFor("links", options.loss);
    const source = linkSource(run, links, {
      batchSize: params.batchSize,
      negatives: params.negatives,
      oneEnd,
      targets: entry.kinds.includes("classes") ? "classes" : "labels",
    });
    const val = heldOut(graph, "val"), test = heldOut(graph, "test");
    const most = Math.max(val?.source.length ?? 0, test?.source.length ?? 0);
    const sets = {
      train: drawn(scored, someTrainingLinks(scored, most)),
      val: drawn(scored, val),
      test: drawn(scored, test),
    };
    const noTargets = NativeArray.allocate("U8", 0);
    const context = {
      arena,
      targets: { kind: "labels", width: 1, array: noTargets } as const,
      train: noSplit().train,
    };
    return {
      source,
      loss: entry.create(context, lossParams),
      scorer: new LinkScorer(scored, input, sets, metricFor("links", options.selectBy)),
    };
  },
  evaluate(run, subset) {
    const { graph, engine, params, seed } = run;
    const scored = linkRun(run, graph, params as Params, seed);
    const byName = {
      train: () => scored.graph.pairs,
      val: () => heldOut(graph, "val"),
      test: () => heldOut(graph, "test"),
    };
    const names = subset === "all" ? ["train", "val", "test"] as const : [subset];
    const sets = names.flatMap((name) => drawn(scored, byName[name]()) ?? []);
    if (sets.length === 0) {
      throw new GustError(
        "missing",
        `${graph.document.label} holds out no ${subset} links, expected link.${subset}`,
        "hold some out with gust split --method links",
      );
    }
    const vectors = vectorsOf(run), pieces = engine.arena();
    const predictions = together(sets.map((set) => predict(scored, pieces, vectors, set)));
    return {
      items: "links",
      count: predictions.positive.length,
      kind: "links",
      metrics: allMetrics(predictions),
      confusion: null,
    };
  },
  predict(run) {
    const vectors = vectorsOf(run);
    return { items: "vectors", width: vectors.cols, vectors: hostArray(vectors.handle, "F32").copy() };
  },
});
