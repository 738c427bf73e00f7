import { z } from "zod";
import { GraphGenerator } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import { defineGenerator, nodeCount, randomShape } from "./generator.ts";

/** Node r * cols + c at row r and column c. */
export const grid = defineGenerator({
  name: "grid",
  summary: "two-dimensional grid of 4 or 8 neighbours, open or closed to a torus",
  source: "gust",
  params: z.object({
    rows: nodeCount.default(100).describe("rows"),
    cols: nodeCount.default(100).describe("columns"),
    diagonal: z.boolean().default(false).describe("8 neighbours instead of 4"),
    torus: z.boolean().default(false).describe("join opposite borders (of three nodes or more)"),
    ...randomShape,
  }).strict(),
  open({ rows, cols, diagonal, torus, classes }, seed) {
    if (rows * cols > 2 ** 40) {
      throw new GustError("usage", `--rows ${rows} --cols ${cols}: expected at most 2^40 nodes`);
    }
    return GraphGenerator.grid({ seed, rows, cols, diagonal, torus, classes });
  },
});
