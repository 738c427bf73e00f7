/** Options that the streaming partitioners share. */
import { z } from "zod";

export const streamParams = {
  passes: z.int().min(1).max(1000).default(1).describe(
    "times that the nodes are streamed; later passes know the parts of the one before",
  ),
  streamOrder: z.enum(["natural", "random"]).default("natural").describe("order in which nodes come"),
};
