/**
 * GraphSAINT's random walk sampler: r uniform roots with replacement, from each a walk of h steps to uniform in-neighbours,
 * which ends at a node without any; the subgraph of all nodes that were visited.
 *
 * Source: Zeng et al. 2020, arXiv:1907.04931, section 3.4 and algorithm 2. Expectation: the probabilities have no closed
 * form for h > 1. Of N subgraphs that are drawn ahead C_v have node v and C_uv the arc; weights are (N + 1) / (C_v + 1) and
 * (C_v + 1) / (C_uv + 1), whose expectation over the N is 1 / P(v), and P(v) / P(u and v), less a share of (1 - P)^(N + 1):
 * 2 e^-50 for a node that is in as many of them as --coverage 50 has it on average.
 */
import { z } from "zod";
import { saintParams, saintPlan } from "./saint.ts";
import { defineSampler } from "./sampler.ts";

export const saintWalk = defineSampler({
  name: "saint-walk",
  summary: "the subgraph of the nodes on random walks, with weights that make it unbiased",
  source: "Zeng et al. 2020, arXiv:1907.04931, algorithm 2, random walk sampler",
  params: z.object({
    roots: z.int().min(1).max(2 ** 28).default(256).describe("walks of a batch, each from a uniform node"),
    walkLength: z.int().min(1).max(65536).default(2).describe("steps of a walk"),
    coverage: z.number().positive().default(50).describe(
      "subgraphs per node, on average, that are drawn ahead to estimate how often nodes and arcs are in one",
    ),
    ...saintParams.shape,
  }).strict(),
  idle: ({ walkLength }) =>
    walkLength === 1 ? { coverage: "with --walk-length 1, whose probabilities are known" } : {},
  needsPartition: false,
  inTraining: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan: (input, params) =>
    saintPlan("saint-walk", input, {
      draws: params.roots,
      length: params.walkLength,
      roots: "uniform",
      coverage: params.coverage,
    }, params),
});
