/** Learning rate schedules by name. */
import { registry } from "../registry.ts";
import { constant } from "./constant.ts";
import { cosine } from "./cosine.ts";
import { linear } from "./linear.ts";
import type { ScheduleEntry } from "./schedule.ts";
import { step } from "./step.ts";

export const schedules = registry<ScheduleEntry>("schedule", [constant, cosine, linear, step]);

/** What decides the learning rate. */
export interface ScheduleChoice {
  readonly lr: number;
  readonly schedule: ScheduleEntry;
  readonly params: Record<string, unknown>;
  readonly warmup: number;
  readonly epochs: number;
}

/**
 * The learning rate in epoch `epoch` (from 0; fractions are steps inside it): it rises evenly over the warm-up epochs,
 * then the schedule runs over the rest.
 * Source of the warm-up: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
 */
export function learningRate(
  { lr, schedule, params, warmup, epochs }: ScheduleChoice,
  epoch: number,
): number {
  if (epoch < warmup) return lr * (epoch + 1) / (warmup + 1);
  const rest = Math.max(1, epochs - warmup);
  return lr * schedule.factor((epoch - warmup) / rest, rest, params);
}
