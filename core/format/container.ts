/**
 * One safetensors document as bytes: the header understood, the data mapped, nothing said yet about gust's kinds.
 */
import { Mapping } from "../../ffi/native_files.ts";
import { GustError, problemsError } from "../errors.ts";
import { type Header, MAX_HEADER_BYTES, parseHeader } from "./safetensors.ts";

/** Bytes of the header length at the start. */
export const LENGTH_BYTES = 8;

export interface Container {
  readonly header: Header;
  /** All bytes, header included. */
  readonly mapping: Mapping;
  /** Where the data begin in the mapping. */
  readonly dataStart: number;
  /** The regular file, as it was named; null for a stream. */
  readonly path: string | null;
  /** For messages. */
  readonly label: string;
}

/** What the first bytes of something that is no safetensors file look like. */
function guess(first: Uint8Array): string | undefined {
  const starts = (...bytes: number[]) => bytes.every((b, i) => first[i] === b);
  if (starts(0x50, 0x4b, 3, 4)) return "it looks like a zip or npz file: gust import reads those";
  if (starts(0x1f, 0x8b)) return "it looks gzip-compressed: gust import reads compressed text";
  if (starts(0x93, 0x4e, 0x55, 0x4d)) return "it looks like an npy file: gust import reads npz";
  const isText = first.every((b) => b === 9 || b === 10 || b === 13 || (b >= 32 && b < 127));
  return isText ? "it looks like text: gust import reads graphs in text formats" : undefined;
}

/**
 * The length of the header.
 * @throws {GustError} (data) if the first bytes cannot begin a safetensors document.
 */
export function headerBytes(first: Uint8Array, label: string): number {
  if (first.length < LENGTH_BYTES) {
    const hint = guess(first);
    throw new GustError(
      "data",
      `Cannot read ${label}: it ends after ${first.length} bytes, expected a header`,
      hint,
    );
  }
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES) || length < 2n) {
    const limit = length < 2n ? "at least 2" : `at most ${MAX_HEADER_BYTES}`;
    throw new GustError(
      "data",
      `Cannot read ${label}: no safetensors document: header of ${length} bytes, expected ${limit}`,
      guess(first),
    );
  }
  return Number(length);
}

/**
 * Understand the bytes of a header.
 * @throws {GustError} (data) with every problem.
 */
export function readHeader(bytes: Uint8Array, label: string): Header {
  const fail = (problems: string[]) =>
    problemsError("data", `Cannot read ${label}: illegal header`, problems);
  if (bytes[0] !== 0x7b) throw fail([`its first byte is ${bytes[0]}, expected "{"`]);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail(["it is no UTF-8 text"]);
  }
  const { header, problems } = parseHeader(text);
  if (problems.length) throw fail(problems);
  return header;
}

/** The error for a document whose data end `got` bytes after they begin, expected `header.dataBytes`. */
export function truncated(header: Header, got: number, label: string): GustError {
  const cut = header.tensors.find(({ end }) => end > got)!;
  const size = cut.end - cut.begin;
  const lacks = Math.min(size, cut.end - got);
  return new GustError(
    "data",
    `Cannot read ${label}: truncated: tensor "${cut.name}" lacks ${lacks} of its ${size} bytes, ${
      header.dataBytes - got
    } bytes are missing in all`,
    "the copy or the command that made it was cut short: make it again",
  );
}

/**
 * Map a regular file that holds one document. Reads the header only.
 * @throws {GustError} (data) for an illegal header, a truncated file, or bytes after the last tensor.
 */
export function openContainer(mapping: Mapping, path: string | null, label: string): Container {
  const bytes = mapping.bytes();
  if (bytes.length === 0) throw new GustError("data", `Cannot read ${label}: it is empty`);
  const length = headerBytes(bytes.window(0, Math.min(LENGTH_BYTES, bytes.length)), label);
  const rest = bytes.length - LENGTH_BYTES;
  if (length > rest) {
    throw new GustError(
      "data",
      `Cannot read ${label}: truncated: the header lacks ${length - rest} of its ${length} bytes`,
      guess(bytes.window(0, LENGTH_BYTES)),
    );
  }
  const header = readHeader(bytes.window(LENGTH_BYTES, length), label);
  const dataStart = LENGTH_BYTES + length;
  const got = bytes.length - dataStart;
  if (got < header.dataBytes) throw truncated(header, got, label);
  if (got > header.dataBytes) {
    const extra = bytes.window(
      dataStart + header.dataBytes,
      Math.min(LENGTH_BYTES + 1, got - header.dataBytes),
    );
    const another = extra.length > LENGTH_BYTES && extra[LENGTH_BYTES] === 0x7b;
    throw new GustError(
      "data",
      `Cannot read ${label}: ${
        got - header.dataBytes
      } bytes follow the last tensor, expected the end of the file`,
      another ? `it holds several documents, one after another: give it on standard input` : undefined,
    );
  }
  return { header, mapping, dataStart, path, label };
}
