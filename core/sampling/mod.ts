/** Samplers: how batches are drawn. */
import { z } from "zod";
import { registry } from "../registry.ts";
import { cluster } from "./cluster.ts";
import { fastgcn } from "./fastgcn.ts";
import { full } from "./full.ts";
import { labor } from "./labor.ts";
import { ladies } from "./ladies.ts";
import { mvs } from "./mvs.ts";
import { neighbor } from "./neighbor.ts";
import { node } from "./node.ts";
import { pinsage } from "./pinsage.ts";
import { ppr } from "./ppr.ts";
import { saintEdge } from "./saint_edge.ts";
import { saintNode } from "./saint_node.ts";
import { saintWalk } from "./saint_walk.ts";
import { shadow } from "./shadow.ts";
import { vrgcn } from "./vrgcn.ts";

export const samplers = registry("sampler", [
  full,
  neighbor,
  labor,
  ladies,
  fastgcn,
  pinsage,
  cluster,
  node,
  saintNode,
  saintEdge,
  saintWalk,
  mvs,
  shadow,
  ppr,
  vrgcn,
]);

/** Options of samplers that training has of its own. */
const ofTraining = ["epochs", "split", "splitIndex"];

/** Samplers that draw batches as training goes, without the options that training sets. */
export const trainSamplers = registry(
  "sampler",
  [...samplers].filter(({ inTraining }) => inTraining).map((sampler) => {
    if (sampler.trainParams) return { ...sampler, params: sampler.trainParams };
    const own = Object.entries(sampler.params!.shape).filter(([key]) => !ofTraining.includes(key));
    return { ...sampler, params: z.object(Object.fromEntries(own)).strict() };
  }),
);

/** A sampler of these, by name, with its options. */
export interface SamplerChoice {
  readonly name: string;
  readonly params: Record<string, unknown>;
}
