/** Cluster batches: the subgraph of q parts of a partition, with the links between them. */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { nativeSampler } from "./native.ts";
import { defineSampler, type EpochSeeds, iota } from "./sampler.ts";

interface Parts {
  /** Part p holds order[ptr[p] .. ptr[p+1]). */
  readonly ptr: readonly number[];
  readonly order: NativeArray<"I64">;
}

function partsOf(partition: Document, numNodes: number): Parts {
  const ptr = partition.tensor("part_ptr", "I64").toNumbers();
  if (ptr[0] !== 0 || ptr.at(-1) !== numNodes || ptr.some((at, p) => p > 0 && at < ptr[p - 1]!)) {
    throw new GustError(
      "data",
      `Cannot read ${partition.label}: tensor "part_ptr" does not rise from 0 to ${numNodes}`,
    );
  }
  return { ptr, order: partition.tensor("order", "I64") };
}

/** The nodes of the parts in `order`, q parts to a batch. Groups of empty parts make no batch. */
function collect(parts: Parts, order: readonly number[], q: number): EpochSeeds {
  const nodes = NativeArray.allocate("I64", parts.order.length, false);
  const ptr = [0];
  let at = 0;
  order.forEach((part, i) => {
    for (let from = parts.ptr[part]!; from < parts.ptr[part + 1]!;) {
      const window = parts.order.window(from, Math.min(parts.ptr[part + 1]! - from, 2 ** 24));
      nodes.window(at, window.length).set(window);
      at += window.length;
      from += window.length;
    }
    if (((i + 1) % q === 0 || i + 1 === order.length) && at > ptr.at(-1)!) ptr.push(at);
  });
  return { nodes, ptr };
}

export const cluster = defineSampler({
  name: "cluster",
  summary: "the subgraph of q parts of a partition with the links between them; each part once per epoch",
  source: "Chiang et al. 2019, arXiv:1905.07953, algorithm 1",
  params: z.object({
    partsPerBatch: z.int().min(1).default(1).describe("parts per batch"),
    epochs: z.int().min(1).default(1).describe("passes over the parts, each in its own order"),
  }).strict(),
  needsPartition: true,
  shape: ({ epochs }) => ({ hops: 0, epochs }),
  plan({ graph, partition, seed }, { partsPerBatch, epochs }) {
    if (!partition) {
      throw new GustError(
        "missing",
        'Sampler "cluster" has no partition, expected one',
        "gust partition GRAPH -k 32",
      );
    }
    const sampler = nativeSampler(graph);
    const parts = partsOf(partition, graph.numNodes);
    const k = parts.ptr.length - 1;
    if (partsPerBatch > k) {
      throw new GustError(
        "usage",
        `--parts-per-batch ${partsPerBatch}: ${partition.label} has ${k} parts, expected at most ${k}`,
      );
    }
    const degree = graph.numEdges / Math.max(1, graph.numNodes);
    return {
      epochs,
      hops: 0,
      seeds(epoch) {
        const order = iota(k);
        shuffle(order, k, null, { seed, epoch });
        return collect(parts, order.toNumbers(), partsPerBatch);
      },
      expand: ({ nodes, ptr }) => sampler.induced(nodes, ptr),
      estimateArcs: (count) => count * degree,
    };
  },
});
