/**
 * Sample documents in pieces: on a pipe a sampler emits chunks (`meta.chunk`), and one document is made of them for a
 * file. Each chunk is a sample document of its own: its pointers start at 0, `num_batches` counts its batches, and
 * `epoch_ptr[e]` counts its batches of earlier epochs.
 */
import type { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, NewTensor } from "./document.ts";
import { canonicalJson } from "./json.ts";

interface Chunk {
  readonly index: number;
  readonly last: boolean;
}

/** The chunk that a document is, or null if it is whole. */
export function chunkOf(doc: Document): Chunk | null {
  return doc.kind === "sample" ? (doc.meta["chunk"] as Chunk | undefined) ?? null : null;
}

/** Pointers into an array that is concatenated: shifted by what lies before. */
const isPointer = (name: string) =>
  name === "node_ptr" || name.endsWith(".row_ptr") || name.endsWith(".edge_ptr");

function* shifted(docs: readonly Document[], name: string): Generator<BigInt64Array> {
  yield new BigInt64Array(1);
  let base = 0n;
  for (const doc of docs) {
    const ptr = doc.tensor(name, "I64").window();
    const moved = ptr.subarray(1).map((offset) => offset + base);
    yield moved;
    base = moved.at(-1) ?? base;
  }
}

/** Batches before each epoch, over all chunks. */
function addedEpochs(docs: readonly Document[]): BigInt64Array {
  const sum = docs[0]!.tensor("epoch_ptr", "I64").read();
  for (const doc of docs.slice(1)) {
    doc.tensor("epoch_ptr", "I64").window().forEach((count, e) => sum[e]! += count);
  }
  return sum;
}

/** What all chunks of one sample share. */
function common(doc: Document): string {
  const { chunk: _, num_batches: __, ...meta } = doc.meta;
  return canonicalJson({ meta, tensors: doc.names.map((name) => [name, doc.spec(name).dtype]).sort() });
}

/**
 * One sample document with the batches of all chunks, in order: the same bytes as if it had been made in one piece.
 * Data are copied while it is written. A single whole document is passed through.
 *
 * @throws {GustError} (mismatch) if a chunk is missing, doubled, or of another sample.
 */
export function mergeChunks(docs: readonly Document[]): NewDocument {
  const [first] = docs;
  if (!first) throw new GustError("missing", "No sample to merge, expected at least one chunk");
  const problem = (text: string) => new GustError("mismatch", `Cannot merge sample chunks: ${text}`);
  docs.forEach((doc, i) => {
    const chunk = chunkOf(doc) ?? (docs.length === 1 ? { index: 0, last: true } : null);
    if (!chunk) throw problem(`${doc.label} is a whole ${doc.kind}, expected it alone, or the chunks of one`);
    if (chunk.index !== i) throw problem(`${doc.label} is chunk ${chunk.index}, expected chunk ${i}`);
    if (chunk.last !== (i === docs.length - 1)) {
      throw problem(
        chunk.last
          ? `chunk ${i} is the last one, but ${docs.length - 1 - i} follow`
          : `chunk ${i + 1} is missing`,
      );
    }
    if (common(doc) !== common(first)) {
      throw problem(`${doc.label} belongs to another sample than ${first.label}`);
    }
  });
  const { chunk: _, ...meta } = first.meta;
  const tensors = first.names.map((name): NewTensor => {
    const { dtype, shape } = first.spec(name);
    if (name === "epoch_ptr") return { name, dtype, shape, data: addedEpochs(docs) };
    const rows = docs.map((doc) => doc.spec(name).shape[0]!).reduce((a, b) => a + b, 0);
    if (isPointer(name)) {
      return { name, dtype, shape: [rows - docs.length + 1], data: () => shifted(docs, name) };
    }
    return {
      name,
      dtype,
      shape: [rows, ...shape.slice(1)],
      data: () => docs.map((doc) => doc.tensor(name) as NativeArray),
    };
  });
  const batches = docs.map((doc) => doc.meta["num_batches"] as number).reduce((a, b) => a + b, 0);
  return { kind: "sample", meta: { ...meta, num_batches: batches }, tensors, provenance: first.provenance };
}
