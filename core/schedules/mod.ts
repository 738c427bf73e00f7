/** Learning rate schedules by name. */
import { z } from "zod";
import { registry } from "../registry.ts";
import { defineSchedule, type ScheduleEntry } from "./schedule.ts";

const none = z.object({}).strict();

const constant = defineSchedule({
  name: "constant",
  summary: "the same learning rate throughout",
  source: "gust",
  params: none,
  factor: () => 1,
});

const cosine = defineSchedule({
  name: "cosine",
  summary: "half a cosine from the learning rate down to a share of it",
  source: "Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5 without restarts",
  params: z.object({
    lrFloor: z.number().min(0).max(1).default(0).describe(
      "share of the learning rate that is left at the end",
    ),
  }).strict(),
  factor: (progress, _epochs, { lrFloor }) =>
    lrFloor + (1 - lrFloor) * (1 + Math.cos(Math.PI * progress)) / 2,
});

const linear = defineSchedule({
  name: "linear",
  summary: "a straight line from the learning rate down to a share of it",
  source: "gust",
  params: z.object({
    lrFloor: z.number().min(0).max(1).default(0).describe(
      "share of the learning rate that is left at the end",
    ),
  }).strict(),
  factor: (progress, _epochs, { lrFloor }) => 1 - (1 - lrFloor) * progress,
});

const step = defineSchedule({
  name: "step",
  summary: "times GAMMA after every N epochs",
  source: "gust",
  params: z.object({
    stepEpochs: z.int().min(1).default(50).describe("epochs between two drops of the learning rate"),
    gamma: z.number().positive().max(1).default(0.5).describe("factor of a drop"),
  }).strict(),
  // Counted in whole epochs: half a unit keeps progress * epochs, which may fall short by rounding, on its side.
  factor: (progress, epochs, { stepEpochs, gamma }) =>
    gamma ** Math.floor((progress * epochs + 1e-6) / stepEpochs),
});

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
