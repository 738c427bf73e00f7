import { cosPi } from "../arithmetic.ts";
import { defineSchedule, floorParams } from "./schedule.ts";

export const cosine = defineSchedule({
  name: "cosine",
  summary: "half a cosine from the learning rate down to a share of it",
  source: "Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5 without restarts",
  params: floorParams,
  factor: (progress, _epochs, { lrFloor }) => lrFloor + (1 - lrFloor) * (1 + cosPi(progress)) / 2,
});
