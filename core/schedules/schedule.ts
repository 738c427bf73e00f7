/** Learning rate schedules: a factor on the learning rate for every optimizer step. */
import { z } from "zod";
import type { Entry } from "../registry.ts";

export interface ScheduleEntry extends Entry {
  /** The factor where a share `progress` (0 at the first epoch, towards 1) of all `epochs` is done. */
  factor(progress: number, epochs: number, params: Record<string, unknown>): number;
}

/** Type the `params` of `factor` from the entry's schema. */
export function defineSchedule<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  factor(progress: number, epochs: number, params: z.infer<S>): number;
}): ScheduleEntry {
  return entry as unknown as ScheduleEntry;
}

/** Of schedules that fall to a share of the learning rate. */
export const floorParams = z.object({
  lrFloor: z.number().min(0).max(1).default(0).describe("share of the learning rate that is left at the end"),
}).strict();
