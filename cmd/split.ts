/** gust split: write a graph with another split. */
import { z } from "zod";
import { splitDocument } from "../core/splits/document.ts";
import { splitters } from "../core/splits/mod.ts";
import { overs } from "../core/splits/splitter.ts";
import { withIo } from "./_io.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";

const self = { name: "split", writesDocument: true } as const;
const width = Math.max(...splitters.names.map((name) => name.length));

export const command = defineCommand({
  ...self,
  summary: "choose what trains, validates and tests",
  operands: "[graph]",
  options: z.object({
    method: z.enum(splitters.names as [string, ...string[]]).default("random").describe("how to split"),
    over: z.enum(overs).default("auto").describe(
      "what to split; auto: graphs where each has a label or a target, else nodes; links: edges",
    ),
    ...registryOptions(splitters),
  }).strict(),
  details: `Methods:
${[...splitters].map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n")}

Writes the graph again, with the new split in the place of the old one: masks split.* of nodes or fold.* of graphs,
a row per split (train --split-index R takes row R), or a graph without the edges that it holds out and link.val and
link.test with their (source, target) pairs. Draws follow the original ids, so that the order of the nodes does not
matter; nodes without a class belong to no part. --method per-class draws as train --split random does.

Examples:
  gust split cora.graph.safetensors --train 0.6 --val 0.2 --splits 10 -o cora.random.graph.safetensors
  gust split mutag.graph.safetensors --method k-fold --folds 10 -o mutag.folds.graph.safetensors
  gust import cora.npz | gust split --method links | gust inspect`,
  run: (inputs, options, common) =>
    withIo(self, inputs, common, (io) => {
      // The graph ends here: the one that is written takes its place.
      io.consumes = (d) => d.kind === "graph";
      const graph = io.one("graph", 'make one with "gust import" or "gust generate"');
      const { method, over } = options;
      const splitter = splitters.get(method);
      const params = entryParams(splitters, splitter, options);
      const parts = splitter.split({ document: graph, over, seed: common.seed }, params);
      const provenance = io.provenance({ method, of: parts.of, ...params }, [graph]);
      const { document, counts } = splitDocument(graph, parts, provenance);
      const digest = io.write(document);
      io.json({ kind: "graph", method, of: parts.of, splits: counts.length, counts, digest });
      const { train, val, test } = counts[0]!;
      const several = counts.length > 1 ? `${counts.length} splits, the first: ` : "";
      io.say(`${method}: ${several}${train} train, ${val} val, ${test} test ${parts.of}`);
    }),
});
