/**
 * Layer-independent importance sampling: each layer draws a number of nodes of the whole graph, by the squared norms of
 * the columns of D^-1/2 A D^-1/2. Drawn nodes without an arc to the layer above are left out, as they add nothing, and
 * nodes of the layer above stay: their self-connections are exact. Source: Chen et al. 2018, section 3.2.
 *
 * Expectation: t draws with replacement of probability q(u); a node drawn m times has arc weight m / (t q(u)), and row
 * sums are exactly unbiased, of a variance that grows with the graph: many rows have none of the drawn nodes.
 */
import { z } from "zod";
import { weighingSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { layerArcs, layerSizeParam, seedBatches, seedParams } from "./seeds.ts";

export const fastgcn = defineSampler({
  name: "fastgcn",
  summary: "`layerSize` nodes of the graph per layer, by their importance for all nodes, with replacement",
  source: "Chen, Ma and Xiao 2018, arXiv:1801.10247, section 3.2",
  params: z.object({ layerSize: layerSizeParam, ...seedParams }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ layerSize, epochs }) => ({ hops: layerSize.length, epochs }),
  plan(input, { layerSize, ...own }) {
    const { graph, seed } = input, sampler = weighingSampler(graph);
    return {
      ...seedBatches(input, own),
      hops: layerSize.length,
      hasArcWeights: true,
      expand: ({ nodes, ptr }, epoch, firstStep) =>
        sampler.layers(nodes, ptr, layerSize, { wholeGraph: true, normalize: false }, {
          seed,
          epoch,
          firstStep,
        }),
      estimateArcs: (count) => layerArcs(graph, layerSize, count),
    };
  },
});
