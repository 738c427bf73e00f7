import { z } from "zod";
import { countSelfLoops } from "../../ffi/native_csr.ts";
import { holdOutLinks } from "../../ffi/native_split.ts";
import { GustError } from "../errors.ts";
import { checkArcs } from "../graph/arcs.ts";
import { Graph } from "../graph/graph.ts";
import { defineSplitter, plural, refuseTyped, share, sizeOf } from "./splitter.ts";

/**
 * Edges for link prediction. Both arcs of an undirected edge leave the graph together, and so do parallel arcs, which
 * would give the held-out one away; self-loops stay.
 */
export const links = defineSplitter({
  name: "links",
  summary: "edges held out of the graph as validation and test pairs, for link prediction",
  source: "Kipf and Welling 2016, arXiv:1611.07308, section 3 (5 % validation, 10 % test)",
  params: z.object({
    val: share.default(0.05).describe("validation part: a fraction below 1, or how many"),
    test: share.default(0.1).describe("test part, in the same way"),
  }).strict(),
  split({ document, over, seed }, params) {
    refuseTyped(document);
    if (over !== "auto" && over !== "edges") {
      throw new GustError("usage", `--over ${over}: --method links splits edges`);
    }
    const graph = new Graph(document), { label } = document;
    checkArcs(graph);
    const undirected = !graph.meta.directed;
    const arcs = graph.numEdges - countSelfLoops(graph.csr);
    const edges = undirected ? arcs / 2 : arcs;
    const val = sizeOf(params.val, "val", edges, "edges", label);
    const test = sizeOf(params.test, "test", edges, "edges", label);
    if (val + test >= edges) {
      throw new GustError(
        "data",
        `Too few edges in ${label}: ${val} + ${test} are to be held out of ${plural(edges, "edges")}` +
          `${
            arcs < graph.numEdges ? " between different nodes" : ""
          }, expected at least one left to train on`,
        "lower --val or --test",
      );
    }
    return {
      of: "edges",
      graph,
      ...holdOutLinks(graph.csr, graph.nodeIds(), { undirected, seed, val, test }),
    };
  },
});
