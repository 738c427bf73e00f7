/** Mini-batches. */
import type { Document } from "../format/document.ts";
import type { Graph } from "../graph/graph.ts";
import { GustError } from "../errors.ts";
import { SampleBatches, type SampledBatch } from "../sampling/batches.ts";
import { samplers } from "../sampling/mod.ts";
import { chunkDocuments } from "../sampling/sample.ts";
import type { Drawn } from "./graphs.ts";
import { entryOptions, provenanceOf } from "./options.ts";

/** Options of sample(), and the sampler's own. */
export interface SampleOptions extends Drawn {
  /** A partition of the graph, for samplers that need one. */
  readonly partition?: Document;
}

/**
 * Sample documents, chunk by chunk, as `gust sample` writes them down a pipe: what train() takes.
 *
 * @throws {GustError} (missing) without a partition where the sampler needs one, (mismatch) if it is of another graph.
 */
export function* sampleDocuments(
  graph: Graph,
  method: string,
  options: SampleOptions = {},
): Generator<Document> {
  const { seed = 0, partition = null, ...own } = options;
  const { entry: sampler, params } = entryOptions(samplers, method, own);
  if (sampler.needsPartition && !partition && !graph.partPointer()) {
    throw new GustError(
      "missing",
      `Sampler "${method}" needs a partition of the graph`,
      "partition(graph, k)",
    );
  }
  const from = sampler.needsPartition && partition ? [graph.document, partition] : [graph.document];
  const provenance = provenanceOf("sample", { method, ...params }, seed, from);
  yield* chunkDocuments({ graph, partition, sampler, params, seed, provenance });
}

/**
 * Draw mini-batches; the options are those of `gust sample --method METHOD`. A chunk of batches is drawn when its first
 * one is asked for.
 *
 * @throws as sampleDocuments() does.
 *
 * @example
 * ```ts
 * import { generate, sample } from "./core/mod.ts";
 *
 * const graph = await generate("grid", { rows: 20, cols: 20 });
 * for (const { step, nodes, blocks } of sample(graph, "neighbor", { split: "all", batchSize: 200, fanout: [2, 2] })) {
 *   console.log(step, nodes.length >= 200, blocks.map(({ numRows }) => numRows)[0]);
 * }
 * // 0 true 200
 * // 1 true 200
 * ```
 */
export function* sample(graph: Graph, method: string, options: SampleOptions = {}): Generator<SampledBatch> {
  for (const document of sampleDocuments(graph, method, options)) yield* new SampleBatches(document);
}
