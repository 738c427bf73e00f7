import { z } from "zod";
import { power } from "../arithmetic.ts";
import { defineSchedule } from "./schedule.ts";

export const step = defineSchedule({
  name: "step",
  summary: "times GAMMA after every N epochs",
  source: "gust",
  params: z.object({
    stepEpochs: z.int().min(1).default(50).describe("epochs between two drops of the learning rate"),
    gamma: z.number().positive().max(1).default(0.5).describe("factor of a drop"),
  }).strict(),
  // Counted in whole epochs: half a unit keeps progress * epochs, which may fall short by rounding, on its side.
  factor: (progress, epochs, { stepEpochs, gamma }) =>
    power(gamma, Math.floor((progress * epochs + 1e-6) / stepEpochs)),
});
