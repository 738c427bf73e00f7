/** Batches of seeds: nodes of a split in a random order of each epoch, a number of them at a time. */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { type BatchPlan, batchPointer, iota, type SampleInput } from "./sampler.ts";

/** Which nodes are seeds, and how many make a batch. */
export const seedParams = {
  batchSize: z.int().min(1).default(1024).describe(
    "seeds or nodes per batch; the last batch may be short",
  ),
  epochs: z.int().min(1).default(1).describe("passes over the seeds, each in its own order"),
  split: z.enum(["train", "val", "test", "all"]).default("train").describe("which nodes are seeds"),
  splitIndex: z.int().min(0).default(0).describe("which of several stored splits"),
};

/** Numbers of in-neighbours, one per layer. */
export const fanoutParam = z.array(z.int().min(-1).max(65536)).min(1).max(64).default([15, 10]).describe(
  "in-neighbours per layer, last layer first, or per hop of subgraphs; -1 = all",
);

/** Which nodes are near a seed: by approximate personalised PageRank (cu/host/sample_pagerank.h). */
export const pageRankParams = {
  topk: z.int().min(0).max(1 << 20).default(32).describe(
    "nodes around each seed, those of the largest personalised PageRank",
  ),
  teleport: z.number().min(0.001).max(1).default(0.25).describe(
    "probability alpha that the walk of the PageRank ends in a step",
  ),
  epsilon: z.number().min(1e-9).max(1).default(1e-4).describe(
    "error of the PageRank of a node per in-neighbour of it",
  ),
};

/** Numbers of nodes, one per layer. */
export const layerSizeParam = z.array(z.int().min(-1)).min(1).max(64).default([512, 512]).describe(
  "nodes drawn per layer, last layer first; -1 = all",
);

export type SeedParams = z.infer<z.ZodObject<typeof seedParams>>;

function seedNodes(graph: Graph, split: SeedParams["split"], index: number): NativeArray<"I64"> {
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

/** The seeds of every epoch. */
export function seedBatches(
  { graph, seed, trainNodes }: SampleInput,
  { batchSize, epochs, split, splitIndex }: SeedParams,
): Pick<BatchPlan, "epochs" | "seeds"> {
  const nodes = trainNodes ? NativeArray.from<"I64">(trainNodes) : seedNodes(graph, split, splitIndex);
  const ptr = batchPointer(nodes.length, batchSize);
  return {
    epochs,
    seeds(epoch) {
      shuffle(nodes, graph.numNodes, graph.nodeIds(), { seed, epoch });
      return { nodes, ptr };
    },
  };
}

/** Arcs of a batch of `count` seeds whose rows have up to `fanout[h]` arcs in hop h, roughly. */
export function fanoutArcs({ numEdges, numNodes }: Graph, fanout: readonly number[], count: number): number {
  const degree = numEdges / Math.max(1, numNodes);
  let reached = count, arcs = 0;
  for (const f of fanout) {
    const found = reached * (f < 0 ? degree : f);
    arcs += found;
    reached = Math.min(reached + found, numNodes);
  }
  return Math.min(arcs, numEdges * fanout.length);
}

/** The same where hop h draws `sizes[h]` nodes for all its rows together. */
export function layerArcs({ numEdges, numNodes }: Graph, sizes: readonly number[], count: number): number {
  let reached = count, arcs = 0;
  for (const size of sizes) {
    const share = size < 0 ? 1 : Math.min(1, size / Math.max(1, numNodes));
    // Arcs into the rows, as far as they come from drawn nodes: these lead to more of the rows than others do.
    arcs += Math.min(reached * numEdges / Math.max(1, numNodes) * Math.min(1, 4 * share), numEdges);
    reached = Math.min(reached + (size < 0 ? arcs : size), numNodes);
  }
  return arcs;
}
