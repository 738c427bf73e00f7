/**
 * What the GraphSAINT samplers share: batches that are drawn with replacement, as many as it takes to draw as many nodes
 * as the graph has, and the weights of their nodes and arcs.
 *
 * Source: Zeng et al. 2020, arXiv:1907.04931, algorithms 1 and 2. Expectation: with P the probability that a batch has a
 * node or an arc, sum over the batch's nodes of L_v / P(v) is the sum over the graph, and given that the batch has v, sum
 * over its arcs v <- u of a_vu x_u P(v) / P(u and v) is (A x)_v, A normalised by the graph's degrees.
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import type { SampleKey } from "../../ffi/native_sample.ts";
import { NativeWalks, type Roots } from "../../ffi/native_walks.ts";
import type { Graph } from "../graph/graph.ts";
import { nativeSampler } from "./native.ts";
import type { BatchPlan, SampleInput } from "./sampler.ts";

/** Subgraphs that are counted together; the counts do not depend on it but for where they end. */
const COUNTED_TOGETHER = 16;

/** Options of all of them. */
export const saintParams = z.object({
  batchesPerEpoch: z.int().min(0).default(0).describe(
    "batches of a pass; 0 = as many as it takes to draw as many nodes as the graph has",
  ),
  epochs: z.int().min(1).default(1).describe("passes, each with draws of its own"),
});

/** How subgraphs are drawn. */
interface Draws {
  /** Walks of a batch, and the steps of each. */
  readonly draws: number;
  readonly length: number;
  readonly roots: Roots;
  /** How many of the subgraphs that probabilities are estimated by have a node, on average; where there is no formula. */
  readonly coverage: number;
}

/** @param name  of the sampler: what its random numbers are for. */
export function saintPlan(
  name: string,
  { graph, seed }: SampleInput,
  { draws, length, roots, coverage }: Draws,
  { batchesPerEpoch, epochs }: z.infer<typeof saintParams>,
): BatchPlan {
  const walks = new NativeWalks(graph.csr, graph.nodeIds(), {
    byPosition: graph.meta.row_order === "time",
    roots,
    draws,
    length,
  });
  if (walks.needsCounts) countSubgraphs(graph, walks, { seed, stream: `sample.${name}.count` }, coverage);
  const { numNodes } = graph, perBatch = draws * (length + 1);
  const batches = numNodes === 0 ? 0 : batchesPerEpoch || Math.ceil(numNodes / perBatch);
  const sampler = nativeSampler(graph, walks.needsCounts || graph.csr.values !== null);
  // How many nodes a batch has is known once it is drawn: the pointer has the most there can be.
  const none = NativeArray.allocate("I64", 0);
  const ptr = Array.from({ length: batches + 1 }, (_, b) => b * walks.mostNodes);
  const degree = graph.numEdges / Math.max(1, numNodes);
  return {
    epochs,
    hops: 0,
    hasArcWeights: true,
    seeds: () => ({ nodes: none, ptr }),
    expand({ ptr }, epoch, firstStep) {
      const drawn = walks.draw(ptr.length - 1, { seed, epoch, firstStep, stream: `sample.${name}` });
      return sampler.induced(drawn.nodes, drawn.ptr);
    },
    estimateArcs: (count) => count * Math.max(1, degree * Math.min(1, count / Math.max(1, numNodes))),
    weights: {
      readsEdges: walks.needsCounts,
      fill: (batches, { nodeWeight, arcWeight }) =>
        walks.weights(batches, { nodeWeight, arcWeight: arcWeight! }),
    },
  };
}

/**
 * Draw subgraphs, apart from those of batches, and count how often each node and arc is in one, until a node is in
 * `coverage` of them on average. Source: Zeng et al. 2020, section 3.2 (50 in the authors' code).
 */
function countSubgraphs(
  graph: Graph,
  walks: NativeWalks,
  key: { readonly seed: number; readonly stream: string },
  coverage: number,
): void {
  const sampler = nativeSampler(graph, true), wanted = coverage * graph.numNodes;
  for (let seen = 0, step = 0; seen < wanted; step += COUNTED_TOGETHER) {
    const from: SampleKey & { stream: string } = { ...key, epoch: 0, firstStep: step };
    const drawn = walks.draw(COUNTED_TOGETHER, from);
    const batches = sampler.induced(drawn.nodes, drawn.ptr);
    const nodes = drawn.ptr.at(-1)!, arcs = batches.sizes.reduce((sum, { edges }) => sum + edges[0]!, 0);
    const edges = NativeArray.allocate("I64", arcs, false);
    const rest = {
      indptr: NativeArray.allocate("I64", nodes + COUNTED_TOGETHER, false),
      indices: NativeArray.allocate("I32", arcs, false),
      edgeWeight: null,
    };
    batches.copyBlock(0, COUNTED_TOGETHER, 0, { ...rest, edges }, null);
    walks.count(COUNTED_TOGETHER, drawn.nodes.slice(0, nodes), edges);
    batches.close();
    for (const array of [drawn.nodes, edges, rest.indptr, rest.indices]) array.free();
    seen += nodes;
  }
  sampler.close();
}
