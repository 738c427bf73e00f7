/**
 * Cluster batches: the subgraph of q parts of a partition, with the links between them. Source: Chiang et al. 2019,
 * algorithm 1.
 *
 * Expectation: every node is in one batch of an epoch, so that the mean loss is that of all nodes; links to other parts are
 * left out, and sums over neighbours are no estimates of the graph's but those of a graph without the links.
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { GustError } from "../errors.ts";
import { requireNodeParts } from "../partition/edges.ts";
import { nativeSampler } from "./native.ts";
import { defineSampler, type EpochSeeds, iota, putRange, type SampleInput } from "./sampler.ts";

/** Nodes per window. */
const PIECE = 2 ** 24;

interface Parts {
  /** What holds them, for messages. */
  readonly label: string;
  /** Part p holds order[ptr[p] .. ptr[p+1]); without an order, the nodes of these numbers. */
  readonly ptr: readonly number[];
  readonly order: NativeArray<"I64"> | null;
}

/** The parts of a partition, or of a graph whose nodes are stored part by part. */
function partsOf({ graph, partition }: SampleInput): Parts {
  if (partition) requireNodeParts(partition);
  const pointer = partition ? partition.tensor("part_ptr", "I64") : graph.partPointer();
  if (!pointer) {
    throw new GustError(
      "missing",
      'Sampler "cluster" has no partition, expected one, or a graph in part order',
      "gust partition GRAPH -k 32, or gust partition GRAPH -k 32 --apply",
    );
  }
  const { label } = partition ?? graph.document, { numNodes } = graph;
  const ptr = pointer.toNumbers();
  if (ptr[0] !== 0 || ptr.at(-1) !== numNodes || ptr.some((at, p) => p > 0 && at < ptr[p - 1]!)) {
    throw new GustError(
      "data",
      `Cannot read ${label}: tensor "part_ptr" does not rise from 0 to ${numNodes}`,
    );
  }
  return { label, ptr, order: partition && partition.tensor("order", "I64") };
}

/**
 * The nodes of the parts in `sequence`, q parts to a batch. Groups without nodes make no batch.
 * @param isKept  1 for the nodes that take part; null: all.
 */
function collect(
  { ptr: starts, order }: Parts,
  numNodes: number,
  sequence: readonly number[],
  q: number,
  isKept: Uint8Array | null,
): EpochSeeds {
  const nodes = NativeArray.allocate("I64", numNodes, false);
  const ptr = [0];
  let at = 0;
  sequence.forEach((part, i) => {
    for (let from = starts[part]!, end = starts[part + 1]!; from < end;) {
      const count = Math.min(end - from, PIECE), to = nodes.window(at, count);
      if (order) to.set(order.window(from, count));
      else putRange(nodes.slice(at, count), from);
      from += count;
      at += isKept ? keep(to, isKept) : count;
    }
    if (((i + 1) % q === 0 || i + 1 === sequence.length) && at > ptr.at(-1)!) ptr.push(at);
  });
  return { nodes, ptr };
}

/** Move the kept nodes to the front. @returns how many they are. */
function keep(nodes: BigInt64Array, isKept: Uint8Array): number {
  let count = 0;
  for (const v of nodes) if (isKept[Number(v)]) nodes[count++] = v;
  return count;
}

/** Which nodes are training nodes. @throws {GustError} (missing) where nobody says it. */
function trainMask({ graph, trainNodes }: SampleInput, index: number): Uint8Array {
  const nodes = trainNodes ?? graph.split("train", index);
  if (!nodes) {
    throw new GustError(
      "missing",
      `--inductive: ${graph.document.label} stores no split.train, expected one`,
      "gust split draws one",
    );
  }
  const mask = new Uint8Array(graph.numNodes);
  for (const v of nodes) mask[Number(v)] = 1;
  return mask;
}

/** How clusters become batches: what `gust sample` and `gust train` share. */
export const clusterParams = z.object({
  partsPerBatch: z.int().min(1).default(1).describe("parts per batch"),
  batchOrder: z.enum(["shuffle", "fixed"]).default("shuffle").describe(
    "parts in an order of each epoch's own, so that other parts meet, or as they are numbered",
  ),
  inductive: z.boolean().default(false).describe(
    "training nodes and the links between them alone, as if there were no others",
  ),
});

export const cluster = defineSampler({
  name: "cluster",
  summary: "the subgraph of q parts of a partition with the links between them; each part once per epoch",
  source: "Chiang et al. 2019, arXiv:1905.07953, algorithm 1",
  params: clusterParams.extend({
    epochs: z.int().min(1).default(1).describe("passes over the parts, each in its own order"),
    splitIndex: z.int().min(0).default(0).describe("which of several stored splits"),
  }).strict(),
  idle: ({ inductive }) => inductive ? {} : { splitIndex: "without --inductive" },
  needsPartition: true,
  inTraining: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan(input, { partsPerBatch, batchOrder, inductive, epochs, splitIndex }) {
    const { graph, seed } = input, parts = partsOf(input);
    const sampler = nativeSampler(graph);
    const k = parts.ptr.length - 1;
    if (partsPerBatch > k) {
      throw new GustError(
        "usage",
        `--parts-per-batch ${partsPerBatch}: ${parts.label} has ${k} parts, expected at most ${k}`,
      );
    }
    const isKept = inductive ? trainMask(input, splitIndex) : null;
    const degree = graph.numEdges / Math.max(1, graph.numNodes);
    return {
      epochs,
      hops: 0,
      seeds(epoch) {
        const order = iota(k);
        if (batchOrder === "shuffle") shuffle(order, k, null, { seed, epoch });
        return collect(parts, graph.numNodes, order.toNumbers(), partsPerBatch, isKept);
      },
      expand: ({ nodes, ptr }) => sampler.induced(nodes, ptr),
      estimateArcs: (count) => count * degree,
    };
  },
});
