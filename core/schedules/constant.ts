import { z } from "zod";
import { defineSchedule } from "./schedule.ts";

export const constant = defineSchedule({
  name: "constant",
  summary: "the same learning rate throughout",
  source: "gust",
  params: z.object({}).strict(),
  factor: () => 1,
});
