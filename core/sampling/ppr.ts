/**
 * Batches of influence: seeds and the nodes of their largest personalised PageRank, with all arcs between them; the loss is
 * that of the seeds. Seeds of a batch share what is around them, which one subgraph has once.
 *
 * Source: Gasteiger et al. 2022, section 3 (node-wise auxiliary nodes); scores by Andersen, Chung and Lang 2006, section 3
 * (cu/host/sample_pagerank.h). Expectation: none is claimed of sums over neighbours; the nodes that are left out are those
 * of the smallest influence on the seeds, and which they are is not drawn. Of seeds without replacement the loss is unbiased.
 */
import { z } from "zod";
import { nativeSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { pageRankParams, seedBatches, seedParams } from "./seeds.ts";

export const ppr = defineSampler({
  name: "ppr",
  summary: "the subgraph of seeds and the nodes of their largest personalised PageRank; loss on seeds alone",
  source:
    "Gasteiger et al. 2022, arXiv:2212.09083, section 3; Andersen, Chung and Lang 2006, FOCS, section 3",
  params: z.object({ ...pageRankParams, ...seedParams }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan(input, { topk, teleport, epsilon, ...own }) {
    const { graph, seed } = input, sampler = nativeSampler(graph);
    const degree = graph.numEdges / Math.max(1, graph.numNodes);
    return {
      ...seedBatches(input, own),
      hops: 0,
      seedsFirst: true,
      expand: ({ nodes, ptr }, epoch, firstStep) =>
        sampler.around(nodes, ptr, { topk, teleport, epsilon }, false, { seed, epoch, firstStep }),
      estimateArcs: (count) => Math.min(graph.numEdges, count * (1 + topk) * Math.min(degree, 8)),
    };
  },
});
