/** gust export: write a graph document in a common format. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { writeOutput, writing } from "../core/format/write.ts";
import { Graph } from "../core/graph/graph.ts";
import { writers } from "../core/writers/mod.ts";
import type { Piece } from "../core/writers/writer.ts";
import { NativeArray } from "../ffi/native.ts";
import { HashingWriter } from "../ffi/native_files.ts";
import { type Io, withIo } from "./_io.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";

const compressors = {
  none: null,
  // Members follow one another: every reader of these formats takes them as one.
  gzip: (bytes: Uint8Array): Uint8Array => gzipSync(bytes),
  zstd: (bytes: Uint8Array): Uint8Array => zstdCompressSync(bytes),
} as const;
type Compression = keyof typeof compressors;

/** Bytes packed at once. */
const PACKED_BYTES = 2 ** 24;

/** Pieces packed on their own. */
function* packed(pieces: Iterable<Piece>, pack: (bytes: Uint8Array) => Uint8Array): Generator<Piece> {
  for (const piece of pieces) {
    const bytes = piece instanceof NativeArray
      ? NativeArray.at("U8", piece.sizeBytes, piece.address, piece)
      : NativeArray.from<"U8">(piece);
    for (let at = 0; at < bytes.length; at += PACKED_BYTES) {
      yield pack(bytes.window(at, Math.min(PACKED_BYTES, bytes.length - at)));
    }
  }
}

/** Write pieces; returns their bytes. */
function put(fd: number, pieces: Iterable<Piece>, compression: Compression): number {
  const pack = compressors[compression];
  const writer = new HashingWriter(fd);
  let sizeBytes = 0;
  try {
    for (const piece of pack ? packed(pieces, pack) : pieces) {
      writer.put(piece);
      sizeBytes += piece instanceof NativeArray ? piece.sizeBytes : piece.byteLength;
    }
  } finally {
    writer.close();
  }
  return sizeBytes;
}

function graphOf(io: Io): Graph {
  const document = io.one("graph");
  if (document.has("indptr")) return new Graph(document);
  throw new GustError(
    "unsupported",
    `${document.label} has typed nodes and relations, and the formats of gust export hold one kind of each`,
    "a document is a safetensors file: other programs open its rel/<relation>/indptr and indices",
  );
}

const self = { name: "export", writesDocument: false, writesText: true } as const;

export const command = defineCommand({
  ...self,
  summary: "write a graph in a common format",
  operands: "[graph]",
  options: z.object({
    format: z.enum(writers.names as [string, ...string[]]).default("edgelist").describe("format to write"),
    compress: z.enum(["none", "gzip", "zstd"]).default("none").describe("pack the output"),
    ...registryOptions(writers),
  }).strict(),
  details: `Formats:
${[...writers].map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n")}

Entry u of row v is written as the arc u -> v. What a format cannot hold is named on standard error. Memory does not
grow with arcs and features, but for npz of a directed graph, whose arcs are sorted by source, and of features that NumPy
has no type for. It grows with nodes by a byte of each; in metis by 8 for a weight; in csv by a byte for each part of
splits that are stored as lists; and by the names of an edge list, which are compared.

Examples:
  gust export cora.graph.safetensors --format metis -o cora.graph
  gust export roads.graph.safetensors --compress gzip -o roads.txt.gz
  gust export cora.graph.safetensors --format csv -o cora_tables`,
  run(inputs, o, common) {
    const writer = writers.get(o.format);
    const { output } = common;
    if (writer.isFolder && output === undefined) {
      throw new GustError("usage", `Format "${writer.name}" is a folder of files, expected -o FOLDER`);
    }
    if (output === undefined && process.stdout.isTTY && (!writer.isText || o.compress !== "none")) {
      throw new GustError("usage", "Refusing to write binary data to a terminal", "use -o FILE, or a pipe");
    }
    return withIo(self, inputs, common, (io) => {
      const graph = graphOf(io);
      const { files, notes } = writer.write(graph, entryParams(writers, writer, o));
      if (writer.isFolder) writing(`"${output}"`, () => mkdirSync(output!, { recursive: true }));
      const written = files.map(({ name, pieces }) => {
        const write = (fd: number) => put(fd, pieces, o.compress);
        const path = name === null ? output : join(output!, name);
        return { path, bytes: writeOutput(path, write) };
      });
      for (const note of notes) io.warn(note);
      const paths = written.flatMap(({ path }) => path ?? []);
      if (paths.length) io.writeDeps(...paths);
      io.say(`gust export: ${writer.name}, ${graph.numNodes} nodes, ${graph.numEdges} arcs`);
      io.json({
        format: writer.name,
        nodes: graph.numNodes,
        edges: graph.numEdges,
        files: written.map(({ path = null, bytes }) => ({ path, bytes })),
        notes,
      });
    });
  },
});
