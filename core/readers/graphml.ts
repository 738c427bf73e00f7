/**
 * GraphML: one graph of typed nodes and edges in XML, read as a stream.
 *
 * Node ids become node_names, unless they are the numbers 0 .. n-1 (or n0 .. n(n-1), as igraph writes them). An edge is
 * directed as it says itself, else as the graph's edgedefault. Of the attributes, --weight-attr names the edge weight,
 * --label-attr the classes of the nodes, --feat-attrs their features; other attributes of nodes are kept as
 * extra/node/<name>, those of edges are left out. Hyperedges and nested graphs are no plain graph, and are refused.
 * Source: Brandes et al. 2002, "GraphML Progress Report", GD 2001; graphml.graphdrawing.org, GraphML Primer.
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { nodeParts } from "./graphml_nodes.ts";
import { type GraphmlKey, parseGraphml } from "./graphml_parse.ts";
import { dataError, fileReader, type RawGraph, type ReadOptions } from "./reader.ts";

const params = z.object({
  weightAttr: z.string().default("weight").describe("edge attribute that holds the weights").meta({
    value: "NAME",
  }),
  labelAttr: z.string().optional().describe("node attribute that holds the classes").meta({ value: "NAME" }),
  featAttrs: z.array(z.string()).min(1).optional().describe("numeric node attributes that are the features"),
}).strict();

/** The beginning of the document in any encoding, without byte order mark and the zeros of UTF-16. */
function sniff(source: Source): boolean {
  const head = new TextDecoder("latin1").decode(source.head(1 << 12)).replace(/\0/g, "");
  return /^(ï»¿|ÿþ|þÿ)?\s*(<\?xml[^>]*>)?(\s|<!--[\s\S]*?-->|<!DOCTYPE[^>]*>)*<(\w+:)?graphml[\s>]/.test(
    head,
  );
}

function read(source: Source, _options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const p = params.parse(given);
  const weightKey = (keys: readonly GraphmlKey[]) =>
    keys.find(({ on, name, type }) => on !== "node" && name === p.weightAttr && type !== "string");
  const g = parseGraphml(source, weightKey);
  const n = g.ids.length;
  const nodes = nodeParts(source, g, p);
  const { sources, targets, weights, numDirected, numEdges } = g;
  if (numDirected > 0 && numDirected < numEdges) {
    nodes.notes.push(
      `${
        numEdges - numDirected
      } undirected and ${numDirected} directed edges: the undirected ones become two arcs`,
    );
  }
  const place = nodes.numberOf;
  const list = (ids: Int32Array) => NativeArray.from<"I32">(place ? ids.map((id) => place[id]!) : ids);
  const edges = EdgeList.fromArrays(list(sources), list(targets));
  const hasWeights = weights.some((w) => w !== 1);
  if (hasWeights) edges.setWeights(NativeArray.from<"F64">(weights));
  const left = g.keys.filter(({ on, id }) => on !== "node" && id !== weightKey(g.keys)?.id && g.used.has(id));
  if (left.length) {
    nodes.notes.push(`left out attributes of edges: ${left.map(({ name }) => name).join(", ")}`);
  }
  if (n === 0) throw dataError(source, "the graph has no nodes");
  const { notes, features, labels, classNames, nodeNames, extra } = nodes;
  return {
    edges,
    numNodes: n,
    isUndirected: numDirected === 0,
    isWeighted: hasWeights,
    features,
    labels,
    classNames,
    nodeNames,
    extra,
    notes,
  };
}

export const graphml = fileReader({
  name: "graphml",
  summary: "GraphML: nodes, edges and their attributes in XML",
  source: "Brandes et al. 2002, GraphML Progress Report",
  params,
  sniff,
  read,
});
