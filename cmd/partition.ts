/** gust partition: split a graph into balanced parts with a small cut. */
import { z } from "zod";
import { Graph } from "../core/graph/graph.ts";
import { partitionDocument } from "../core/partition/document.ts";
import { partitioners } from "../core/partition/mod.ts";
import { withIo } from "./_io.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";

const self = { name: "partition", writesDocument: true } as const;

export const command = defineCommand({
  ...self,
  summary: "split a graph into balanced parts with a small cut",
  operands: "[graph]",
  options: z.object({
    k: z.int().min(1).describe("number of parts").meta({ short: "k" }),
    method: z.enum(partitioners.names as [string, ...string[]]).default("multilevel").describe("partitioner"),
    imbalance: z.number().min(1).max(100).default(1.03).describe(
      "most that a part may have over an even share",
    ),
    ...registryOptions(partitioners),
  }).strict(),
  details:
    `Directed graphs are partitioned as undirected ones; edge weights count where there are any. The cut counts each
undirected edge once; balance is the largest part over ceil(nodes / k); halo is the sum over parts of the distinct
neighbours outside; label entropy is the mean over parts, in nats.

Examples:
  gust partition cora.graph.safetensors -k 10 -o cora.k10.partition.safetensors
  gust partition cora.graph.safetensors -k 10 | gust sample --method cluster | gust train | gust eval`,
  run: (inputs, options, common) =>
    withIo(self, inputs, common, (io) => {
      const start = performance.now();
      const graph = new Graph(io.one("graph", 'make one with "gust import" or "gust generate"'));
      const partitioner = partitioners.get(options.method);
      const params = entryParams(partitioners, partitioner, options);
      const { k, method, imbalance } = options;
      const document = partitionDocument(
        graph,
        partitioner,
        { k, imbalance, seed: common.seed },
        params,
        io.provenance({ k, method, imbalance, ...params }, [graph.document]),
      );
      const { cut, cut_weight, balance, halo, label_entropy } = document.meta;
      const seconds = (performance.now() - start) / 1000;
      const digest = io.write(document);
      io.json({
        kind: "partition",
        method,
        parts: k,
        cut,
        cut_weight,
        balance,
        halo,
        label_entropy,
        seconds: Number(seconds.toFixed(4)),
        digest,
      });
      const entropy = label_entropy === null ? "" : `, label entropy ${label_entropy.toFixed(3)} nats`;
      io.say(
        `${method}: ${k} parts, cut ${cut} edges, balance ${balance.toFixed(4)}, halo ${halo}${entropy}, ${
          seconds.toFixed(2)
        } s`,
      );
    }),
});
