/** gust cache: compute or pack features, or choose operators, ahead of training. */
import { unlinkSync } from "node:fs";
import { z } from "zod";
import type { OperatorsMeta } from "../core/approx/operators.ts";
import { layouts } from "../core/cache/mod.ts";
import { measuredOperators, type OperatorsParams } from "../core/cache/operators.ts";
import { storedBytes } from "../core/cache/encode.ts";
import { askedTiers, type PackedParams, Packer, tierKeys } from "../core/cache/packed.ts";
import { propagatedDocument, type PropagatedMeta, type PropagatedParams } from "../core/cache/propagated.ts";
import { tieredDocument, type TieredMeta, type TieredOptions, tierFacts } from "../core/cache/tiered.ts";
import { GustError } from "../core/errors.ts";
import type { Document } from "../core/format/document.ts";
import { mergeChunks } from "../core/format/chunks.ts";
import { asNew } from "../core/format/write.ts";
import { Graph } from "../core/graph/graph.ts";
import { memoryUse } from "../ffi/native.ts";
import { throughFile } from "../core/sampling/sample.ts";
import { type Io, withIo } from "./_io.ts";
import { defineCommand, entryParams, kebab, registryOptions } from "./_options.ts";

const options = z.object({
  layout: z.enum(layouts.names as [string, ...string[]]).optional().describe(
    "what to make; the options of one choose it too",
  ),
  pack: z.boolean().default(false).describe(
    "copy feature rows into the batch order of a sample: --layout packed",
  ),
  ...registryOptions(layouts),
}).strict();

const self = { name: "cache", writesDocument: true, usesDevice: true } as const;
const makeGraph = 'make one with "gust import" or "gust generate"';

/** A^K X as a document. */
function propagate(io: Io, params: PropagatedParams): void {
  const start = performance.now();
  const graphDocument = io.one("graph", makeGraph);
  const { hops, norm, featNorm, splitIndex, allHops, alpha, dtype, checkpoint } = params;
  const made = {
    layout: "propagated",
    hops,
    norm,
    featNorm,
    ...(featNorm === "standard" ? { splitIndex } : {}),
    ...(allHops ? { allHops } : {}),
    ...(alpha > 0 ? { alpha } : {}),
    ...(dtype === "f32" ? {} : { dtype }),
  };
  let resumed: number | null = null;
  const document = propagatedDocument(
    new Graph(graphDocument),
    params,
    io.provenance(made, [graphDocument]),
    (done) => resumed ??= done,
  );
  const computed = (performance.now() - start) / 1000;
  const digest = io.write(document);
  if (checkpoint !== undefined) unlinkSync(checkpoint);
  const seconds = (performance.now() - start) / 1000;
  const { num_nodes: nodes, num_features: features, scale_of, error } = document
    .meta as unknown as PropagatedMeta;
  const bytes = storedBytes(dtype) * nodes * features;
  io.json({
    layout: "propagated",
    hops,
    norm,
    feat_norm: featNorm,
    nodes,
    features,
    dtype,
    ...(allHops ? { all_hops: true } : {}),
    ...(alpha > 0 ? { alpha } : {}),
    ...(scale_of ? { scale_of } : {}),
    ...(error ? { error } : {}),
    bytes,
    ...(checkpoint === undefined ? {} : { resumed_columns: resumed }),
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
  if (error) {
    io.say(
      `${dtype}${scale_of ? ` with a scale per ${scale_of}` : ""}: largest error ${
        error.max.toPrecision(3)
      }, ` +
        `relative root mean square ${error.rms.toPrecision(3)}`,
    );
  }
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

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Feature rows in tiers: these follow from the whole sample, whose chunks become one document on a pipe. */
function packTiers(io: Io, asked: Omit<TieredOptions, "seed">): void {
  const start = performance.now();
  const graphDocument = io.one("graph", makeGraph), samples = io.read.filter((d) => d.kind === "sample");
  if (samples.length === 0) io.one("sample", "gust sample --offline GRAPH | gust cache --layout packed");
  const sample = whole(samples);
  if (samples.length > 1 && io.toPipe) {
    io.consumes = (d) => d.kind === "sample";
    io.write(asNew(sample));
  }
  const { hostBytes, gpuBytes, blowup } = asked;
  const made = { layout: "packed", hostBytes, gpuBytes, blowup };
  const provenance = io.provenance(made, [graphDocument, sample]);
  const options = { ...asked, seed: io.common.seed };
  const { digest, tiers } = tieredDocument(
    new Graph(graphDocument),
    sample,
    options,
    provenance,
    (document) => ({
      digest: io.write(document),
      tiers: (document.meta as unknown as TieredMeta).tiers,
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const facts = tierFacts(tiers);
  io.json({
    layout: "packed",
    ...tiers,
    ...facts,
    seconds: Number(seconds.toFixed(4)),
    peak_memory_bytes: memoryUse().residentPeak,
    digest,
  });
  const { uses: { gpu, host, shared, packed } } = tiers,
    percent = (part: number) => `${(100 * part / Math.max(1, gpu + host + shared + packed)).toFixed(1)} %`;
  io.say(
    `packed in tiers: of all rows ${percent(gpu + host)} in memory, ${percent(shared)} shared, ${
      percent(packed)
    } packed, ` +
      `${mib(facts.disk_bytes)} on disk, ${mib(facts.read_bytes)} to read, in ${seconds.toFixed(2)} s`,
  );
}

/** What the backward products of a model multiply by. */
function choose(io: Io, params: OperatorsParams): void {
  const start = performance.now();
  const graph = io.one("graph", makeGraph),
    model = io.one("model", "gust train GRAPH | gust cache --operator rsc");
  const provenance = io.provenance({ layout: "operators", ...params }, [graph, model]);
  measuredOperators(new Graph(graph), model, params, io.common.seed, provenance, (document) => {
    const { budget, layers } = document.meta as unknown as OperatorsMeta;
    const digest = io.write(document);
    const seconds = (performance.now() - start) / 1000;
    io.json({
      layout: "operators",
      operator: params.operator,
      budget,
      layers,
      seconds: Number(seconds.toFixed(4)),
      digest,
    });
    const rows = layers.map((layer, l) => layer ? `layer ${l} ${layer.rows} rows` : null).filter((x) => x);
    io.say(
      `operators: ${rows.join(", ")}, ${(100 * budget).toFixed(1)} % of the multiply-adds, in ${
        seconds.toFixed(2)
      } s`,
    );
  });
}

export const command = defineCommand({
  ...self,
  summary: "compute or pack features, or choose operators, ahead of training",
  operands: "[input...]",
  options,
  details:
    `With --hops K: norm(A)^K X for models that read features only (sgc, mlp). The norm gives every node a self-loop of
weight 1, replacing one that is there: sym is D^-1/2 (A+I) D^-1/2, row is D^-1 (A+I). Degrees are in-degrees (of weights
where there are some). --feat-norm comes first. --all-hops keeps every power for mlp (SIGN). --dtype bf16 and int8 store
them in fewer bytes, and say the error against float32. With --checkpoint a run that was ended, even by kill -9, goes on
where it was, to the same bytes.

With --pack: the feature rows of a sample's batches in batch order, dense or sparse as the graph has them. On a pipe
each chunk of the sample is packed as it passes. Training gives the same results with and without.

With --host-mem, --gpu-mem or --disk-blowup: the same in tiers, for features that do not fit memory.
Rows that batches have most often stay in memory; the others lie on disk so that a batch reads whole pages of rows that it
needs, some of them shared by the batches of a segment as --disk-blowup allows. Dense features alone; the features are
read once in order, --memory of them at a time. gust train reads such a document ahead, with the same results.

With --operator rsc: the matrices that the backward products of a model would multiply by. One exact step of its best
weights on the whole graph, with the loss, split and dropout that it was trained with, gives the scores; --budget is
shared out and rows are chosen as in training. gust train --approx rsc begins with such a document. Memory as an epoch
of training.

Examples:
  gust cache cora.graph.safetensors --hops 2 | gust train --model sgc
  gust sample cora.graph.safetensors --fanout 10,10 | gust cache --pack | gust train --model gcn
  gust cache big.graph big.sample --layout packed --host-mem 3G --disk-blowup 5 -o big.cache
  gust train cora.graph.safetensors | gust cache --operator rsc --budget 0.1 | gust inspect`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, (io) => {
      const given = o as Record<string, unknown>, isOperator = given["operator"] !== undefined;
      const packs = o.pack ? "pack" : tierKeys.find((key) => given[key] !== undefined);
      if (packs && isOperator) {
        throw new GustError(
          "usage",
          `--${kebab(packs)} and --operator make two documents, expected one of them`,
        );
      }
      const asked = packs ? "packed" : isOperator ? "operators" : o.layout ?? "propagated";
      if (o.layout !== undefined && o.layout !== asked) {
        throw new GustError(
          "usage",
          `--layout ${o.layout}: --${kebab(packs ?? "operator")} makes ${asked}`,
        );
      }
      const layout = layouts.get(asked);
      if (layout.name === "propagated" && given["hops"] === undefined) {
        throw new GustError(
          "usage",
          "What to cache: nothing given, expected --hops K, --pack, --host-mem SIZE or --operator NAME",
        );
      }
      const params = entryParams(layouts, layout, o);
      if (layout.name === "packed") {
        const tiers = askedTiers(params as PackedParams);
        if (!tiers && given["memory"] !== undefined) {
          throw new GustError(
            "usage",
            "--memory applies to propagated features and to tiers (--host-mem SIZE)",
          );
        }
        if (tiers) packTiers(io, tiers);
        else pack(io);
      } else if (layout.name === "operators") choose(io, params as OperatorsParams);
      else propagate(io, params as PropagatedParams);
    }),
});
