/**
 * Neighbour sampling: batches of seeds, and for each layer a bounded number of in-neighbours. Source: Hamilton et al.
 * 2017, algorithm 2.
 *
 * With `temporal` every arc, in whichever hop, has a time strictly below that of the seed it is reached from (its node_time, or
 * `before`), and is one of the latest of a row, or uniform; seeds with the same time share what they reach, others do not, so
 * that a node may come several times. Source: Rossi et al. 2020, section 3.1. With `typeFanout` kinds of arcs are drawn each
 * by itself. Source: Schlichtkrull et al. 2018, section 2.
 *
 * Expectation: uniform draws make means of a row unbiased, and sums that count each of the k drawn arcs d / k times. With
 * `weighted` or `replace` arcs have weights: inverse inclusion probabilities given the key of the first arc left out, or
 * m / (k p) of an arc that k draws of probability p gave m times; sums and means are exactly unbiased. With `typeFanout`
 * arcs of a kind weigh d / k of that kind, so that they are as well. With `temporal` means are over what was drawn: of uniform
 * draws unbiased for the mean over all arcs of before the time, and of the latest arcs no estimate of it.
 */
import { z } from "zod";
import type { ArcTimes, NativeSampler } from "../../ffi/native_sample.ts";
import { NativeError } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { arcTimes, fanoutsByType } from "./kinds.ts";
import { nativeSampler } from "./native.ts";
import { type BatchPlan, defineSampler, type SampleInput } from "./sampler.ts";
import { fanoutArcs, fanoutParam, seedBatches, type SeedParams, seedParams } from "./seeds.ts";

/** The plan where kinds or times of arcs matter. */
function planByKind(
  input: SampleInput,
  sampler: NativeSampler,
  { fanout, temporal, before, typeFanout }: {
    readonly fanout: readonly number[];
    readonly temporal: "recent" | "uniform" | undefined;
    readonly before: number | undefined;
    readonly typeFanout: string | undefined;
  },
  own: SeedParams,
): BatchPlan {
  const { graph, seed } = input, batches = seedBatches(input, own);
  const kinds = typeFanout === undefined
    ? { fanout: [fanout], types: null }
    : fanoutsByType(graph, typeFanout, fanout);
  const timesOf = temporal === undefined ? null : arcTimes(graph, before), recent = temporal === "recent";
  let times: ArcTimes | null = null;
  const total = (h: number) =>
    kinds.fanout.some((counts) => counts[h]! < 0) ? -1 : kinds.fanout.reduce((sum, k) => sum + k[h]!, 0);
  const most = fanout.map((_, h) => total(h));
  return {
    ...batches,
    seeds(epoch) {
      const seeds = batches.seeds(epoch);
      times = timesOf && timesOf(seeds.nodes);
      return seeds;
    },
    hops: fanout.length,
    hasArcWeights: temporal === undefined,
    expand: ({ nodes, ptr }, epoch, firstStep) =>
      sampler.byKind(nodes, ptr, kinds.fanout, { types: kinds.types, times, recent }, {
        seed,
        epoch,
        firstStep,
      }),
    estimateArcs: (count) => fanoutArcs(graph, most, count),
  };
}

export const neighbor = defineSampler({
  name: "neighbor",
  summary: "seeds in random order, for each layer up to `fanout` in-neighbours without replacement",
  source:
    "Hamilton et al. 2017, arXiv:1706.02216, algorithm 2; Efraimidis and Spirakis 2006 (weighted); Rossi et al. 2020, arXiv:2006.10637, section 3.1 (temporal)",
  params: z.object({
    fanout: fanoutParam,
    // Optional, so that samples without them say nothing of them.
    replace: z.boolean().optional().describe("draw in-neighbours with replacement"),
    weighted: z.boolean().optional().describe("draw in-neighbours in proportion to edge weights"),
    temporal: z.enum(["recent", "uniform"]).optional().describe(
      "draw among arcs with times before the seed's alone: the latest, or uniformly",
    ),
    before: z.number().optional().describe(
      "the time of all seeds, for --temporal; by default each node's own",
    ).meta({ value: "T" }),
    typeFanout: z.string().optional().describe(
      "in-neighbours per layer by types of arcs; other types take --fanout",
    ).meta({ value: "TYPE=LIST:..." }),
    ...seedParams,
  }).strict(),
  needsPartition: false,
  inTraining: true,
  shape: ({ fanout, epochs }) => ({ hops: fanout.length, epochs }),
  plan(input, { fanout, replace = false, weighted = false, temporal, before, typeFanout, ...own }) {
    const { graph, seed } = input, sampler = nativeSampler(graph);
    if (weighted && !graph.csr.values) {
      throw new GustError(
        "missing",
        `--weighted: ${graph.document.label} stores no edge weights to draw by`,
        "leave --weighted out, or import the graph with its weights",
      );
    }
    if (before !== undefined && temporal === undefined) {
      throw new GustError(
        "usage",
        "--before is the time of seeds, expected --temporal recent or uniform with it",
      );
    }
    if (temporal !== undefined || typeFanout !== undefined) {
      const given = temporal !== undefined ? "--temporal" : "--type-fanout";
      if (replace || weighted) {
        throw new GustError(
          "usage",
          `${given} draws uniformly without replacement, expected no --replace or --weighted`,
        );
      }
      return planByKind(input, sampler, { fanout, temporal, before, typeFanout }, own);
    }
    const hasArcWeights = replace || weighted;
    return {
      ...seedBatches(input, own),
      hops: fanout.length,
      hasArcWeights,
      expand({ nodes, ptr }, epoch, firstStep) {
        const key = { seed, epoch, firstStep };
        if (!hasArcWeights) return sampler.neighbors(nodes, ptr, fanout, key);
        try {
          return sampler.weighted(nodes, ptr, fanout, { byWeight: weighted, replace }, key);
        } catch (error) {
          if (!(error instanceof NativeError && error.code === "invalid")) throw error;
          const { label } = graph.document;
          throw new GustError("data", `Cannot sample ${label}: ${error.message}`, "leave --weighted out");
        }
      },
      estimateArcs: (count) => fanoutArcs(graph, fanout, count),
    };
  },
});
