import { defineSchedule, floorParams } from "./schedule.ts";

export const linear = defineSchedule({
  name: "linear",
  summary: "a straight line from the learning rate down to a share of it",
  source: "gust",
  params: floorParams,
  factor: (progress, _epochs, { lrFloor }) => 1 - (1 - lrFloor) * progress,
});
