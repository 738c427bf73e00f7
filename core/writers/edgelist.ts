/**
 * Edge lists: a line "source target [weight [time [type]]]" per arc. An undirected edge gives two lines.
 * Names of nodes are separated by commas and quoted where they need it, numbers by blanks.
 */
import { z } from "zod";
import { countIsolated } from "../../ffi/native_build.ts";
import { csrText } from "../../ffi/native_text.ts";
import type { Graph } from "../graph/graph.ts";
import { arcColumns, calledBy, idsParam } from "./nodes.ts";
import { type Export, leftOut, type Writer } from "./writer.ts";

const params = z.object({ ids: idsParam }).strict();

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
  summary: "a line per arc: source, target and weight",
  source: "SNAP, KONECT",
  params,
  isFolder: false,
  isText: true,
  write,
};
