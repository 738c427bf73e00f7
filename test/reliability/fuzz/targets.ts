/** What is put under fire in TypeScript: readers of every format, documents of every kind, texts inside of them. */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { GustError } from "../../../core/errors.ts";
import { checkDocument } from "../../../core/format/check.ts";
import { readHeader } from "../../../core/format/container.ts";
import { buildDocument, type Document } from "../../../core/format/document.ts";
import { canonicalJson, parseJson } from "../../../core/format/json.ts";
import { openFile, readContainers, readStream, resolved, toDocument } from "../../../core/format/read.ts";
import { countOf, dtypeBits, serialiseHeader } from "../../../core/format/safetensors.ts";
import { sealed } from "../../../core/format/seal.ts";
import { describe } from "../../../core/inspect/describe.ts";
import { graphStatistics } from "../../../core/inspect/statistics.ts";
import { importGraph } from "../../../core/readers/import.ts";
import { InputSet } from "../../../core/readers/input.ts";
import { detectReader, readers } from "../../../core/readers/mod.ts";
import { NativeError } from "../../../ffi/native.ts";
import { documentSeeds, readerSeeds, referenceSeeds, type Seed } from "./seeds.ts";

export interface Target {
  readonly name: string;
  readonly seeds: readonly Seed[];
  /**
   * Read the input at `path`. What an input may cause is an Error that isRefusal(); `choice` is a random number.
   * @returns whether it was read.
   */
  run(path: string, files: Readonly<Record<string, Uint8Array>>, choice: number): void;
}

/** Something that must not happen, whatever the input holds. */
export class Broken extends Error {
  override name = "Broken";
}

/** An error that an input may cause: one for people, which names a place. */
export function isRefusal(error: unknown, path: string): boolean {
  if (!(error instanceof GustError)) return false;
  const { code, message } = error;
  // Numbers that were never computed; data may hold them, and are then shown.
  if (/expected (undefined|NaN)|\[object|NaN (bytes|elements|nodes|edges|rows|lines)/.test(message)) {
    return false;
  }
  return code === "usage" || ((code === "data" || code === "unsupported") && message.includes(path));
}

const OPTIONS = [{}, {}, {}, { symmetrize: true }, { directed: true }, { numNodes: 7 }, {
  indexBase: 1,
}] as const;

/** What was imported must be sound, and its document fit the schema. */
export function readGraph(path: string, format: string | null, choice: number): void {
  const input = InputSet.open([path]);
  const reader = format === null ? detectReader(input) : readers.get(format);
  const built = importGraph(input, reader, OPTIONS[choice % OPTIONS.length]!, {});
  let problems: string[];
  try {
    const document = buildDocument({
      kind: "graph",
      meta: { ...built.meta },
      tensors: built.tensors,
      provenance: [],
    });
    problems = checkDocument(document);
  } catch (error) {
    throw error instanceof GustError ? new Broken(`an import that is no document: ${error.message}`) : error;
  }
  if (problems.length > 0) throw new Broken(`an import that is not sound: ${problems[0]}`);
}

/** Say everything that inspect says of a document. */
function look(document: Document): void {
  for (const { array } of document.stored) {
    const all = array();
    if (!(all.length >= 0)) throw new Broken(`a tensor of ${all.length} elements`);
    all.window(0, Math.min(all.length, 64));
  }
  const problems = checkDocument(document);
  if (JSON.stringify(describe(document)).includes("NaN")) throw new Broken("a description with NaN");
  try {
    graphStatistics(document);
  } catch (error) {
    // Statistics refuse what --check finds.
    if (!(error instanceof NativeError && error.code === "data") || problems.length === 0) throw error;
  }
}

/** Open a document, as a file or as a stream, and look at it. */
function readDocument(path: string, choice: number): void {
  if (choice % 4 !== 0) return look(openFile(path));
  const fd = openSync(path, "r");
  try {
    for (
      const document of readStream(fd, `"${path}"`, { memoryLimitBytes: choice % 8 === 0 ? 0 : undefined })
    ) look(document);
  } finally {
    closeSync(fd);
  }
}

/** A document without data, with the length and the checksum that belong to the text of its header. */
function sealedAnew(bytes: Uint8Array): Uint8Array {
  const head = bytes.slice(), text = bytes.length - 8;
  // The checksum has its place in the first hundred bytes.
  if (text < 100) return head;
  new DataView(head.buffer).setBigUint64(0, BigInt(text), true);
  return sealed(head);
}

/**
 * Follow the references of a stream. What is wrong with the file that one leads to is said of that file. Each other time the
 * changes are not found by the checksum of the header.
 */
function readReference(path: string, bytes: Uint8Array, choice: number): void {
  if (choice % 2 !== 0) writeFileSync(path, sealedAnew(bytes));
  const fd = openSync(path, "r");
  try {
    for (const container of readContainers(fd, `"${path}"`)) {
      const document = toDocument(container), leadsTo = `"${document.meta["path"]}"`;
      try {
        look(resolved(document));
      } catch (error) {
        if (!(error instanceof GustError) || !error.message.includes(leadsTo)) throw error;
        throw new GustError("data", `"${path}": ${error.message}`, error.hint);
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** A header is refused, or says where every tensor is, without holes; written anew it is the same. */
function readHeaderText(path: string, bytes: Uint8Array): void {
  const { metadata, tensors, dataBytes } = readHeader(bytes, `"${path}"`);
  const end = tensors.reduce((at, tensor) => {
    const size = (countOf(tensor.shape) ?? NaN) * (dtypeBits(tensor.dtype) ?? NaN) / 8;
    if (tensor.begin !== at || tensor.end !== at + size) {
      throw new Broken(
        `tensor "${tensor.name}" of ${size} bytes at ${tensor.begin} .. ${tensor.end}, expected ${at}`,
      );
    }
    return tensor.end;
  }, 0);
  if (end !== dataBytes) throw new Broken(`${dataBytes} bytes of data, of which tensors take ${end}`);
  const again = readHeader(serialiseHeader(metadata, tensors).subarray(8), `"${path}"`);
  if (JSON.stringify(again) !== JSON.stringify({ metadata, tensors, dataBytes })) {
    throw new Broken("another header when it is written anew");
  }
}

/** JSON as JSON.parse has it, or refused by both; stricter in what the header comment of json.ts names. */
function readJson(bytes: Uint8Array): void {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return;
  }
  const { value, problems } = parseJson(text);
  if (problems.length > 0) {
    if (problems.some((problem) => !/ at character \d+$/.test(problem))) {
      throw new Broken(`no place in "${problems}"`);
    }
    return;
  }
  if (canonicalJson(value) !== canonicalJson(JSON.parse(text))) {
    throw new Broken("another value than JSON.parse has");
  }
}

/** All targets; `folder` is for files that they are made of. */
export function targets(folder: string): Target[] {
  const read = [...readerSeeds()].map(([format, seeds]): Target => ({
    name: `read ${format}`,
    seeds,
    run: (path, _, choice) => readGraph(path, choice % 2 === 0 ? format : null, choice >> 1),
  }));
  const kinds = documentSeeds(folder);
  const documents = [...kinds].map(([kind, seeds]): Target => ({
    name: `document ${kind}`,
    seeds,
    run: (path, _, choice) => readDocument(path, choice),
  }));
  const headers = [...kinds.values()].flat().map(({ name, files }) => {
    const bytes = files[""]!, length = new DataView(bytes.buffer).getUint32(0, true);
    return { name, files: { "": bytes.slice(8, 8 + length) } };
  });
  const json: Target = { name: "json", seeds: headers, run: (_, files) => readJson(files[""]!) };
  const header: Target = {
    name: "header",
    seeds: headers,
    run: (path, files) => readHeaderText(path, files[""]!),
  };
  const reference: Target = {
    name: "document ref",
    seeds: referenceSeeds(folder),
    run: (path, files, choice) => readReference(path, files[""]!, choice),
  };
  return [...read, ...documents, reference, header, json];
}
