/** Writing documents: to a file (beside, then renamed), to a stream, and handing on what was read. */
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { NativeError } from "../../ffi/native.ts";
import { guardTemporary, HashingWriter, hashOf, position, seek } from "../../ffi/native_files.ts";
import { GustError, systemText } from "../errors.ts";
import {
  CHECKSUM_BYTES,
  type Document,
  isScattered,
  type NewDocument,
  piecesOf,
  plan,
  scatterInto,
} from "./document.ts";
import { serialiseHeader } from "./safetensors.ts";
import { sealed } from "./seal.ts";
import { targetOf } from "./target.ts";
import { openTemporary, removeAbandoned } from "./temporary.ts";

/**
 * Write header, tensors and checksums; returns the digest.
 * @param isPlain  whether it is a regular file that can be written anywhere: not a pipe, not opened to be extended.
 */
function writeDocument(fd: number, d: NewDocument, isPlain: boolean): string {
  const { metadata, tensors, checksums, digest } = plan(d);
  const sums = new Uint8Array(tensors.length * CHECKSUM_BYTES);
  const writer = new HashingWriter(fd);
  try {
    writer.put(sealed(serialiseHeader(metadata, [...tensors.map(({ placed }) => placed), checksums])));
    writer.takeHash();
    tensors.forEach(({ placed, source }, i) => {
      if (source && isPlain && isScattered(source.data)) {
        const mapping = scatterInto(fd, position(fd), source, source.data);
        sums.set(hashOf(mapping.bytes()), i * CHECKSUM_BYTES);
        seek(fd, position(fd) + mapping.sizeBytes);
        mapping.close();
        return;
      }
      if (source) { for (const piece of piecesOf(source)) writer.put(piece); }
      else writer.put(new Uint8Array(placed.shape[0]!));
      sums.set(writer.takeHash(), i * CHECKSUM_BYTES);
    });
    writer.put(sums);
  } finally {
    writer.close();
  }
  return digest(sums);
}

/** Run what writes an output: a system call that fails names it; a closed pipe stays what it is. */
export function writing<T>(label: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw outputError(label, error);
  }
}

function outputError(label: string, error: unknown): unknown {
  if (error instanceof NativeError && error.code === "io") {
    const full = /no space left/i.test(error.message);
    return new GustError(
      "io",
      `Cannot write ${label}: ${error.message}`,
      full ? "free some space, or write to another disk" : undefined,
    );
  }
  const isClosedPipe = (error as { code?: string }).code === "EPIPE";
  if (error instanceof Error && !(error instanceof GustError) && "syscall" in error && !isClosedPipe) {
    return new GustError("io", `Cannot write ${label}: ${systemText(error)}`);
  }
  return error;
}

/** Where a regular file is being extended, cut it back to its old end when `body` fails: no half of it stays. */
function undoing<T>(fd: number, body: () => T): T {
  const info = fstatSync(fd);
  const start = info.isFile() && position(fd) === info.size ? info.size : null;
  try {
    return body();
  } catch (error) {
    try {
      if (start !== null) ftruncateSync(fd, start);
    } catch {
      // The first error is the one to report.
    }
    throw error;
  }
}

const label = (fd: number) => fd === 1 ? "standard output" : `descriptor ${fd}`;

/**
 * Write to a descriptor by `body`, all or nothing where that is the end of a regular file.
 * @throws {GustError} (io) with the system's text; {NativeError} (pipe) if the reader has gone.
 */
const toStream = <T>(fd: number, body: () => T): T => writing(label(fd), () => undoing(fd, body));

/**
 * Write a document to a descriptor; waits where a pipe is full.
 *
 * @returns its digest.
 * @throws as toStream() does, {GustError} (data) if it breaks its schema.
 */
export const writeStream = (fd: number, d: NewDocument): string =>
  toStream(fd, () => writeDocument(fd, d, false));

export interface WriteOptions {
  /** false refuses to replace a file that is there. @default {true} */
  readonly force?: boolean;
}

/**
 * Write a document to a file, as replaceFile() does.
 *
 * @returns its digest.
 * @throws {GustError} (data) if the document breaks its schema, (io) with the system's text.
 */
export function writeFile(path: string, d: NewDocument, options?: WriteOptions): string {
  return replaceFile(path, (fd) => writeDocument(fd, d, fstatSync(fd).isFile()), options);
}

/**
 * Write a file by `body`: beside it, synchronised, then renamed, so that there is never a partial file under the final
 * name. A failure, or a signal that ends the process, leaves nothing; what a process that was killed left beside it is
 * removed. What is replaced keeps its permissions. Devices and named pipes are written to.
 *
 * @returns what `body` returns.
 * @throws {GustError} (io) with the system's text.
 */
export function replaceFile<T>(
  path: string,
  body: (fd: number) => T,
  { force = true }: WriteOptions = {},
): T {
  const quoted = `"${path}"`;
  try {
    const final = targetOf(path), info = statSync(final, { throwIfNoEntry: false });
    if (info?.isDirectory()) {
      throw new GustError("io", `Cannot write ${quoted}: it is a folder, expected a file name`);
    }
    if (info?.isFile() && !force) {
      throw new GustError("io", `Cannot write ${quoted}: it is there already`, "--force replaces it");
    }
    if (info && !info.isFile()) {
      const fd = openSync(final, "w");
      try {
        return body(fd);
      } finally {
        closeSync(fd);
      }
    }
    return writeBeside(final, info?.mode, body);
  } catch (error) {
    throw outputError(quoted, error);
  }
}

/** Write a file as replaceFile() does, or standard output where there is no path. @throws {GustError} (io) likewise. */
export function writeOutput<T>(path: string | undefined, body: (fd: number) => T): T {
  return path === undefined ? toStream(1, () => body(1)) : replaceFile(path, body);
}

/** @param mode  of the file that is replaced. */
function writeBeside<T>(final: string, mode: number | undefined, body: (fd: number) => T): T {
  // The longest file name has 255 bytes; what is cut off the end is never seen.
  const name = Buffer.from(basename(final)).subarray(0, 255 - ".".length - LONGEST_SUFFIX).toString("latin1");
  const prefix = `.${name.replace(/[^\x20-\x7e]/g, "_")}.tmp-`, folder = dirname(final);
  removeAbandoned(folder, prefix);
  const { fd, path: beside } = openTemporary(folder, prefix);
  try {
    const release = guardTemporary(beside);
    try {
      if (mode !== undefined) fchmodSync(fd, mode & 0o777); // who may read it is not ours to change
      const result = body(fd);
      fsyncSync(fd);
      renameSync(beside, final);
      syncFolder(folder);
      return result;
    } finally {
      release();
    }
  } catch (error) {
    try {
      unlinkSync(beside);
    } catch {
      // It may have its name already; and the first error is the one to report.
    }
    throw error;
  } finally {
    closeSync(fd); // locked until it has its name
  }
}

/** Longest end of a name beside the final one: ".tmp-", a process number, ".", a number. */
const LONGEST_SUFFIX = 20;

/** Have the new name itself survive a power cut. Where a folder cannot be opened or synchronised, the system sees to it. */
function syncFolder(path: string): void {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return;
  }
  try {
    fsyncSync(fd);
  } catch (error) {
    // File systems that do not know how say so in several ways; a disk that fails says one of these.
    if (["EIO", "ENOSPC", "EDQUOT"].includes((error as { code?: string }).code ?? "")) throw error;
  } finally {
    closeSync(fd);
  }
}

/** An opened document as one to be written again: same bytes, same digest. */
export function asNew(doc: Document): NewDocument {
  return {
    kind: doc.kind,
    meta: doc.meta,
    provenance: doc.provenance,
    tensors: doc.names.map((name) => ({ ...doc.spec(name), data: doc.tensor(name) })),
  };
}

/**
 * Hand a document on: as a reference if it lies in a regular file (unless `inline`), else its bytes.
 */
export function passOn(fd: number, doc: Document, inline: boolean): void {
  if (doc.path !== null && doc.mapping && !inline) {
    const meta = { path: resolve(doc.path), size: doc.mapping.sizeBytes, digest: doc.digest };
    writeStream(fd, { kind: "ref", meta, tensors: [], provenance: [] });
    return;
  }
  if (!doc.mapping) {
    writeStream(fd, asNew(doc));
    return;
  }
  const writer = new HashingWriter(fd);
  try {
    undoing(fd, () => writer.put(doc.mapping!.bytes()));
  } catch (error) {
    throw outputError(label(fd), error);
  } finally {
    writer.close();
  }
}
