/**
 * Importing a generated graph from each plain format: whole processes, from starting to the written document, with the
 * peak of their anonymous and shared resident memory.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { HashingWriter } from "../../ffi/native_files.ts";
import { csrText } from "../../ffi/native_text.ts";
import { GustError } from "../errors.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import type { Graph } from "../graph/graph.ts";
import { writers } from "../writers/mod.ts";
import { type Piece, utf8 } from "../writers/writer.ts";
import { type BenchResult, defineBenchmark, resultOf } from "./benchmark.ts";
import { statsOf } from "./measure.ts";

const bytesOf = (piece: Piece): Uint8Array =>
  piece instanceof NativeArray ? NativeArray.at("U8", piece.sizeBytes, piece.address, piece).window() : piece;

function* mapped(pieces: Iterable<Piece>, f: (bytes: Uint8Array) => Uint8Array): Generator<Piece> {
  for (const piece of pieces) yield f(bytesOf(piece));
}

/** Lines of a text, each rewritten. */
function* rewritten(pieces: Iterable<Piece>, f: (u: string, v: string) => string): Generator<Piece> {
  const decoder = new TextDecoder();
  for (const piece of pieces) {
    yield utf8(
      decoder.decode(bytesOf(piece)).replace(/(\d+) (\d+)\n/g, (_, u: string, v: string) => f(u, v)),
    );
  }
}

const written = (name: string, graph: Graph) => {
  const writer = writers.get(name);
  return writer.write(graph, writer.params?.parse({}) ?? {}).files[0]!.pieces;
};

function* graphml(graph: Graph): Generator<Piece> {
  yield utf8('<?xml version="1.0" encoding="UTF-8"?>\n<graphml><graph edgedefault="undirected">\n');
  for (let v = 0; v < graph.numNodes; v++) yield utf8(`<node id="${v}"/>\n`);
  const once = csrText(graph.csr, { layout: "arcs", part: "once" });
  yield* rewritten(once, (u, v) => `<edge source="${u}" target="${v}"/>\n`);
  yield utf8("</graph></graphml>\n");
}

function* dimacs(graph: Graph): Generator<Piece> {
  yield utf8(`p edge ${graph.numNodes} ${graph.numEdges}\n`);
  yield* rewritten(csrText(graph.csr, { layout: "arcs", base: 1 }), (u, v) => `e ${u} ${v}\n`);
}

function* webgraph(graph: Graph): Generator<Piece> {
  yield utf8(`${graph.numNodes}\n`);
  yield* csrText(graph.csr, { layout: "lists" });
}

/** The graph in every format: one file each. */
const formats: Readonly<Record<string, (graph: Graph) => Iterable<Piece>>> = {
  edgelist: (graph) => written("edgelist", graph),
  edgelist_gzip: (graph) => mapped(written("edgelist", graph), (bytes) => gzipSync(bytes)),
  edgelist_zstd: (graph) => mapped(written("edgelist", graph), (bytes) => zstdCompressSync(bytes)),
  edgelist_names: (graph) => rewritten(written("edgelist", graph), (u, v) => `node${u},node${v}\n`),
  mtx: (graph) => written("mtx", graph),
  metis: (graph) => written("metis", graph),
  dimacs,
  webgraph,
  npz: (graph) => written("npz", graph),
  graphml,
};
const names = Object.keys(formats) as [string, ...string[]];

/** Write pieces to a file; returns its bytes. */
function writeTo(path: string, pieces: Iterable<Piece>): number {
  const fd = openSync(path, "w");
  const writer = new HashingWriter(fd);
  try {
    for (const piece of pieces) writer.put(piece);
  } finally {
    writer.close();
    closeSync(fd);
  }
  return statSync(path).size;
}

/** Run `gust import` on a file: milliseconds and the peak of its memory in bytes. */
function importOnce(program: readonly string[], folder: string, file: string, more: readonly string[]) {
  const report = join(folder, "report.json");
  const args = ["import", file, "-o", join(folder, "out"), "-q", `--json=${report}`, ...more];
  const start = performance.now();
  const { status, stderr } = spawnSync(program[0]!, [...program.slice(1), ...args], { encoding: "utf8" });
  const ms = performance.now() - start;
  if (status !== 0) throw new GustError("data", `gust import ended with status ${status}: ${stderr.trim()}`);
  const { peak_memory_bytes: peak } = JSON.parse(readFileSync(report, "utf8")) as {
    peak_memory_bytes: number;
  };
  return { ms, peak };
}

export const importing = defineBenchmark({
  name: "import",
  summary: "gust import of a generated graph from each plain format: edges/s, MB/s, peak memory",
  source: "gust",
  params: z.object({
    edges: z.int().min(1).max(2 ** 31).default(1_000_000).describe("undirected edges of the generated graph"),
    formats: z.array(z.enum(names)).min(1).default(names).describe("formats to measure"),
    runs: z.int().min(3).max(10000).default(10).describe("timed runs"),
    memory: z.string().optional().describe("import with --memory SIZE (line formats)").meta({
      value: "SIZE",
    }),
  }).strict(),
  generated: ({ edges }) => ({
    model: "erdos-renyi",
    params: { nodes: Math.max(2, Math.ceil(edges / 10)), edges },
  }),
  run(context, { formats: wanted, runs, memory }) {
    const { graph, label } = context.graph();
    const temporary = new TemporaryFolder("gust-bench-"), folder = temporary.path;
    const results: BenchResult[] = [];
    try {
      for (const name of wanted) {
        const file = join(folder, "in");
        const bytes = writeTo(file, formats[name]!(graph));
        const more = memory === undefined ? [] : ["--memory", memory];
        importOnce(context.program, folder, file, more);
        const all = Array.from({ length: runs }, () => importOnce(context.program, folder, file, more));
        const stats = statsOf(all.map(({ ms }) => ms));
        const edges = name === "graphml" || name === "mtx" ? graph.numEdges / 2 : graph.numEdges;
        results.push({
          ...resultOf({ name: `import_${name}`, graph: label, dtype: null, stats }),
          medges_s: edges / stats.medianMs / 1e3,
          mb_s: bytes / stats.medianMs / 1e3,
          file_bytes: bytes,
          peak_memory_bytes: Math.max(...all.map(({ peak }) => peak)),
        });
      }
    } finally {
      temporary.close();
    }
    return results;
  },
});
