/** gust generate: make a random or regular graph. */
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { writeOutput } from "../core/format/write.ts";
import { edgeListText } from "../core/generate/edge_list.ts";
import type { GeneratorEntry } from "../core/generate/generator.ts";
import { generateGraph } from "../core/generate/graph.ts";
import { generators } from "../core/generate/mod.ts";
import { HashingWriter } from "../ffi/native_files.ts";
import { type Io, withIo } from "./_io.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";

const models = generators.names.join("|");

export const command = defineCommand({
  name: "generate",
  summary: "make a random or regular graph",
  operands: `<${models}>`,
  details: `
Models:
${[...generators].map((entry) => `  ${entry.name.padEnd(12)} ${entry.summary}`).join("\n")}

Graphs are undirected (both arcs stored) unless --directed; self-loops and duplicates are left out and counted.
Labels are classes of communities, or random; --label-count makes several per node that its neighbourhood decides.
Edges are functions of a counter and drawn twice instead of stored. Memory for n nodes and a drawn arcs:
8 (n + 1) + 4 a bytes, 4 n for labels (L n and 64 n for L of --label-count), n for a split, and 32 MiB; --edge-list takes
16 MiB for any size.

Examples:
  gust generate sbm -o sbm.graph.safetensors
  gust generate small-world --rows 238 --cols 239 --degree 35 --reach 4 --features 50 --label-count 121 --label-hops 3 \
    --classes 1 --train-per-class 44000 --val-per-class 6500 -o ppi_sized.graph.safetensors
  gust generate rmat --scale 20 --edges 1e7 --permute | gust inspect
  gust generate erdos-renyi --nodes 1e6 --edges 1e7 --edge-list -o edges.txt`,
  writesDocument: true,
  options: z.object({
    edgeList: z.boolean().default(false).describe(
      'write text instead of a document: a line "u v" per drawn edge, duplicates included',
    ),
    ...registryOptions(generators),
  }).strict(),
  async run(inputs, options, common) {
    const entry = generators.get(inputs[0]!);
    const params = entryParams(generators, entry, options);
    const { edgeList } = options;
    if (edgeList && common.json && common.output === undefined) {
      throw new GustError(
        "usage",
        "--json and --edge-list cannot both go to standard output",
        "write the edges with -o FILE",
      );
    }
    await withIo({ name: "generate", writesDocument: !edgeList, writesText: edgeList }, [], common, (io) => {
      if (edgeList) writeEdges(io, entry, params);
      else writeGraph(io, entry, params);
    });
  },
});

function writeGraph(io: Io, entry: GeneratorEntry, params: Record<string, unknown>): void {
  const provenance = io.provenance({ model: entry.name, ...params }, []);
  const { document, duplicates, selfLoops } = generateGraph(entry, params, io.common.seed, provenance);
  const digest = io.write(document);
  const { num_nodes: nodes, num_edges: edges, num_features: features, num_classes: classes } = document.meta;
  io.say(`${nodes} nodes, ${edges} arcs, ${features} features, ${classes} classes`);
  if (duplicates + selfLoops > 0) io.say(`left out: ${duplicates} duplicate arcs, ${selfLoops} self-loops`);
  io.json({
    kind: "graph",
    model: entry.name,
    nodes,
    edges,
    features,
    classes,
    duplicates,
    self_loops: selfLoops,
    digest,
  });
}

function writeEdges(io: Io, entry: GeneratorEntry, params: Record<string, unknown>): void {
  const generator = entry.open(params, io.common.seed);
  const write = (fd: number) => {
    let edges = 0;
    const writer = new HashingWriter(fd);
    try {
      for (const piece of edgeListText(generator)) {
        writer.put(piece.text);
        edges += piece.edges;
      }
    } finally {
      writer.close();
    }
    return edges;
  };
  const { output } = io.common;
  const edges = writeOutput(output, write);
  if (output !== undefined) io.writeDeps(output);
  io.say(`${generator.numNodes} nodes, ${edges} edges`);
  io.json({ kind: "edge list", model: entry.name, nodes: generator.numNodes, edges });
}
