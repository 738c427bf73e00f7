/** Sample documents: a stream of chunks, or one document. */
import { closeSync } from "node:fs";
import { NativeArray } from "../../ffi/native.ts";
import { seek } from "../../ffi/native_files.ts";
import { countRows, type Indices } from "../../ffi/native_rows.ts";
import { mergeChunks } from "../format/chunks.ts";
import {
  buildDocument,
  type Document,
  type NewDocument,
  piecesOf,
  type ProvenanceRecord,
} from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { readStream } from "../format/read.ts";
import { unnamedFile } from "../format/temporary.ts";
import { writeStream } from "../format/write.ts";
import type { Part, PartOptions } from "./assemble.ts";
import type { SampleMeta } from "./batches.ts";
import type { SampleInput, SamplerEntry } from "./sampler.ts";

/**
 * Chunks of a stream take at most this much (but for a batch that is larger): the next command never spools them, and
 * their memory stays near the processor.
 */
export const CHUNK_BYTES = 8 * 2 ** 20;
/** Chunks that become one document are held in memory up to this much together, then in temporary files. */
const MEMORY_BYTES = 256 * 2 ** 20;

export interface SampleRequest extends SampleInput {
  readonly sampler: SamplerEntry;
  readonly params: Record<string, unknown>;
  readonly provenance: readonly ProvenanceRecord[];
}

/** What was drawn so far. */
export interface SampleCounts {
  batches: number;
  nodes: number;
  arcs: number;
  sizeBytes: number;
  chunks: number;
}

export const noCounts = (): SampleCounts => ({ batches: 0, nodes: 0, arcs: 0, sizeBytes: 0, chunks: 0 });

function count(counts: SampleCounts, part: Part): void {
  counts.batches += part.numBatches;
  counts.nodes += part.numNodes;
  counts.arcs += part.numArcs;
  counts.sizeBytes += part.sizeBytes;
  counts.chunks++;
}

function document(
  { graph, partition, sampler, params, seed, provenance }: SampleRequest,
  part: Part,
  index: number,
): NewDocument {
  const { hops, epochs } = sampler.shape(params);
  const meta: SampleMeta & Record<string, unknown> = {
    method: sampler.name,
    graph: graph.digest,
    num_nodes: graph.numNodes,
    num_batches: part.numBatches,
    epochs,
    hops,
    params: { ...params, seed },
    ...(sampler.needsPartition && partition ? { partition: partition.digest } : {}),
    // What fits one piece is whole, in a stream as in a file: equal content, equal digest.
    ...(index === 0 && part.last ? {} : { chunk: { index, last: part.last, first_step: part.firstStep } }),
  };
  return { kind: "sample", meta, tensors: part.tensors, provenance };
}

/**
 * Sample documents in order, each made when it is asked for: chunks of at most `chunkBytes`, or the whole sample if it
 * fits one. With `reuse` (a stream that is written at once) a document is valid until the next one is asked for.
 *
 * @throws {GustError} (mismatch) if the partition was made from another graph, (missing) for a split the graph does
 * not have.
 */
export function* sampleChunks(
  request: SampleRequest,
  counts = noCounts(),
  { chunkBytes = CHUNK_BYTES, reuse = false }: Partial<PartOptions> = {},
): Generator<NewDocument> {
  const { graph, partition, sampler, params } = request;
  if (sampler.needsPartition && partition) checkMadeFrom(partition, graph.document);
  let index = 0;
  for (const part of sampler.parts(request, params, { chunkBytes, reuse })) {
    count(counts, part);
    yield document(request, part, index++);
  }
}

/** The same as documents in memory. */
export function* chunkDocuments(
  request: SampleRequest,
  options: Partial<PartOptions> = {},
): Generator<Document> {
  for (const chunk of sampleChunks(request, noCounts(), options)) yield buildDocument(chunk);
}

export interface WholeOptions {
  readonly chunkBytes?: number;
  /** Whether it says how often batches have each node: 8 bytes per node. */
  readonly withPopularity?: boolean;
}

/** The whole sample as one document: its chunks merged. Past 256 MiB they wait in unnamed files of the folder TMPDIR. */
export function sampleDocument(
  request: SampleRequest,
  counts = noCounts(),
  { chunkBytes = MEMORY_BYTES, withPopularity = false }: WholeOptions = {},
): NewDocument {
  const { numNodes } = request.graph;
  const popularity = withPopularity ? NativeArray.allocate("I64", numNodes) : null;
  const counted = (whole: NewDocument): NewDocument =>
    popularity
      ? {
        ...whole,
        tensors: [...whole.tensors, {
          name: "popularity",
          dtype: "I64",
          shape: [numNodes],
          data: popularity,
        }],
      }
      : whole;
  const documents: Document[] = [];
  for (const made of sampleChunks(request, counts, { chunkBytes, reuse: true })) {
    if (popularity) {
      for (const piece of piecesOf(made.tensors.find(({ name }) => name === "nodes")!)) {
        countRows((piece instanceof NativeArray ? piece : NativeArray.from(piece)) as Indices, popularity);
      }
    }
    if (made.meta["chunk"] === undefined) return counted(made);
    documents.push(throughFile(made));
  }
  return counted(mergeChunks(documents));
}

/** A document written to an unnamed file of the folder TMPDIR, and opened there. */
export function throughFile(made: NewDocument): Document {
  const fd = unnamedFile();
  try {
    writeStream(fd, made);
    seek(fd, 0);
    return readStream(fd, "a temporary file").next().value as Document;
  } finally {
    closeSync(fd);
  }
}
