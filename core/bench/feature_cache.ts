/**
 * Feature caches on the batches of a sampler: what each policy finds of the rows that batches ask for, beside the best
 * cache of the same size and the best rows that never change. Rows are counted, not read: the graph needs no features.
 */
import { z } from "zod";
import { CacheBound } from "../feature_cache/bound.ts";
import { eachOnce } from "../feature_cache/distinct.ts";
import { cachePolicies } from "../feature_cache/mod.ts";
import type { CachePolicy } from "../feature_cache/policy.ts";
import { arcsFrom } from "../graph/hot_rows.ts";
import { samplers, trainSamplers } from "../sampling/mod.ts";
import { chunkDocuments } from "../sampling/sample.ts";
import { SampleFeed } from "../train/sampled.ts";
import { type BenchResult, defineBenchmark, resultOf, uniformShape } from "./benchmark.ts";
import { statsOf } from "./measure.ts";
import { batchSize, fanout } from "./sample.ts";

/** What a policy found. Its time is what it costs per epoch to look rows up and to change what is held. */
export interface CacheResult {
  readonly policy: string;
  readonly sampler: string;
  /** Rows that there is room for, and their share of all. */
  readonly rows: number;
  readonly room: number;
  /** Rows that batches asked for, each once per batch. */
  readonly reads: number;
  readonly hit_ratio: number;
  readonly belady: number;
  readonly best_static: number;
}

/** A policy with room for some rows, and what it found. */
class Watched {
  hits = 0;
  /** Of all epochs. */
  ms = 0;

  constructor(readonly name: string, readonly capacity: number, private readonly policy: CachePolicy) {}

  add(nodes: Parameters<NonNullable<CachePolicy["seen"]>>[0]): void {
    const start = performance.now();
    const places = this.policy.place.window();
    for (const v of nodes.read()) if (places[Number(v)]! >= 0) this.hits++;
    this.policy.seen?.(nodes);
    this.ms += performance.now() - start;
  }
}

export const featureCache = defineBenchmark({
  name: "feature-cache",
  summary: "hit ratios of feature caches on the batches of a sampler, against the best cache of their size",
  source: "Belady 1966, doi:10.1147/sj.52.0078",
  params: z.object({
    method: z.enum(trainSamplers.names as [string, ...string[]]).default("neighbor").describe(
      "what draws the batches; of what is not an option here, with the sampler's defaults",
    ),
    fanout,
    batchSize,
    epochs: z.int().min(3).max(100000).default(5).describe("epochs of batches"),
    room: z.array(z.number().min(0).max(1)).min(1).default([0.01, 0.05, 0.1, 0.2]).describe(
      "rows that the cache has room for, as shares of all",
    ),
    nodes: uniformShape.nodes,
  }).strict(),
  // Degrees follow a power law.
  generated: ({ nodes }) => ({
    model: "sbm",
    params: { nodes, degree: 20, skew: 3, features: 1, trainPerClass: 2000 },
  }),
  run({ graph: open, partition, seed }, { method, fanout, batchSize, epochs, room }) {
    const { graph, label } = open(), sampler = samplers.get(method), { numNodes } = graph;
    const split = graph.numSplits > 0 ? "train" : "all";
    const asked = Object.entries({ fanout, batchSize, epochs, split });
    const known = asked.filter(([key]) => key in sampler.params!.shape);
    const params = sampler.params!.parse(Object.fromEntries(known)) as Record<string, unknown>;
    const request = { graph, partition: partition?.() ?? null, seed, sampler, params, provenance: [] };
    const feed = SampleFeed.draw(() => chunkDocuments(request, { reuse: true }), method);
    const capacities = room.map((share) => Math.round(share * numNodes));
    const bound = new CacheBound(numNodes, capacities), arcs = () => arcsFrom(graph);
    const batches = (epoch: number) => eachOnce(feed.nodes(epoch), numNodes);
    const watched = capacities.flatMap((most) =>
      [...cachePolicies].map((entry) => {
        const own = entry.params!.parse({}) as Record<string, unknown>;
        return new Watched(entry.name, most, entry.create({ numNodes, arcs, most, batches }, own));
      })
    );
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const nodes of batches(epoch)) {
        bound.add(nodes);
        for (const policy of watched) policy.add(nodes);
      }
    }
    const { reads, best, bestStatic } = bound;
    const of = (hits: number) => reads === 0 ? 0 : hits / reads;
    return watched.map(({ name, capacity, hits, ms }): BenchResult => {
      const at = capacities.indexOf(capacity);
      return {
        ...resultOf({ name: `cache_${name}`, graph: label, dtype: null, stats: statsOf([ms / epochs]) }),
        cache: {
          policy: name,
          sampler: method,
          rows: capacity,
          room: numNodes === 0 ? 0 : capacity / numNodes,
          reads,
          hit_ratio: of(hits),
          belady: of(best[at]!),
          best_static: of(bestStatic[at]!),
        },
        notes: [`${reads} rows of ${epochs} epochs of ${method}, ${split} nodes`],
      };
    });
  },
});
