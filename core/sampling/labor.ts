/**
 * Layer-neighbour sampling: as many in-neighbours as neighbour sampling draws in expectation, but all destinations share
 * one random number per source, and so most of their sources. Source: Balin and Catalyurek 2023, sections 3.2 and 3.3.
 *
 * Expectation: with inverse inclusion probabilities as arc weights row sums are unbiased for the graph's; they are scaled
 * to the row's number of arcs (Hajek), as in the paper, which makes means the weighted means of what was drawn: unbiased
 * but for O(1 / fanout), of about the variance that neighbour sampling has, exact where the neighbours agree, and 0 in rows
 * of which nothing was drawn.
 */
import { z } from "zod";
import { nativeSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { fanoutArcs, fanoutParam, seedBatches, seedParams } from "./seeds.ts";

export const labor = defineSampler({
  name: "labor",
  summary: "about `fanout` in-neighbours per layer, by one random number per source that destinations share",
  source: "Balin and Catalyurek 2023, arXiv:2210.13339, sections 3.2 and 3.3",
  params: z.object({
    fanout: fanoutParam,
    importance: z.int().min(0).max(100).default(0).describe(
      "iterations that favour sources of several destinations: fewer nodes at the same variance",
    ),
    dependent: z.boolean().default(false).describe("the same random numbers in every layer: fewer nodes"),
    ...seedParams,
  }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ fanout, epochs }) => ({ hops: fanout.length, epochs }),
  plan(input, { fanout, importance, dependent, ...own }) {
    const { graph, seed } = input, sampler = nativeSampler(graph);
    return {
      ...seedBatches(input, own),
      hops: fanout.length,
      hasArcWeights: true,
      expand: ({ nodes, ptr }, epoch, firstStep) =>
        sampler.labor(nodes, ptr, fanout, { importance, dependent }, { seed, epoch, firstStep }),
      estimateArcs: (count) => fanoutArcs(graph, fanout, count),
    };
  },
});
