/**
 * shaDow-GNN's batches: each seed has a small subgraph of its own, and a batch is their disjoint union, so that a model of
 * any depth sees what is near its seed and nothing else. A node may come several times; the loss is that of the seeds.
 *
 * Source: Zeng et al. 2021, section 3 and appendix. Expectation: none is claimed of sums over neighbours; a model works on
 * the subgraphs as they are, normalised inside them, and of seeds without replacement the loss is unbiased. In a hop a node
 * draws each of its d in-neighbours with probability min(1, fanout / d), for every seed anew.
 */
import { z } from "zod";
import { nativeSampler } from "./native.ts";
import { defineSampler } from "./sampler.ts";
import { fanoutArcs, fanoutParam, pageRankParams, seedBatches, seedParams } from "./seeds.ts";

export const shadow = defineSampler({
  name: "shadow",
  summary: "for each seed the subgraph of what is around it, by drawn hops or PageRank; loss on seeds alone",
  source: "Zeng et al. 2021, arXiv:2201.07858, section 3",
  params: z.object({
    extractor: z.enum(["hops", "ppr"]).default("hops").describe(
      "what is around a seed: hops of --fanout in-neighbours, or the --topk nodes of the largest PageRank",
    ),
    fanout: fanoutParam,
    ...pageRankParams,
    ...seedParams,
  }).strict(),
  idle: ({ extractor = "hops" }) => {
    const keys = extractor === "hops" ? Object.keys(pageRankParams) : ["fanout"];
    return Object.fromEntries(keys.map((key) => [key, `with --extractor ${extractor}`]));
  },
  needsPartition: false,
  inTraining: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan(input, { extractor, fanout, topk, teleport, epsilon, ...own }) {
    const { graph, seed } = input, sampler = nativeSampler(graph);
    const extent = extractor === "hops" ? { fanout } : { topk, teleport, epsilon };
    return {
      ...seedBatches(input, own),
      hops: 0,
      seedsFirst: true,
      expand: ({ nodes, ptr }, epoch, firstStep) =>
        sampler.around(nodes, ptr, extent, true, { seed, epoch, firstStep }),
      // As many arcs as are drawn, and some more between the nodes.
      estimateArcs: (count) => count * 2 * (extractor === "hops" ? fanoutArcs(graph, fanout, 1) : 1 + topk),
    };
  },
});
