/**
 * Control variates of historical activations: few in-neighbours are drawn for how much their rows have changed since they
 * were computed last, and the rows as they were then count for all in-neighbours. In training alone: the rows come from it
 * (core/train/vrgcn.ts).
 *
 * Source: Chen, Zhu and Song 2018, arXiv:1710.10568, section 4.2. Expectation: each layer's sum is unbiased for that over
 * all in-neighbours of the rows that its input has, whatever rows are kept; its variance goes with the square of their
 * change, and is 0 once they do not change.
 */
import { GustError } from "../errors.ts";
import { z } from "zod";
import type { SamplerEntry } from "./sampler.ts";
import { fanoutParam, seedParams } from "./seeds.ts";

export const vrgcnParams = z.object({
  fanout: fanoutParam.unwrap().default([2, 2]).describe(
    "in-neighbours drawn per layer, last layer first; -1 = all, which a layer that reads features takes in any case",
  ),
  batchSize: seedParams.batchSize,
}).strict();
export type VrgcnParams = z.infer<typeof vrgcnParams>;

export const vrgcn: SamplerEntry = {
  name: "vrgcn",
  summary:
    "training nodes in random order, few in-neighbours per layer, and kept rows for the others (in training)",
  source: "Chen, Zhu and Song 2018, arXiv:1710.10568, section 4.2",
  params: vrgcnParams,
  needsPartition: false,
  inTraining: true,
  isAdaptive: true,
  onlyInTraining: true,
  shape: () => ({ hops: 0, epochs: 1 }),
  parts() {
    throw new GustError(
      "usage",
      "--method vrgcn: its batches read rows of hidden layers from earlier steps, which training alone has",
      "gust train --sampler vrgcn",
    );
  },
};
