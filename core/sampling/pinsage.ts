/**
 * PinSAGE's importance neighbours: for each layer and node the nodes that random walks from it visit most, each weighted by
 * its share of the visits; walks may be biased as those of node2vec are.
 *
 * Source: Ying et al. 2018, section 3.1; Grover and Leskovec 2016, section 3.2 (return_p and in_out_q). Expectation: with
 * walks of one step, no self-loops, arcs of one weight and --fanout -1, arc weights make row sums unbiased for the graph's,
 * as neighbour sampling with replacement does; steps do not go by weights, and longer walks stand for the weighted means of
 * their own visits, of which --fanout keeps the largest.
 */
import { z } from "zod";
import { weighingSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { fanoutArcs, fanoutParam, seedBatches, seedParams } from "./seeds.ts";

export const pinsage = defineSampler({
  name: "pinsage",
  summary: "for each layer the `fanout` nodes that random walks visit most, weighted by their visits",
  source:
    "Ying et al. 2018, arXiv:1806.01973, section 3.1; Grover and Leskovec 2016, arXiv:1607.00653 (p, q)",
  params: z.object({
    fanout: fanoutParam,
    walks: z.int().min(1).max(65536).default(20).describe("random walks from each node"),
    walkLength: z.int().min(1).max(65536).default(3).describe("steps of a walk"),
    stop: z.number().min(0).max(0.999).default(0.5).describe(
      "probability that a walk ends before a step, but its first",
    ),
    returnP: z.number().min(0.001).max(1000).default(1).describe(
      "node2vec's p: steps back to the node before count 1 / p",
    ),
    inOutQ: z.number().min(0.001).max(1000).default(1).describe(
      "node2vec's q: steps to what is no in-neighbour of the node before count 1 / q",
    ),
    ...seedParams,
  }).strict(),
  idle({ walkLength }) {
    const why = walkLength === 1 ? "with --walk-length 1, before whose only step there is none" : undefined;
    return { stop: why, returnP: why, inOutQ: why };
  },
  needsPartition: false,
  inTraining: true,
  shape: ({ fanout, epochs }) => ({ hops: fanout.length, epochs }),
  plan(input, { fanout, walks, walkLength, stop, returnP, inOutQ, ...own }) {
    const { graph, seed } = input, sampler = weighingSampler(graph, false);
    const asked = { walks, length: walkLength, stop, returnP, inOutQ };
    const most = fanout.map((count) => count < 0 ? walks * walkLength : Math.min(count, walks * walkLength));
    return {
      ...seedBatches(input, own),
      hops: fanout.length,
      hasArcWeights: true,
      hasOwnArcs: true,
      expand: ({ nodes, ptr }, epoch, firstStep) =>
        sampler.visits(nodes, ptr, fanout, asked, { seed, epoch, firstStep }),
      estimateArcs: (count) => fanoutArcs(graph, most, count),
    };
  },
});
