/** gust sample: draw mini-batches from a graph. */
import { z } from "zod";
import type { NewDocument } from "../core/format/document.ts";
import { hashOf } from "../core/format/hash.ts";
import { Graph } from "../core/graph/graph.ts";
import { samplers } from "../core/sampling/mod.ts";
import { noCounts, sampleChunks, sampleDocument, type SampleRequest } from "../core/sampling/sample.ts";
import { withIo } from "./_io.ts";
import { defineCommand, entryParams, filesNamed, registryOptions } from "./_options.ts";

const options = z.object({
  method: z.enum(samplers.names as [string, ...string[]]).default("neighbor").describe(
    "how batches are drawn",
  ),
  offline: z.boolean().default(false).describe(
    "one document, on a pipe too, that says how often batches have each node: what gust cache packs by",
  ),
  ...registryOptions(samplers),
}).strict();

/** Read where they are asked for: readers are more than the rest of this command. */
async function scoresOf(path: string, numNodes: number): Promise<Float64Array> {
  return (await import("../core/readers/scores.ts")).readScores(path, numNodes);
}

/** Fewer training nodes than this see too little variety in batches that never change. */
const MANY_NODES = 100_000;

const self = { name: "sample", writesDocument: true, usesDevice: true } as const;

export const command = defineCommand({
  ...self,
  summary: "draw mini-batches from a graph",
  operands: "[input...]",
  options,
  details:
    `Inputs: a graph, and for --method cluster a partition of it (gust partition), which a graph in part order needs not. On a pipe they are passed on, and
batches follow as chunk documents while they are being drawn; -o FILE holds all of them. Random decisions depend on
--seed and on original node ids, not on threads or the order of nodes.

With --offline --epochs K: K independent passes in one document, which training goes through again and again, and how
often their batches have each node.

Methods:
${[...samplers].map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join("\n")}

Examples:
  gust sample cora.graph.safetensors --fanout 10,10 --batch-size 64 -o cora.sample.safetensors
  gust partition cora.graph.safetensors -k 32 | gust sample --method cluster --parts-per-batch 4 | gust train`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, async (io) => {
      const start = performance.now();
      const sampler = samplers.get(o.method);
      const params = entryParams(samplers, sampler, o);
      io.alsoRead.push(...filesNamed(sampler, params));
      const graphDocument = io.one("graph", 'make one with "gust import" or "gust generate"');
      const graph = new Graph(graphDocument);
      const partition = !sampler.needsPartition
        ? null
        : graph.partPointer()
        ? io.maybe("partition")
        : io.one("partition", "gust partition GRAPH -k 32 | gust sample --method cluster");
      const from = partition ? [graphDocument, partition] : [graphDocument];
      const { scores: path, ...own } = params;
      const scores = path === undefined ? undefined : await scoresOf(path as string, graph.numNodes);
      const recorded = scores ? { ...own, scores: hashOf([scores]) } : own;
      const request: SampleRequest = {
        graph,
        partition,
        sampler,
        params,
        ...(scores ? { scores } : {}),
        seed: common.seed,
        provenance: io.provenance(
          { method: sampler.name, ...recorded, ...(o.offline ? { offline: true } : {}) },
          from,
        ),
      };
      const counts = noCounts();
      let digest: string | null = null;
      if (io.toPipe && !o.offline) {
        for (const chunk of sampleChunks(request, counts, { reuse: true })) {
          digest = io.write(chunk);
          if (io.showsProgress) io.say(`${counts.batches} batches, ${counts.arcs} arcs`);
        }
        if (counts.chunks > 1) digest = null;
      } else {
        const document: NewDocument = sampleDocument(request, counts, { withPopularity: o.offline });
        digest = io.write(document);
      }
      const seconds = (performance.now() - start) / 1000;
      const { batches, nodes, arcs, sizeBytes, chunks } = counts;
      const training = o.offline
        ? graph.split("train", (params["splitIndex"] as number | undefined) ?? 0)
        : null;
      io.json({
        method: sampler.name,
        ...sampler.shape(params),
        ...(training ? { training_nodes: training.length } : {}),
        batches,
        nodes,
        edges: arcs,
        bytes: sizeBytes,
        chunks: io.toPipe && !o.offline ? chunks : 1,
        seconds: Number(seconds.toFixed(4)),
        edges_per_second: Math.round(arcs / seconds),
        digest,
      });
      const { epochs } = sampler.shape(params);
      if (training && epochs === 1 && training.length < MANY_NODES) {
        io.warn(
          `${training.length} training nodes and 1 epoch of batches: training meets the same neighbours in every pass, ` +
            `and with fewer than ${MANY_NODES} labels fits these: --epochs K keeps K passes`,
        );
      } else if (training) io.say(`${training.length} training nodes, ${epochs} epochs of batches`);
      io.say(
        `${sampler.name}: ${batches} batches, ${nodes} nodes, ${arcs} edges, ${
          (sizeBytes / 2 ** 20).toFixed(1)
        } MiB ` +
          `in ${seconds.toFixed(2)} s (${(arcs / seconds / 1e6).toFixed(1)} million edges/s)`,
      );
    }),
});
