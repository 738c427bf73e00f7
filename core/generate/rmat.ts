import { z } from "zod";
import { GraphGenerator } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import { defineGenerator, directed, edgeCount, randomShape } from "./generator.ts";

const quadrant = (name: string, value: number, where: string) =>
  z.number().min(0).max(1).default(value).describe(`probability of the ${where} quadrant (${name})`);

/** Heavy-tailed degrees. Duplicates and self-loops, which the model draws, are left out and counted. */
export const rmat = defineGenerator({
  name: "rmat",
  summary: "R-MAT: a heavy-tailed graph on 2^scale nodes",
  source: "Chakrabarti, Zhan and Faloutsos, SDM 2004, without noise; default probabilities of Graph500",
  params: z.object({
    scale: z.int().min(1).max(32).default(16).describe("2^scale nodes"),
    edgeFactor: z.number().min(0).max(2 ** 20).default(16).describe("edges drawn per node"),
    edges: edgeCount.optional().describe("edges (rmat: edges drawn, instead of --edge-factor)"),
    a: quadrant("a", 0.57, "upper left"),
    b: quadrant("b", 0.19, "upper right"),
    c: quadrant("c", 0.19, "lower left"),
    permute: z.boolean().default(false).describe("shuffle node ids, which otherwise tell the degree"),
    ...randomShape,
    directed,
  }).strict(),
  open(
    { scale, edgeFactor, edges = Math.round(edgeFactor * 2 ** scale), a, b, c, permute, classes, directed },
    seed,
  ) {
    if (a + b + c > 1 + 1e-12) {
      throw new GustError("usage", `--a ${a} --b ${b} --c ${c}: sum ${a + b + c}, expected at most 1`);
    }
    if (!edgeCount.safeParse(edges).success) {
      throw new GustError("usage", `${edges} edges, expected at most 2^40 - 1`);
    }
    return GraphGenerator.rmat({ seed, scale, edges, a, b, c, permute, classes, directed });
  },
});
