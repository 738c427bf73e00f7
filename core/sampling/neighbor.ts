/**
 * Neighbour sampling: batches of seeds, and for each layer a bounded number of in-neighbours. Source: Hamilton et al.
 * 2017, algorithm 2.
 *
 * Expectation: uniform draws make means of a row unbiased, and sums that count each of the k drawn arcs d / k times. With
 * `weighted` or `replace` arcs have weights: inverse inclusion probabilities given the key of the first arc left out, or
 * m / (k p) of an arc that k draws of probability p gave m times; sums and means are exactly unbiased.
 */
import { z } from "zod";
import { GustError } from "../errors.ts";
import { nativeSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { fanoutArcs, fanoutParam, seedBatches, seedParams } from "./seeds.ts";

export const neighbor = defineSampler({
  name: "neighbor",
  summary: "seeds in random order, for each layer up to `fanout` in-neighbours without replacement",
  source: "Hamilton et al. 2017, arXiv:1706.02216, algorithm 2; Efraimidis and Spirakis 2006 (weighted)",
  params: z.object({
    fanout: fanoutParam,
    // Optional, so that samples without them say nothing of them.
    replace: z.boolean().optional().describe("draw in-neighbours with replacement"),
    weighted: z.boolean().optional().describe("draw in-neighbours in proportion to edge weights"),
    ...seedParams,
  }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ fanout, epochs }) => ({ hops: fanout.length, epochs }),
  plan(input, { fanout, replace = false, weighted = false, ...own }) {
    const { graph, seed } = input, sampler = nativeSampler(graph);
    if (weighted && !graph.csr.values) {
      throw new GustError(
        "missing",
        `--weighted: ${graph.document.label} stores no edge weights to draw by`,
        "leave --weighted out, or import the graph with its weights",
      );
    }
    const hasArcWeights = replace || weighted;
    return {
      ...seedBatches(input, own),
      hops: fanout.length,
      hasArcWeights,
      expand({ nodes, ptr }, epoch, firstStep) {
        const key = { seed, epoch, firstStep };
        return hasArcWeights
          ? sampler.weighted(nodes, ptr, fanout, { byWeight: weighted, replace }, key)
          : sampler.neighbors(nodes, ptr, fanout, key);
      },
      estimateArcs: (count) => fanoutArcs(graph, fanout, count),
    };
  },
});
