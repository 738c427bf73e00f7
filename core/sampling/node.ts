/**
 * Node batches: the subgraph of nodes drawn uniformly, without replacement. Source: Zeng et al. 2020, section 3.4, whose
 * estimates saint-node has.
 *
 * Expectation: every node is in one batch of an epoch; links that leave the batch are left out, without a weight that stands
 * for them, so that sums over neighbours are a share of the graph's, of about batch / nodes.
 */
import { z } from "zod";
import { shuffle } from "../../ffi/native_sample.ts";
import { nativeSampler } from "./native.ts";
import { batchPointer, defineSampler, iota } from "./sampler.ts";

export const node = defineSampler({
  name: "node",
  summary: "the subgraph of uniformly drawn nodes; each node once per epoch",
  source:
    "Zeng et al. 2020, arXiv:1907.04931, section 3.4, with uniform probabilities and without replacement",
  params: z.object({
    batchSize: z.int().min(1).default(1024).describe("nodes per batch; the last batch may be short"),
    epochs: z.int().min(1).default(1).describe("passes over the nodes, each in its own order"),
  }).strict(),
  needsPartition: false,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan({ graph, seed }, { batchSize, epochs }) {
    const sampler = nativeSampler(graph);
    const nodes = iota(graph.numNodes);
    const ptr = batchPointer(graph.numNodes, batchSize);
    const degree = graph.numEdges / Math.max(1, graph.numNodes);
    return {
      epochs,
      hops: 0,
      seeds(epoch) {
        shuffle(nodes, graph.numNodes, graph.nodeIds(), { seed, epoch });
        return { nodes, ptr };
      },
      expand: (seeds) => sampler.induced(seeds.nodes, seeds.ptr),
      // An arc stays if its other end is in the batch too.
      estimateArcs: (count) => count * Math.max(1, degree * Math.min(1, count / Math.max(1, graph.numNodes))),
    };
  },
});
