/** Opening documents: files by name, streams of documents from a pipe, references. */
import { closeSync, fstatSync, openSync, readlinkSync, statSync } from "node:fs";
import type { DType } from "../../ffi/dtype.ts";
import { dtypes } from "../../ffi/dtype.ts";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { Mapping, position, readBytes, seek } from "../../ffi/native_files.ts";
import { GustError, problemsError } from "../errors.ts";
import {
  type Container,
  headerBytes,
  LENGTH_BYTES,
  openContainer,
  readHeader,
  truncated,
} from "./container.ts";
import {
  CHECKSUM_BYTES,
  CHECKSUMS,
  digestOf,
  Document,
  FORMAT,
  type Kind,
  kinds,
  type StoredTensor,
} from "./document.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { describeDocument, type ProvenanceRecord } from "./provenance.ts";
import { countOf, type Header, isDType } from "./safetensors.ts";
import { provenanceSchema } from "./schema.ts";
import { schemaProblems } from "./schema_check.ts";
import { SEAL, sealProblems } from "./seal.ts";
import { damage } from "./verify.ts";

/** Documents of a stream up to this size stay in memory; larger ones go to an unnamed temporary file. */
export const SPOOL_MEMORY_BYTES = 64 * 2 ** 20;

/** The kind that a container's metadata name: a gust kind, or null for a safetensors file of somebody else. */
export function kindOf(container: Container): string | null {
  return container.header.metadata["gust.kind"] ?? null;
}

function parseMetadata(container: Container, key: string, problems: string[]): unknown {
  const text = container.header.metadata[key];
  if (text === undefined) {
    problems.push(`metadata "${key}" is missing`);
    return undefined;
  }
  const { value, problems: syntax } = parseJson(text);
  problems.push(...syntax.map((problem) => `metadata "${key}": ${problem}`));
  return value;
}

/** Problems of the checksums tensor: it is the last one and has a row for each of the others. */
function checksumProblems({ header: { tensors } }: Container): string[] {
  const at = tensors.findIndex(({ name }) => name === CHECKSUMS);
  if (at < 0) return [`tensor "${CHECKSUMS}" is missing`];
  const { dtype, shape } = tensors[at]!;
  const wanted = `U8 [${tensors.length - 1}, ${CHECKSUM_BYTES}]`;
  const got = `${dtype} [${shape.join(", ")}]`;
  const problems: string[] = [];
  if (at !== tensors.length - 1) problems.push(`tensor "${CHECKSUMS}" is not the last one`);
  if (got !== wanted) problems.push(`tensor "${CHECKSUMS}" is ${got}, expected ${wanted}`);
  return problems;
}

/** Problems of the tensors' types and places. */
function tensorProblems(container: Container): string[] {
  const { header: { tensors }, dataStart } = container;
  return tensors.flatMap(({ name, dtype, begin }) => {
    const quoted = `tensor "${name}"`;
    if (
      name.startsWith("gust.") && name !== CHECKSUMS && !(/^gust\.pad\.\d+$/.test(name) && dtype === "U8")
    ) {
      return [`${quoted}: only "${CHECKSUMS}" and U8 tensors "gust.pad.N" may begin with "gust."`];
    }
    if (!isDType(dtype)) {
      return [`${quoted}: dtype ${dtype}, expected one of ${Object.keys(dtypes).join(", ")}`];
    }
    const { size } = dtypes[dtype];
    return (dataStart + begin) % size
      ? [`${quoted} begins at byte ${dataStart + begin} of the file, expected a multiple of ${size}`]
      : [];
  });
}

/**
 * A container as a document of its kind. Reads the header and the checksums; the other tensors' data stay untouched.
 *
 * @throws {GustError} (data) with every problem of the header.
 */
export function toDocument(container: Container): Document {
  const { header, mapping, dataStart, path, label } = container;
  const kind = kindOf(container);
  if (kind === null) {
    throw new GustError(
      "data",
      `Cannot read ${label}: a safetensors document without "gust.kind", expected one that gust wrote`,
      "gust inspect lists its tensors",
    );
  }
  const format = header.metadata["gust.format"];
  if (format !== FORMAT) {
    const isNewer = format !== undefined && /^[1-9]\d*$/.test(format) && Number(format) > Number(FORMAT);
    throw new GustError(
      "data",
      `Cannot read ${label}: format ${format ?? "not given"}, expected ${FORMAT}`,
      isNewer ? "a newer gust wrote it: update this one" : undefined,
    );
  }
  if (!(kinds as readonly string[]).includes(kind)) {
    throw new GustError("data", `Cannot read ${label}: kind "${kind}", expected one of ${kinds.join(", ")}`);
  }
  const problems = [...checksumProblems(container), ...tensorProblems(container)];
  const meta = parseMetadata(container, `gust.${kind}`, problems);
  const history = parseMetadata(container, "gust.provenance", problems);
  if (meta !== undefined) problems.push(...schemaProblems(kind, meta, header.tensors));
  const provenance = provenanceSchema.safeParse(history);
  if (history !== undefined && !provenance.success) {
    problems.push(
      ...provenance.error.issues.map(({ path, message }) =>
        `metadata gust.provenance ${path.join(".")}: ${message}`
      ),
    );
  }
  const seal = header.metadata[SEAL];
  if (seal !== undefined) problems.push(...sealProblems(mapping.bytes().window(0, dataStart), seal));
  if (problems.length) throw problemsError("data", `Cannot read ${label} as a ${kind}`, problems);

  const stored: StoredTensor[] = header.tensors.map(({ name, dtype, shape, begin }) => ({
    name,
    dtype: dtype as DType,
    shape,
    array: () =>
      NativeArray.at(dtype as DType, countOf(shape)!, mapping.address + dataStart + begin, mapping),
  }));
  const document = new Document({
    kind: kind as Kind,
    digest: digestOf(stored.at(-1)!.array(), kind, format, meta, header.tensors),
    // Through text once more: plain objects, as every other reader of JSON gives.
    meta: JSON.parse(canonicalJson(meta)),
    provenance: JSON.parse(canonicalJson(history)) as ProvenanceRecord[],
    path,
    label,
    stored,
    mapping,
    doubts: seal === undefined ? unsealedDoubts(header, kind) : [],
  });
  const damaged = isVerifying ? damage(document) : [];
  if (damaged.length) throw problemsError("data", `Cannot read ${label}: it is damaged`, damaged);
  return document;
}

let isVerifying = false;

/** From now on read all data of every document that is opened, and refuse those that do not match their checksums. */
export function setVerify(on: boolean): void {
  isVerifying = on;
}

/** A header without a seal is that of an older gust, which wrote these metadata and no others. */
function unsealedDoubts({ metadata }: Header, kind: string): string[] {
  const known = ["gust.kind", "gust.format", `gust.${kind}`, "gust.provenance"];
  return Object.keys(metadata).filter((key) => !known.includes(key)).map((key) =>
    `metadata ${JSON.stringify(key)} is unknown and "${SEAL}" is missing, which vouches for the header`
  );
}

function systemError(what: string, error: unknown): never {
  if (error instanceof NativeError || (error instanceof Error && "code" in error)) {
    throw new GustError("io", `${what}: ${(error as Error).message.replace(/^(open|mmap|fstat): /, "")}`);
  }
  throw error;
}

/** Map the one document of a regular file, whatever safetensors it holds. */
function mapFile(path: string): Container {
  const label = `"${path}"`;
  let mapping: Mapping;
  try {
    mapping = Mapping.ofFile(path);
  } catch (error) {
    return systemError(`Cannot open ${label}`, error);
  }
  return closing(mapping, () => openContainer(mapping, path, label));
}

/** Give memory that will not be used back at once: many bad files in a row must not wait for the collector. */
function closing<T>(mapping: Mapping, body: () => T): T {
  try {
    return body();
  } catch (error) {
    mapping.close();
    throw error;
  }
}

/**
 * The containers of an input operand: one for a regular file, all that come for a named pipe.
 * @throws {GustError} (io) if it cannot be opened, (data) for illegal headers.
 */
export function* inputContainers(path: string, options: StreamOptions = {}): Generator<Container> {
  const label = `"${path}"`;
  const info = (() => {
    try {
      return statSync(path);
    } catch (error) {
      const missing = (error as { code?: string }).code === "ENOENT";
      return systemError(
        `Cannot open ${label}`,
        missing ? Object.assign(new Error("no such file"), { code: "ENOENT" }) : error,
      );
    }
  })();
  if (info.isDirectory()) throw new GustError("io", `Cannot open ${label}: it is a folder, expected a file`);
  if (info.isFile()) return yield mapFile(path);
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    return systemError(`Cannot open ${label}`, error);
  }
  try {
    yield* readContainers(fd, label, options);
  } finally {
    closeSync(fd);
  }
}

/**
 * Open a file that holds one document: mapped read-only, in milliseconds whatever its size.
 *
 * @throws {GustError} (io) if it cannot be opened, (data) with every problem of its header.
 */
export function openFile(path: string): Document {
  const containers = inputContainers(path);
  const first = containers.next();
  const label = `"${path}"`;
  if (first.done) throw new GustError("data", `Cannot read ${label}: it is empty`);
  const container = first.value;
  if (!containers.next().done) {
    throw new GustError(
      "data",
      `Cannot read ${label}: it holds several documents`,
      "give a stream on standard input",
    );
  }
  if (kindOf(container) === "ref") {
    throw new GustError(
      "data",
      `Cannot read ${label}: it holds a reference to another file, expected a document`,
      "references belong on pipes: write with -o FILE, or with --inline",
    );
  }
  return closing(container.mapping, () => toDocument(container));
}

/**
 * The documents of an input operand: one for a regular file, all that come for a named pipe (`<(gust ...)`).
 * @throws as openFile() and readStream() do.
 */
export function* openInput(path: string, options: StreamOptions = {}): Generator<Document> {
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO()) yield* documentsOf(inputContainers(path, options));
  else yield openFile(path);
}

export interface StreamOptions {
  /** Documents up to this size stay in memory. @default {SPOOL_MEMORY_BYTES} */
  readonly memoryLimitBytes?: number;
}

/** What a stream is read from. */
interface Source {
  readonly fd: number;
  /** The regular file behind the descriptor, if it is one. */
  readonly file: { readonly sizeBytes: number; readonly path: string | null } | null;
}

function sourceOf(fd: number): Source {
  const info = fstatSync(fd);
  if (!info.isFile()) return { fd, file: null };
  let path: string | null = null;
  try {
    path = readlinkSync(`/proc/self/fd/${fd}`);
    const there = statSync(path);
    if (there.dev !== info.dev || there.ino !== info.ino) path = null;
  } catch {
    path = null;
  }
  return { fd, file: { sizeBytes: info.size, path } };
}

/** The data of a document whose header has been read: the file mapped in place, or the stream spooled. */
function readBody(
  source: Source,
  head: Uint8Array,
  dataBytes: number,
  options: StreamOptions,
): { mapping: Mapping; path: string | null } | { got: number } {
  const { fd, file } = source;
  if (file) {
    const start = position(fd) - head.length;
    const got = Math.min(dataBytes, file.sizeBytes - start - head.length);
    if (got < dataBytes) return { got };
    // Elsewhere than at a page boundary the tensors would lie unaligned: those are copied below.
    if (start % 4096 === 0) {
      const mapping = Mapping.ofDescriptor(fd, start, head.length + dataBytes);
      seek(fd, start + head.length + dataBytes);
      return { mapping, path: start === 0 && head.length + dataBytes === file.sizeBytes ? file.path : null };
    }
  }
  const spooled = Mapping.spool(fd, head, dataBytes, options.memoryLimitBytes ?? SPOOL_MEMORY_BYTES);
  return typeof spooled === "number" ? { got: spooled } : { mapping: spooled, path: null };
}

/** Run what reads a stream: a system call that fails names it. */
function reading<T>(label: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof NativeError && error.code === "io") systemError(`Cannot read ${label}`, error);
    throw error;
  }
}

/**
 * The containers of a stream, one after another, each read when it is asked for and not a byte further.
 * @throws {GustError} (data) for an illegal header or a stream that ends inside a document, (io) with the system's text.
 */
export function* readContainers(
  fd: number,
  label: string,
  options: StreamOptions = {},
): Generator<Container> {
  const source = sourceOf(fd);
  for (let number = 1;; number++) {
    const name = number === 1 ? label : `${label} (document ${number})`;
    const first = reading(name, () => readBytes(fd, LENGTH_BYTES));
    if (first.length === 0) return;
    const length = headerBytes(first, name);
    const text = reading(name, () => readBytes(fd, length));
    if (text.length < length) {
      throw new GustError(
        "data",
        `Cannot read ${name}: truncated: the header lacks ${length - text.length} of its ${length} bytes`,
      );
    }
    const header = readHeader(text, name);
    const head = new Uint8Array(LENGTH_BYTES + length);
    head.set(first);
    head.set(text, LENGTH_BYTES);
    const body = reading(name, () => readBody(source, head, header.dataBytes, options));
    if ("got" in body) throw truncated(header, body.got, name);
    yield {
      header,
      mapping: body.mapping,
      dataStart: head.length,
      path: body.path,
      label: body.path ? `"${body.path}"` : name,
    };
  }
}

/** Whether there is something else than a file at a path: a pipe would be waited for, a device read. */
function isNoFile(path: string): boolean {
  try {
    return !statSync(path).isFile();
  } catch {
    return false; // whoever opens it says why it cannot
  }
}

/**
 * The document that a reference stands for.
 * @throws {GustError} (data) if it was damaged on the way or leads to no file, (mismatch) if the file is another one by
 *   now, (io) if it is not there.
 */
function resolveReference(reference: Document): Document {
  if (reference.doubts.length) {
    throw problemsError("data", `Cannot read ${reference.label} as a reference`, reference.doubts);
  }
  const { path, size, digest } = reference.meta as { path: string; size: number; digest: string };
  if (isNoFile(path)) {
    throw new GustError(
      "data",
      `Cannot read ${reference.label}: it refers to ${JSON.stringify(path)}, which is no regular file`,
    );
  }
  const document = openFile(path);
  if (document.digest !== digest || document.mapping!.sizeBytes !== size) {
    throw new GustError(
      "mismatch",
      `${describeDocument(document)} of ${
        document.mapping!.sizeBytes
      } bytes is not what ${reference.label} refers to: digest ${digest.slice(0, 12)}, ${size} bytes`,
      "the file was replaced while the pipe was running: run the pipe again",
    );
  }
  return document;
}

function* documentsOf(containers: Iterable<Container>): Generator<Document> {
  for (const container of containers) yield resolved(toDocument(container));
}

/** The document itself, or what a reference stands for. */
export function resolved(document: Document): Document {
  return document.kind === "ref" ? resolveReference(document) : document;
}

/**
 * The documents of a stream in order, lazily; references are resolved. An empty stream yields nothing.
 *
 * @param label  for messages, e.g. "standard input".
 * @throws {GustError} (data) for an illegal or truncated document, (mismatch) for a reference that no longer holds.
 */
export function readStream(fd: number, label: string, options: StreamOptions = {}): Generator<Document> {
  return documentsOf(readContainers(fd, label, options));
}
