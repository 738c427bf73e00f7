import { z } from "zod";
import { GraphGenerator } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import { defineGenerator, directed, edgeCount, nodeCount, randomShape } from "./generator.ts";

/** Exactly as many edges as asked for, all distinct. */
export const erdosRenyi = defineGenerator({
  name: "erdos-renyi",
  summary: "uniform random graph with a given number of distinct edges, G(n, m)",
  source: "Erdos and Renyi 1959",
  params: z.object({
    nodes: nodeCount.default(20000).describe("nodes"),
    edges: edgeCount.default(40000).describe("edges"),
    ...randomShape,
    directed,
  }).strict(),
  open({ nodes, edges, classes, directed }, seed) {
    const most = BigInt(nodes) * BigInt(Math.max(0, nodes - 1)) / (directed ? 1n : 2n);
    if (BigInt(edges) > most) {
      throw new GustError(
        "usage",
        `--edges: ${edges}, expected at most ${most} distinct pairs with --nodes ${nodes}`,
      );
    }
    return GraphGenerator.erdosRenyi({ seed, nodes, edges, classes, directed });
  },
});
