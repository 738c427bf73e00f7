import { z } from "zod";
import { GraphGenerator } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import { communityShape, defineGenerator, directed, edgeCount, nodeCount } from "./generator.ts";

/**
 * Communities with features, labels and a split. The defaults make a task in the manner of cora (mean degree 4, four
 * edges of five inside a class): a classifier of features alone reaches about 0.6, two layers of a GCN more than 0.9.
 */
export const sbm = defineGenerator({
  name: "sbm",
  summary: "stochastic block model: communities with features, labels and a split",
  source:
    "Holland, Laskey and Leinhardt 1983; planted partition of Condon and Karp 2001; degrees of Karrer and Newman 2011",
  params: z.object({
    nodes: nodeCount.default(20000).describe("nodes"),
    degree: z.number().min(0).max(2 ** 20).default(4).describe("mean degree"),
    homophily: z.number().min(0).max(1).default(0.8).describe("share of edges that stay in their class"),
    communities: z.int().min(1).max(2 ** 31 - 1).default(1).describe("communities in each class"),
    closeness: z.number().min(0).max(1).default(0).describe(
      "share of edges that stay in their community, out of those that stay in their class",
    ),
    skew: z.int().min(1).max(16).default(1).describe(
      "degrees of a power law of exponent 2 + 1 / (S - 1), 1 / S of the mean at least; 1 = binomial ones",
    ).meta({ value: "S" }),
    ...communityShape,
    directed,
  }).strict(),
  open({ nodes, degree, homophily, communities, closeness, skew, classes, directed }, seed) {
    const edges = Math.round(nodes * degree / (directed ? 1 : 2));
    if (classes < 1) throw new GustError("usage", "--classes: 0, expected at least one community");
    if (classes > nodes) {
      throw new GustError("usage", `--classes: ${classes}, expected at most --nodes ${nodes}`);
    }
    if (closeness > homophily) {
      throw new GustError(
        "usage",
        `--closeness: ${closeness}, expected at most the ${homophily} of --homophily, which counts those edges too`,
      );
    }
    if (nodes < 2 && edges > 0) {
      throw new GustError("usage", `--degree: ${degree}, expected 0 with --nodes ${nodes}`);
    }
    if (!edgeCount.safeParse(edges).success) {
      throw new GustError("usage", `${edges} edges, expected at most 2^40 - 1`);
    }
    return GraphGenerator.sbm({
      seed,
      nodes,
      edges,
      classes,
      homophily,
      communities,
      closeness,
      skew,
      directed,
    });
  },
});
