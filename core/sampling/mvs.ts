/**
 * Minimal variance sampling: training nodes are drawn each on its own, with probabilities that let the gradient vary least
 * for as many nodes as are wanted; their subgraph, where a node v counts 1 / p_v in the loss. Scores that stand for lengths
 * of gradients come from training, or from a file.
 *
 * Source: Cong et al. 2020, arXiv:2006.13866, algorithm 1. Expectation: sum over a batch of L_v / p_v is the sum over the
 * nodes that it is drawn from (all training nodes of a file's scores; those of the last checkpoint in training), given the
 * rows of their neighbours.
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { Random, type RandomKey } from "../tensor/rng.ts";
import { FLOOR_SHARE, minimalVariance } from "./minimal_variance.ts";
import { nativeSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";

const batch = z.int().min(1).default(512).describe("nodes that are drawn for a batch on average");
const floorShare = z.number().min(0).max(1).default(FLOOR_SHARE).describe(
  "no probability is below this share of the mean: scores may be out of date",
);

/** How mvs goes in training. */
export const mvsParams = z.object({
  batch,
  poolShare: z.number().gt(0).max(1).default(0.1).describe(
    "share of the training nodes that batches are drawn from until the next checkpoint, which takes others (gamma)",
  ),
  inner: z.int().min(1).default(20).describe(
    "steps from a checkpoint to the next, which are an epoch: an exact pass, a large step, and small ones (K)",
  ),
  history: z.enum(["eq7", "control-variate"]).default("eq7").describe(
    "neighbours outside of a batch are rows of an earlier pass; or all are, and the batch's own rows, over their " +
      "probabilities, count as changes of them",
  ),
  largeStep: z.boolean().default(true).describe("without the step on all nodes of a checkpoint"),
  refreshScores: z.boolean().default(false).describe("score the nodes of a batch anew after its step"),
  floorShare,
}).strict();
export type MvsParams = z.infer<typeof mvsParams>;

/** Positions of the items that are drawn, each on its own with its probability. @param ids  original numbers. */
export function drawItems(probabilities: Float64Array, ids: readonly number[], key: RandomKey): number[] {
  const random = new Random(key), drawn: number[] = [];
  probabilities.forEach((p, i) => {
    if (random.f64(ids[i]!, 0) < p) drawn.push(i);
  });
  return drawn;
}

/** Original numbers of nodes. */
export function originalIds(graph: Graph, nodes: readonly number[]): readonly number[] {
  const ids = graph.nodeIds();
  return ids ? nodes.map((v) => ids.at(v)) : nodes;
}

/** The nodes in the order of their original numbers, so that nothing depends on how the graph numbers them. */
export function byOriginalId(graph: Graph, nodes: readonly number[]): number[] {
  const ids = originalIds(graph, nodes);
  return [...nodes.keys()].sort((a, b) => ids[a]! - ids[b]!).map((i) => nodes[i]!);
}

export const mvs = defineSampler({
  name: "mvs",
  summary: "the subgraph of training nodes drawn by the length of their gradients, with weights in the loss",
  source: "Cong et al. 2020, arXiv:2006.13866, algorithm 1",
  params: z.object({
    batch,
    scores: z.string().optional().describe(
      "one number per node, its gradient's length or what stands for it: a .npy array, or text",
    ).meta({ value: "FILE", reads: true }),
    floorShare,
    epochs: z.int().min(1).default(1).describe("passes, each with draws of its own"),
    splitIndex: z.int().min(0).default(0).describe("which of several stored splits"),
  }).strict(),
  trainParams: mvsParams,
  idle({ inner }) {
    const why = inner === 1 ? "with --inner 1, which takes no small step" : undefined;
    return { batch: why, history: why, refreshScores: why, floorShare: why };
  },
  needsPartition: false,
  inTraining: true,
  isAdaptive: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan({ graph, seed, scores, trainNodes }, { batch, floorShare, epochs, splitIndex }) {
    if (!scores) {
      throw new GustError(
        "usage",
        "--method mvs draws by scores that training gives, expected --scores FILE",
        "gust train --sampler mvs draws as training goes",
      );
    }
    const stored = trainNodes ?? graph.split("train", splitIndex);
    if (!stored) {
      throw new GustError(
        "missing",
        `--method mvs: ${graph.document.label} stores no split.train, expected one`,
        "gust split draws one",
      );
    }
    const nodes = byOriginalId(graph, Array.from(stored, Number));
    const wrong = nodes.find((v) => !(scores[v]! >= 0 && scores[v]! < Infinity));
    if (wrong !== undefined) {
      throw new GustError(
        "data",
        `The score of node ${wrong} is ${scores[wrong]}, expected a finite number of at least 0`,
      );
    }
    const n = nodes.length, ids = originalIds(graph, nodes);
    const own = Float64Array.from(nodes, (v) => scores[v]!);
    const p = n === 0 ? own : minimalVariance(own, Math.min(batch, n), floorShare);
    const weight = new Map(nodes.map((v, i) => [v, 1 / p[i]!]));
    const perEpoch = Math.ceil(n / batch), sampler = nativeSampler(graph);
    const degree = graph.numEdges / Math.max(1, graph.numNodes);
    return {
      epochs,
      hops: 0,
      seeds(epoch) {
        const ptr = [0], drawn: number[] = [];
        for (let step = 0; step < perEpoch; step++) {
          for (const i of drawItems(p, ids, { seed, stream: "sample.mvs", epoch, step })) {
            drawn.push(nodes[i]!);
          }
          ptr.push(drawn.length);
        }
        return { nodes: NativeArray.from<"I64">(BigInt64Array.from(drawn, BigInt)), ptr };
      },
      expand: (seeds) => sampler.induced(seeds.nodes, seeds.ptr),
      estimateArcs: (count) => count * Math.max(1, degree * Math.min(1, count / Math.max(1, graph.numNodes))),
      weights: {
        readsEdges: false,
        fill(batches, { nodeWeight }) {
          const to = nodeWeight.window();
          batches.nodes.toNumbers().forEach((v, i) => to[i] = weight.get(v)!);
        },
      },
    };
  },
});
