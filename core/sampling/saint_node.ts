/**
 * GraphSAINT's node sampler: m nodes with replacement, node u with probability p_u in proportion to the squared length of
 * column u of the normalised adjacency with self-loops, (D + I)^-1 (A + I), which is the sum of 1 / (d_v + 1)^2 over u and
 * the rows v that have an arc from it; or in proportion to max(1, d_u), which draws more of the hubs and so more arcs; the
 * subgraph of these nodes. D counts arcs. The self-loop gives nodes that nobody has an arc from a probability.
 *
 * Source: Zeng et al. 2020, arXiv:1907.04931, section 3.4 and algorithm 2; degrees: the authors' code. Expectation: P(v) = 1 - (1 - p_v)^m and
 * P(u and v) = 1 - (1 - p_u)^m - (1 - p_v)^m + (1 - p_u - p_v)^m, of which the weights are made in closed form.
 */
import { z } from "zod";
import { saintParams, saintPlan } from "./saint.ts";
import { defineSampler } from "./sampler.ts";

export const drawnBy = z.enum(["columns", "degrees"]).default("columns").describe(
  "what a node is drawn in proportion to: the squared length of its column, or its in-degree",
);

export const saintNode = defineSampler({
  name: "saint-node",
  summary:
    "the subgraph of nodes drawn by the weight of their columns or by degree, with weights that make it unbiased",
  source: "Zeng et al. 2020, arXiv:1907.04931, algorithm 2, node sampler",
  params: z.object({
    nodesPerBatch: z.int().min(1).max(2 ** 28).default(1024).describe(
      "nodes that are drawn for a batch, with replacement",
    ),
    drawnBy,
    ...saintParams.shape,
  }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan: (input, params) =>
    saintPlan("saint-node", input, {
      draws: params.nodesPerBatch,
      length: 0,
      roots: params.drawnBy,
      coverage: 0,
    }, params),
});
