/**
 * Edge lists: a line per arc with source, target, and as much as the graph has of weight, time and type, in this order.
 * An undirected edge gives two lines.
 * Names of nodes are separated by commas and quoted where they need it, numbers by blanks.
 */
import { z } from "zod";
import { countIsolated } from "../../ffi/native_build.ts";
import { csrText } from "../../ffi/native_text.ts";
import type { Graph } from "../graph/graph.ts";
import { arcColumns, calledBy, idsParam } from "./nodes.ts";
import { type Export, leftOut, type Writer } from "./writer.ts";

const params = z.object({ ids: idsParam }).strict();

/** What stands behind source and target, unless it is the weight alone, and how it is read back. */
function columnsNote(columns: readonly string[], areNamed: boolean): string[] {
  const [first, ...rest] = columns;
  if (first === undefined || (first === "edge_weight" && rest.length === 0)) return [];
  const what = columns.map((name, i) => `column ${i + 3} is ${name}`).join(", ");
  const back = first === "edge_time" && rest.length === 0 && !areNamed
    ? "sort -s -k 3,3g FILE | gust import --format events reads it back"
    : first === "edge_weight"
    ? "gust import --weights 3 reads the weights alone"
    : `gust import --weights none leaves ${rest.length ? "them" : "it"} out`;
  return [`${what}: ${back}`];
}

function write(graph: Graph, given: Record<string, unknown>): Export {
  const p = params.parse(given);
  const called = calledBy(graph, p.ids), columns = arcColumns(graph);
  const notes = leftOut(
    graph,
    ["node_ids", "node_names", ...columns.map(({ name }) => name)],
    "an edge list",
  );
  const isolated = countIsolated(graph.csr);
  if (called.names || called.ids) {
    const what = called.names ? "names" : "original ids";
    notes.push(`nodes are called by their ${what}; --ids index writes their numbers`);
    if (isolated) notes.push(`${isolated} isolated nodes are on no line, and so left out`);
  } else if (isolated) {
    notes.push(`the lines do not tell the number of nodes: import with --num-nodes ${graph.numNodes}`);
  }
  notes.push(...columnsNote(columns.map(({ name }) => name), called.names !== undefined));
  const pieces = csrText(graph.csr, {
    layout: "arcs",
    delimiter: called.names ? "," : " ",
    ...called,
    columns: columns.map(({ array }) => array),
  });
  return { files: [{ name: null, pieces }], notes };
}

export const edgelist: Writer = {
  name: "edgelist",
  summary: "a line per arc: source, target, and what it has of weight, time and type",
  source: "SNAP, KONECT",
  params,
  isFolder: false,
  isText: true,
  write,
};
