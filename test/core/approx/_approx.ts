/** For tests of approximations: sources whose gradients are approximated. */
import type { Approximation } from "../../../core/approx/approximation.ts";
import { approximations } from "../../../core/approx/mod.ts";
import { approximatedSource } from "../../../core/approx/source.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import type { BatchSource } from "../../../core/train/source.ts";
import { type Setting, type StepResult, steps } from "../train/_train.ts";

/** Epochs before the first approximated one. */
export const WARMUP = 5;

export function rscOn(
  { engine, layers }: Setting,
  graph: Graph,
  source: BatchSource,
  options: Record<string, unknown> = {},
  epochs = 100,
): { source: BatchSource; approximation: Approximation } {
  const numNodes = source.isStatic ? graph.numNodes : null, rsc = approximations.get("rsc");
  const params = rsc.params!.parse(options) as Record<string, unknown>;
  const approximation = rsc.create({ engine, seed: 1, epochs, layers, numNodes }, params);
  return { source: approximatedSource(source, approximation), approximation };
}

/** The steps of the epoch after a warm-up on the same weights. */
export function sampledSteps(setting: Setting, source: BatchSource): StepResult[] {
  for (let epoch = 0; epoch < WARMUP; epoch++) steps(setting, source, { epoch });
  return steps(setting, source, { epoch: WARMUP });
}

export const cosine = (a: readonly number[], b: readonly number[]) => {
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
