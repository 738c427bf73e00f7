/**
 * GraphSAINT's edge sampler: m edges with replacement, the edge of u and v with probability in proportion to
 * 1 / d_u + 1 / d_v; the subgraph of their ends. Such an edge is what a uniform node and one of its in-arcs, uniform too,
 * make: n nodes choose each edge with probability (1 / d_u + 1 / d_v) / n. A node without in-arcs is drawn alone.
 *
 * Source: Zeng et al. 2020, arXiv:1907.04931, theorem 1 and algorithm 2. Expectation: of one draw p_v = (1 + sum of 1 / d_w
 * over the rows w that have an arc from v) / n and p_uv = (1 / d_u + 1 / d_v) / n, so that P(v) = 1 - (1 - p_v)^m and
 * P(u and v) = 1 - (1 - p_u)^m - (1 - p_v)^m + (1 - p_u - p_v + p_uv)^m, of which the weights are made in closed form.
 */
import { z } from "zod";
import { saintParams, saintPlan } from "./saint.ts";
import { defineSampler } from "./sampler.ts";

export const saintEdge = defineSampler({
  name: "saint-edge",
  summary: "the subgraph of the ends of edges drawn by degrees, with weights that make it unbiased",
  source: "Zeng et al. 2020, arXiv:1907.04931, algorithm 2, edge sampler",
  params: z.object({
    edgesPerBatch: z.int().min(1).max(2 ** 28).default(512).describe(
      "edges that are drawn for a batch, with replacement",
    ),
    ...saintParams.shape,
  }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan: (input, params) =>
    saintPlan("saint-edge", input, {
      draws: params.edgesPerBatch,
      length: 1,
      roots: "uniform",
      coverage: 0,
    }, params),
});
