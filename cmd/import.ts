/** gust import: read a graph in a common format and write it as a graph document. */
import process from "node:process";
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { type Imported, importGraph, importRecord, reportJson } from "../core/readers/import.ts";
import { InputSet } from "../core/readers/input.ts";
import { detectReader, readers } from "../core/readers/mod.ts";
import { sizeOf, sizeText } from "../core/size.ts";
import { memoryUse } from "../ffi/native.ts";
import { SPOOL_BYTES } from "../ffi/native_source.ts";
import { withIo } from "./_io.ts";
import { defineCommand, entryParams, filesNamed, registryOptions } from "./_options.ts";

const options = z.object({
  format: z.enum(["auto", ...readers.names]).default("auto").describe(
    "format of the input; auto tells it by content, never by name",
  ),
  indexBase: z.int().min(0).max(1).optional().describe(
    "what the file calls the first node, 0 or 1 [as the format says, else 0]",
  )
    .meta({ value: "N" }),
  numNodes: z.int().min(0).optional().describe("number of nodes; ids from it on are errors [largest id + 1]")
    .meta({ value: "N" }),
  directed: z.boolean().default(false).describe(
    "take every listed edge as one arc, and call the graph directed",
  ),
  symmetrize: z.boolean().default(false).describe("add the missing reverse of every arc"),
  removeSelfLoops: z.boolean().default(false).describe("drop arcs from a node to itself"),
  selfLoops: z.boolean().default(false).describe("give every node without one a self-loop of weight 1"),
  largestComponent: z.boolean().default(false).describe("keep the largest weakly connected component alone"),
  relabel: z.boolean().default(false).describe(
    "number the ids that occur 0, 1, 2, ...; node_ids keeps the originals",
  ),
  homogeneous: z.boolean().default(false).describe(
    "make nodes of one type of those of a typed graph, and types of arcs of its relations",
  ),
  memory: sizeText(0).optional().describe(
    "most memory to take: past it, edges go to temporary files (TMPDIR); line formats only",
  ),
  ...registryOptions(readers),
}).strict();
type Options = z.infer<typeof options>;

/** "2,708 nodes, 10,556 arcs (undirected), 1,433 sparse features (49,216 stored), 7 classes" */
function summary({ meta, tensors, report }: Imported): string {
  const n = (x: number) => x.toLocaleString("en");
  const parts = [
    `${n(meta.num_nodes)} nodes`,
    `${n(meta.num_edges)} arcs (${meta.directed ? "directed" : "undirected"})`,
  ];
  if (report.selfLoops) {
    parts.push(`${n(report.selfLoops)} ${report.selfLoops === 1 ? "self-loop" : "self-loops"}`);
  }
  if (report.isolated && meta.num_edges > 0) {
    parts.push(`${n(report.isolated)} isolated ${report.isolated === 1 ? "node" : "nodes"}`);
  }
  const sparse = tensors.find(({ name }) => name === "feat.indices");
  if (meta.num_features) {
    parts.push(
      `${n(meta.num_features)} ${sparse ? `sparse features (${n(sparse.shape[0]!)} stored)` : "features"}`,
    );
  }
  if (meta.num_classes) parts.push(`${n(meta.num_classes)} ${meta.multi_label ? "labels" : "classes"}`);
  return [...parts, ...familyParts({ meta, tensors })].join(", ");
}

/** Rows of a tensor, less those that are one more than its items; undefined: there is none. */
function rowsOf(tensors: Imported["tensors"], name: string, extra = 0): number | undefined {
  const found = tensors.find((tensor) => tensor.name === name);
  return found && found.shape[0]! - extra;
}

/** What typed, many-graph and linked data have besides: "3 node types, 5 relations", "188 graphs", "3,034 val links". */
function familyParts({ meta, tensors }: Pick<Imported, "meta" | "tensors">): string[] {
  const n = (count: number, what: string) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
  const parts: string[] = [];
  if (meta.relations) {
    parts.push(n(meta.node_types!.length, "node type"), n(meta.relations.length, "relation"));
  }
  if (meta.edge_types) parts.push(n(meta.edge_types.length, "edge type"));
  const graphs = rowsOf(tensors, "graph_ptr", 1);
  if (graphs !== undefined) parts.push(n(graphs, "graph"));
  for (const split of ["val", "test"]) {
    const links = rowsOf(tensors, `link.${split}`);
    if (links !== undefined) parts.push(n(links, `${split} link`));
  }
  return parts;
}

/** Width of the longest format name: the help lists them in a column. */
const nameWidth = Math.max(...readers.names.map((name) => name.length));

const self = { name: "import", writesDocument: true } as const;

export const command = defineCommand({
  ...self,
  summary: "read a graph in a common format and write a graph document",
  operands: "[file|folder...]",
  options,
  details: `Formats (told by content; gzip and zstd are unpacked; - or no operand reads standard input):
${[...readers].map(({ name, summary }) => `  ${name.padEnd(nameWidth)} ${summary}`).join("\n")}

An arc u -> v becomes entry u in row v. Nothing is symmetrised, removed or renumbered unless asked for; duplicates are
merged (their weights added), but arcs with times, types or features stay. Every change is counted on standard error,
and in the --json result.

Examples:
  gust import cora.npz -o cora.graph.safetensors
  gust import edges.txt.gz --index-base 1 --symmetrize --remove-self-loops -o roads.graph.safetensors
  zcat edges.csv.gz | gust import - --ids string | gust inspect
  gust import PROTEINS/ -o proteins.graph.safetensors
  gust import WN18RR/ -o wn18rr.graph.safetensors
  gust import events.txt --index-base 1 --bipartite -o wiki.graph.safetensors
  gust import people.json --homogeneous | gust sample --split all --type-fanout KNOWS=10,5:LIVES_IN=1,1`,
  run(inputs, o, common) {
    if ((inputs.length === 0 || inputs[0] === "-") && process.stdin.isTTY) {
      throw new GustError(
        "missing",
        "No input: expected a file or a folder, or data on standard input",
        "gust import --help",
      );
    }
    // What was read is known only afterwards: operands may be folders.
    return withIo(self, [], common, (io) => {
      const memory = o.memory === undefined ? undefined : sizeOf(o.memory);
      const input = InputSet.open(inputs, memory && Math.min(SPOOL_BYTES, Math.floor(memory / 8)));
      const reader = o.format === "auto" ? detectReader(input) : readers.get(o.format);
      const params = entryParams(readers, reader, o);
      const request = { ...o as Options & { indexBase?: 0 | 1 }, memory };
      const imported = importGraph(input, reader, request, params);
      io.alsoRead.push(...filesNamed(reader, params), ...imported.files.flatMap(({ path }) => path ?? []));
      const { meta, tensors, report, notes, changes } = imported;
      const provenance = io.provenance(importRecord(reader.name, o, imported), []);
      const digest = io.write({ kind: "graph", meta: { ...meta }, tensors, provenance });
      for (const line of [...notes, ...changes]) io.warn(line);
      io.say(
        `gust import: ${input.label}: ${reader.name}, ${summary(imported)}, digest ${digest.slice(0, 12)}`,
      );
      io.json({
        format: reader.name,
        graphs: rowsOf(tensors, "graph_ptr", 1),
        nodes: meta.num_nodes,
        edges: meta.num_edges,
        directed: meta.directed,
        features: meta.num_features,
        classes: meta.num_classes,
        changes: reportJson(report),
        peak_memory_bytes: memoryUse().residentPeak,
        notes,
        digest,
      });
    });
  },
});
