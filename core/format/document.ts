/** Documents: opened ones, and new ones to be written. */
import { closeSync, ftruncateSync } from "node:fs";
import { type DType, dtypeOf, dtypes, type TypedArray } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import { HashingWriter, Mapping, unnamedFile } from "../../ffi/native_files.ts";
import { GustError, problemsError } from "../errors.ts";
import { canonicalJson } from "./json.ts";
import type { ProvenanceRecord } from "./provenance.ts";
import {
  canonicalSchema,
  countOf,
  type HeaderTensor,
  layout,
  type Placeable,
  tensorBytes,
} from "./safetensors.ts";
import { schemaProblems } from "./schema_check.ts";

export type { ProvenanceRecord } from "./provenance.ts";

export const kinds = [
  "graph",
  "partition",
  "sample",
  "cache",
  "model",
  "embedding",
  "prediction",
  "ref",
] as const;
export type Kind = (typeof kinds)[number];

/** Version of the format: raised by every change that an older reader could not survive. */
export const FORMAT = "1";
/** The last tensor of every document: one XXH3-128 per tensor before it, in file order. */
export const CHECKSUMS = "gust.checksums";
/** Bytes of a checksum. */
export const CHECKSUM_BYTES = 16;

export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A tensor of an opened document: where its bytes are. */
export interface StoredTensor extends TensorSpec {
  readonly array: () => NativeArray;
}

export interface DocumentParts {
  readonly kind: Kind;
  readonly digest: string;
  readonly meta: Record<string, unknown>;
  readonly provenance: readonly ProvenanceRecord[];
  readonly path: string | null;
  readonly label: string;
  /** All tensors in file order, gust.pad.N and gust.checksums included. */
  readonly stored: readonly StoredTensor[];
  /** The whole document as bytes, if it lies somewhere as such. */
  readonly mapping: Mapping | null;
}

/** An opened document. Immutable; tensors are views that keep its memory alive. */
export class Document {
  readonly kind: Kind;
  /** XXH3-128 of the content as 32 hexadecimal digits: equal content, equal digest; provenance does not count. */
  readonly digest: string;
  /** The metadata `gust.<kind>`. */
  readonly meta: Record<string, unknown>;
  readonly provenance: readonly ProvenanceRecord[];
  /** The regular file that it lies in, as it was named; null if it came down a pipe or was built in memory. */
  readonly path: string | null;
  /** For messages: the quoted path, or "standard input". */
  readonly label: string;
  /** All tensors in file order, gust's own included. */
  readonly stored: readonly StoredTensor[];
  /** The whole document as bytes, or null if it was built in memory. */
  readonly mapping: Mapping | null;
  readonly #tensors: Map<string, StoredTensor>;

  constructor(parts: DocumentParts) {
    this.kind = parts.kind;
    this.digest = parts.digest;
    this.meta = parts.meta;
    this.provenance = parts.provenance;
    this.path = parts.path;
    this.label = parts.label;
    this.stored = parts.stored;
    this.mapping = parts.mapping;
    this.#tensors = new Map(
      parts.stored.filter(({ name }) => !name.startsWith("gust.")).map((t) => [t.name, t]),
    );
  }

  /** Names of the tensors in file order, without gust's own. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** @throws {GustError} (data) if the tensor is missing. */
  spec(name: string): TensorSpec {
    const found = this.#tensors.get(name);
    if (found) return found;
    throw new GustError(
      "data",
      `${this.label} has no tensor "${name}", expected one in this ${this.kind} document`,
    );
  }

  /**
   * A tensor's elements, mapped: nothing is read or copied. `dtypes` are those the caller can use (none: any).
   *
   * @throws {GustError} (data) naming file and tensor if it is missing or has another dtype.
   */
  tensor<D extends DType>(name: string, ...dtypes: D[]): NativeArray<D> {
    const { dtype, array } = this.spec(name) as StoredTensor;
    if (dtypes.length > 0 && !dtypes.includes(dtype as D)) {
      throw new GustError(
        "data",
        `${this.label}: tensor "${name}" is ${dtype}, expected ${dtypes.join(" or ")}`,
      );
    }
    return array() as NativeArray<D>;
  }

  /**
   * Free the memory of a document that came down a pipe, now. Every array of it becomes invalid: for consumers that go
   * through many chunks. Documents are freed anyway when nothing refers to them.
   */
  close(): void {
    this.mapping?.close();
  }
}

/** Elements that come in another order than that of the file. */
export interface ScatteredData {
  /** Write them into an open regular file in which the tensor begins at byte `offset`. What is left out is zero. */
  scatter(fd: number, offset: number): void;
}

/** A tensor to be written. */
export interface NewTensor extends Placeable {
  /** The elements; a function yields them piece by piece while the document is being written. */
  readonly data: NativeArray | TypedArray | (() => Iterable<NativeArray | TypedArray>) | ScatteredData;
}

export const isScattered = (data: NewTensor["data"]): data is ScatteredData =>
  typeof data === "object" && "scatter" in data;

/** Room in an open file for a tensor at byte `offset`, filled, as a map that may be read. */
export function scatterInto(fd: number, offset: number, tensor: NewTensor, data: ScatteredData): Mapping {
  const size = tensorBytes(tensor);
  ftruncateSync(fd, offset + size);
  data.scatter(fd, offset);
  return Mapping.ofDescriptor(fd, offset, size);
}

/** Scattered elements in order, by way of an unnamed file of the folder TMPDIR. */
function* gathered(tensor: NewTensor, data: ScatteredData): Generator<NativeArray> {
  const fd = unnamedFile();
  try {
    const mapping = scatterInto(fd, 0, tensor, data);
    yield NativeArray.at(tensor.dtype, countOf(tensor.shape)!, mapping.address, mapping);
  } finally {
    closeSync(fd);
  }
}

/** A document to be written. */
export interface NewDocument {
  readonly kind: Kind;
  readonly meta: Record<string, unknown>;
  readonly tensors: readonly NewTensor[];
  readonly provenance: readonly ProvenanceRecord[];
}

/** A document ready to be written: everything but the data decided. */
export interface Plan {
  readonly metadata: Record<string, string>;
  /** In file order, without gust.checksums; `source` null is padding. */
  readonly tensors: readonly { readonly placed: HeaderTensor; readonly source: NewTensor | null }[];
  readonly checksums: HeaderTensor;
  /** The digest once the checksums are known. */
  readonly digest: (checksums: Uint8Array) => string;
}

/**
 * Check a new document against the schema and place its tensors.
 * @throws {GustError} (data) with every problem.
 */
export function plan(d: NewDocument): Plan {
  const reserved = d.tensors.filter(({ name }) => name.startsWith("gust.") || name === "__metadata__");
  const twice = d.tensors.map(({ name }) => name).filter((name, i, all) => all.indexOf(name) !== i);
  const meta = JSON.parse(canonicalJson(d.meta)) as Record<string, unknown>;
  const problems = [
    ...reserved.map(({ name }) => `tensor name "${name}" is gust's own`),
    ...twice.map((name) => `tensor "${name}" is there twice`),
    ...schemaProblems(d.kind, meta, d.tensors),
  ];
  if (problems.length) throw problemsError("data", `Cannot write a ${d.kind} document`, problems);
  const tensors = layout(d.tensors).map(({ tensor, placed }) => ({ placed, source: tensor }));
  const begin = tensors.at(-1)?.placed.end ?? 0;
  const shape = [tensors.length, CHECKSUM_BYTES];
  const checksums = {
    name: CHECKSUMS,
    dtype: "U8",
    shape,
    begin,
    end: begin + tensors.length * CHECKSUM_BYTES,
  };
  const metadata = {
    "gust.kind": d.kind,
    "gust.format": FORMAT,
    [`gust.${d.kind}`]: canonicalJson(meta),
    "gust.provenance": canonicalJson(d.provenance),
  };
  const specs = [...tensors.map(({ placed }) => placed), checksums];
  return { metadata, tensors, checksums, digest: (bytes) => digestOf(bytes, d.kind, FORMAT, meta, specs) };
}

/** XXH3-128 of the checksums followed by the canonical schema, as hexadecimal digits. */
export function digestOf(
  checksums: Uint8Array | NativeArray,
  kind: string,
  format: string,
  meta: unknown,
  tensors: readonly Omit<HeaderTensor, "begin" | "end">[],
): string {
  return hashOf([checksums, canonicalSchema(kind, format, meta, tensors)]);
}

/** XXH3-128 of some bytes one after another, as hexadecimal digits. */
export function hashOf(pieces: readonly (NativeArray | TypedArray)[]): string {
  const writer = new HashingWriter(-1);
  try {
    for (const piece of pieces) writer.put(piece);
    return Array.from(writer.takeHash(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } finally {
    writer.close();
  }
}

/** Whether a piece of data can stand for elements of `dtype`: halves and booleans travel as unsigned integers. */
function holds(dtype: DType, data: NativeArray | TypedArray): boolean {
  if (data instanceof NativeArray) return data.dtype === dtype;
  const shown = dtypeOf(data);
  return shown === dtype || (shown === "U16" && (dtype === "F16" || dtype === "BF16")) ||
    (shown === "U8" && dtype === "BOOL");
}

/**
 * The pieces of a tensor in order.
 * @throws {TypeError} if a piece has another dtype, {RangeError} if all together are not the shape's elements.
 */
export function* piecesOf(tensor: NewTensor): Generator<NativeArray | TypedArray> {
  const { name, dtype, shape, data } = tensor;
  const wanted = countOf(shape)!;
  let count = 0;
  const pieces = typeof data === "function" ? data() : isScattered(data) ? gathered(tensor, data) : [data];
  for (const piece of pieces) {
    if (!holds(dtype, piece)) {
      const got = piece instanceof NativeArray ? piece.dtype : dtypeOf(piece);
      throw new TypeError(`tensor "${name}": data of ${got}, expected ${dtype}`);
    }
    count += piece.length;
    if (count > wanted) break;
    yield piece;
  }
  if (count !== wanted) {
    throw new RangeError(
      `tensor "${name}": ${
        count > wanted ? "more than " + wanted : count
      } elements of data, expected ${wanted} for shape [${shape}]`,
    );
  }
}

/** One native array with a tensor's elements; no copy where the data are one already. */
function collect(tensor: NewTensor): NativeArray {
  if (tensor.data instanceof NativeArray) {
    for (const _ of piecesOf(tensor));
    return tensor.data;
  }
  const all = NativeArray.allocate(tensor.dtype, countOf(tensor.shape)!, false);
  let at = 0;
  for (const piece of piecesOf(tensor)) {
    const most = 2 ** 27 / dtypes[tensor.dtype].size;
    for (let from = 0; from < piece.length; from += most) {
      const count = Math.min(most, piece.length - from);
      const part = piece instanceof NativeArray
        ? piece.window(from, count)
        : piece.subarray(from, from + count);
      (all.window(at, count) as Uint8Array).set(part as Uint8Array);
      at += count;
    }
  }
  return all;
}

/**
 * Make a document in memory: for tests, and for use without a file. Its digest is that of the written file.
 *
 * @throws {GustError} (data) with every problem of the schema.
 */
export function buildDocument(d: NewDocument): Document {
  const { tensors, checksums, digest } = plan(d);
  const sums = new Uint8Array(tensors.length * CHECKSUM_BYTES);
  const stored: StoredTensor[] = [];
  const writer = new HashingWriter(-1);
  try {
    tensors.forEach(({ placed, source }, i) => {
      const array = source ? collect(source) : NativeArray.allocate("U8", placed.shape[0]!);
      writer.put(array);
      sums.set(writer.takeHash(), i * CHECKSUM_BYTES);
      stored.push({ name: placed.name, dtype: array.dtype, shape: placed.shape, array: () => array });
    });
  } finally {
    writer.close();
  }
  const last = NativeArray.from<"U8">(sums);
  stored.push({ name: CHECKSUMS, dtype: "U8", shape: checksums.shape, array: () => last });
  return new Document({
    kind: d.kind,
    digest: digest(sums),
    meta: JSON.parse(canonicalJson(d.meta)),
    provenance: JSON.parse(canonicalJson(d.provenance)),
    path: null,
    label: `a ${d.kind} in memory`,
    stored,
    mapping: null,
  });
}
