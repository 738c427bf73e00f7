/** gust cache: compute or pack features ahead of training. */
import { z } from "zod";
import { layouts } from "../core/cache/mod.ts";
import { Packer } from "../core/cache/packed.ts";
import { propagatedDocument, type PropagatedParams } from "../core/cache/propagated.ts";
import { GustError } from "../core/errors.ts";
import type { Document } from "../core/format/document.ts";
import { mergeChunks } from "../core/format/chunks.ts";
import { Graph } from "../core/graph/graph.ts";
import { memoryUse } from "../ffi/native.ts";
import { throughFile } from "../core/sampling/sample.ts";
import { type Io, withIo } from "./_io.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";

const options = z.object({
  pack: z.boolean().default(false).describe("copy feature rows into the batch order of a sample"),
  ...registryOptions(layouts),
}).strict();

const self = { name: "cache", writesDocument: true, usesDevice: true } as const;
const makeGraph = 'make one with "gust import" or "gust generate"';

/** A^K X as a document. */
function propagate(io: Io, params: PropagatedParams): void {
  const start = performance.now();
  const graphDocument = io.one("graph", makeGraph);
  const { hops, norm, featNorm, splitIndex } = params;
  const made = {
    layout: "propagated",
    hops,
    norm,
    featNorm,
    ...(featNorm === "standard" ? { splitIndex } : {}),
  };
  const document = propagatedDocument(new Graph(graphDocument), params, io.provenance(made, [graphDocument]));
  const computed = (performance.now() - start) / 1000;
  const digest = io.write(document);
  const seconds = (performance.now() - start) / 1000;
  const { num_nodes: nodes, num_features: features } = document.meta as {
    num_nodes: number;
    num_features: number;
  };
  const bytes = 4 * nodes * features;
  io.json({
    layout: "propagated",
    hops,
    norm,
    feat_norm: featNorm,
    nodes,
    features,
    bytes,
    seconds: Number(seconds.toFixed(4)),
    peak_memory_bytes: memoryUse().residentPeak,
    digest,
  });
  io.say(
    `propagated: ${hops} hops over ${nodes} nodes x ${features} features, ${
      (bytes / 2 ** 20).toFixed(1)
    } MiB ` +
      `in ${seconds.toFixed(2)} s (${computed.toFixed(2)} s to compute)`,
  );
}

/** The chunks of a sample as the one document that gust sample -o writes: a file has one cache for all of it. */
function whole(samples: readonly Document[]): Document {
  return samples.length === 1 ? samples[0]! : throughFile(mergeChunks(samples));
}

/** Feature rows behind each sample: on a pipe chunk by chunk as they pass. */
function pack(io: Io): void {
  const start = performance.now();
  const waiting: Document[] = [];
  let packer: Packer | null = null, graph: Document | null = null;
  let digest: string | null = null, documents = 0;
  const write = (sample: Document) => {
    digest = io.write(packer!.pack(sample, io.provenance({ layout: "packed" }, [graph!, sample])));
    documents++;
    // What came down the pipe has been handed on: a long stream is not kept.
    if (io.toPipe && sample.path === null) sample.close();
  };
  for (let d = io.next(); d; d = io.next()) {
    if (d.kind === "graph" && !graph) {
      graph = d;
      packer = new Packer(new Graph(d));
    } else if (d.kind === "sample") waiting.push(d);
    if (packer && io.toPipe) { while (waiting.length > 0) write(waiting.shift()!); }
  }
  io.one("graph", makeGraph);
  if (documents === 0 && waiting.length === 0) io.one("sample", "gust sample GRAPH | gust cache --pack");
  if (!io.toPipe) write(whole(waiting));
  io.passOn();
  const seconds = (performance.now() - start) / 1000;
  const { batches, rows, distinct, sizeBytes } = packer!.counts;
  io.json({
    layout: "packed",
    batches,
    rows,
    distinct,
    hits: rows - distinct,
    bytes: sizeBytes,
    documents,
    seconds: Number(seconds.toFixed(4)),
    digest: documents === 1 ? digest : null,
  });
  io.say(
    `packed: ${batches} batches, ${rows} rows of ${distinct} nodes (${rows - distinct} repeated), ` +
      `${(sizeBytes / 2 ** 20).toFixed(1)} MiB in ${seconds.toFixed(2)} s (${
        (sizeBytes / seconds / 2 ** 30).toFixed(2)
      } GiB/s)`,
  );
}

export const command = defineCommand({
  ...self,
  summary: "compute or pack features ahead of training",
  operands: "[input...]",
  options,
  details:
    `With --hops K: norm(A)^K X for models that read features only (sgc, mlp). The norm gives every node a self-loop of
weight 1, replacing one that is there: sym is D^-1/2 (A+I) D^-1/2, row is D^-1 (A+I). Degrees are in-degrees (of weights
where there are some). --feat-norm comes first.

With --pack: the feature rows of a sample's batches in batch order, dense or sparse as the graph has them. On a pipe
each chunk of the sample is packed as it passes. Training gives the same results with and without.

Examples:
  gust cache cora.graph.safetensors --hops 2 | gust train --model sgc
  gust sample cora.graph.safetensors --fanout 10,10 | gust cache --pack | gust train --model gcn`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, (io) => {
      const layout = layouts.get(o.pack ? "packed" : "propagated");
      if (!o.pack && (o as Record<string, unknown>)["hops"] === undefined) {
        throw new GustError("usage", "What to cache: nothing given, expected --hops K or --pack");
      }
      const params = entryParams(layouts, layout, o);
      if (o.pack) {
        pack(io);
      } else propagate(io, params as PropagatedParams);
    }),
});
