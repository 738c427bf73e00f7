import { z } from "zod";
import { GraphGenerator } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import { defineGenerator, directed, edgeCount, nodeCount, randomShape } from "./generator.ts";

/** Node r * cols + c at row r and column c of a torus; duplicates, which the model draws, are left out and counted. */
export const smallWorld = defineGenerator({
  name: "small-world",
  summary: "nodes on a torus with edges to others near them, and some to anywhere",
  source: "Watts and Strogatz 1998, on a square lattice, with binomial degrees",
  params: z.object({
    rows: nodeCount.default(100).describe("rows"),
    cols: nodeCount.default(100).describe("columns"),
    degree: z.number().min(0).max(2 ** 20).default(4).describe("mean degree"),
    reach: z.int().min(1).max(2 ** 20).default(1).describe(
      "rows and columns that a near edge goes over at most",
    ),
    rewired: z.number().min(0).max(1).default(0.05).describe("share of edges that lead anywhere"),
    ...randomShape,
    directed,
  }).strict(),
  open({ rows, cols, degree, reach, rewired, classes, directed }, seed) {
    const nodes = rows * cols, edges = Math.round(nodes * degree / (directed ? 1 : 2));
    if (nodes > 2 ** 31) {
      throw new GustError("usage", `--rows ${rows} --cols ${cols}: expected at most 2^31 nodes`);
    }
    if (2 * reach >= Math.min(rows, cols)) {
      throw new GustError(
        "usage",
        `--reach ${reach}: on ${rows} x ${cols} nodes it leads around the torus, expected --rows and --cols of ${
          2 * reach + 1
        } at least`,
      );
    }
    if (!edgeCount.safeParse(edges).success) {
      throw new GustError("usage", `${edges} edges, expected at most 2^40 - 1`);
    }
    return GraphGenerator.smallWorld({ seed, rows, cols, edges, reach, rewired, classes, directed });
  },
});
