/** Neighbour sampling: batches of seeds, and for each layer a bounded number of in-neighbours. */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { nativeSampler } from "./native.ts";
import { batchPointer, defineSampler, iota } from "./sampler.ts";

function seedNodes(graph: Graph, split: "train" | "val" | "test" | "all", index: number): NativeArray<"I64"> {
  if (split === "all") return iota(graph.numNodes);
  const nodes = graph.split(split, index);
  if (!nodes) {
    throw new GustError(
      "missing",
      `${graph.document.label} stores no split.${split} to take seeds from`,
      "sample all nodes with --split all",
    );
  }
  if (nodes.length === 0) {
    throw new GustError(
      "data",
      `split.${split} of ${graph.document.label} holds no nodes`,
      "sample all nodes with --split all",
    );
  }
  return NativeArray.from<"I64">(nodes);
}

export const neighbor = defineSampler({
  name: "neighbor",
  summary: "seeds in random order, for each layer up to `fanout` in-neighbours without replacement",
  source: "Hamilton et al. 2017, arXiv:1706.02216, algorithm 2",
  params: z.object({
    fanout: z.array(z.int().min(-1).max(65536)).min(1).max(64).default([15, 10]).describe(
      "in-neighbours per layer, last layer first; -1 = all",
    ),
    batchSize: z.int().min(1).default(1024).describe(
      "seeds (neighbor) or nodes (node) per batch; the last batch may be short",
    ),
    epochs: z.int().min(1).default(1).describe("passes over the seeds, each in its own order"),
    split: z.enum(["train", "val", "test", "all"]).default("train").describe("which nodes are seeds"),
    splitIndex: z.int().min(0).default(0).describe("which of several stored splits"),
  }).strict(),
  needsPartition: false,
  shape: ({ fanout, epochs }) => ({ hops: fanout.length, epochs }),
  plan({ graph, seed }, { fanout, batchSize, epochs, split, splitIndex }) {
    const sampler = nativeSampler(graph);
    const nodes = seedNodes(graph, split, splitIndex);
    const ptr = batchPointer(nodes.length, batchSize);
    const degree = graph.numEdges / Math.max(1, graph.numNodes);
    return {
      epochs,
      hops: fanout.length,
      seeds(epoch) {
        shuffle(nodes, graph.numNodes, graph.nodeIds(), { seed, epoch });
        return { nodes, ptr };
      },
      expand: (seeds, epoch, firstStep) =>
        sampler.neighbors(seeds.nodes, seeds.ptr, fanout, { seed, epoch, firstStep }),
      estimateArcs(count) {
        let reached = count, arcs = 0;
        for (const f of fanout) {
          const found = reached * (f < 0 ? degree : f);
          arcs += found;
          reached = Math.min(reached + found, graph.numNodes);
        }
        return Math.min(arcs, graph.numEdges * fanout.length);
      },
    };
  },
});
