/**
 * Layer-dependent importance sampling: each layer draws a number of nodes for all nodes of the layer above together, out
 * of their in-neighbours, by the squared norms of the columns of D^-1/2 A D^-1/2 restricted to their rows. Nodes of the
 * layer above stay: their self-connections are exact. Source: Zou et al. 2019, algorithm 1.
 *
 * Expectation: nodes are drawn without replacement, as in the reference; arc weights are inverse inclusion probabilities
 * given the key of the first node left out, and row sums are exactly unbiased (--no-normalize). Rows are then scaled to the
 * weight of all their arcs, as in the paper: biased by O(1 / size), at a lower variance, exact where neighbours agree,
 * and 0 in rows of which nothing was drawn.
 */
import { z } from "zod";
import { weighingSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { layerArcs, layerSizeParam, seedBatches, seedParams } from "./seeds.ts";

export const ladies = defineSampler({
  name: "ladies",
  summary: "`layerSize` in-neighbours of all nodes of a layer together, by their importance for these",
  source:
    "Zou et al. 2019, arXiv:1911.07323, algorithm 1; weights: Duffield et al. 2007, J. ACM 54(6), section 2",
  params: z.object({
    layerSize: layerSizeParam,
    normalize: z.boolean().default(true).describe(
      "do not scale the drawn arcs of a row to the weight of all its arcs",
    ),
    ...seedParams,
  }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ layerSize, epochs }) => ({ hops: layerSize.length, epochs }),
  plan(input, { layerSize, normalize, ...own }) {
    const { graph, seed } = input, sampler = weighingSampler(graph);
    return {
      ...seedBatches(input, own),
      hops: layerSize.length,
      hasArcWeights: true,
      expand: ({ nodes, ptr }, epoch, firstStep) =>
        sampler.layers(nodes, ptr, layerSize, { wholeGraph: false, normalize }, { seed, epoch, firstStep }),
      estimateArcs: (count) => layerArcs(graph, layerSize, count),
    };
  },
});
