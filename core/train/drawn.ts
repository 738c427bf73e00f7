/** Batches of a sampler that are drawn as training goes. */
import type { Document } from "../format/document.ts";
import type { Graph } from "../graph/graph.ts";
import { type SamplerChoice, samplers } from "../sampling/mod.ts";
import { chunkDocuments } from "../sampling/sample.ts";
import { SampleFeed } from "./sampled.ts";

/** What a run draws its batches from. */
export interface DrawnFrom {
  readonly graph: Graph;
  /** Of samplers that need one, where the graph is not stored part by part. */
  readonly partition: Document | null;
  readonly seed: number;
  readonly epochs: number;
  readonly splitIndex: number;
  /** The training nodes, which samplers of hops begin with. */
  train(): BigInt64Array;
}

/** Batches of the sampler for the epochs of a run; null: it is a batch source by itself. */
export function drawnFeed({ name, params }: SamplerChoice, from: DrawnFrom): SampleFeed | null {
  const sampler = samplers.get(name), { shape } = sampler.params!;
  if (sampler.isAdaptive) return null;
  const { graph, partition, seed, epochs, splitIndex } = from;
  const own = Object.entries({ ...params, epochs, splitIndex }).filter(([key]) => key in shape);
  const request = {
    graph,
    partition,
    seed,
    sampler,
    params: Object.fromEntries(own),
    provenance: [],
    ...(params["inductive"] === true || "split" in shape ? { trainNodes: from.train() } : {}),
  };
  return SampleFeed.draw(() => chunkDocuments(request, { reuse: true }), name);
}
