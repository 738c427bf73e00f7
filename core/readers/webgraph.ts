/**
 * WebGraph's text form (ASCIIGraph): the number of nodes, then line i = the successors of node i, ascending, from 0.
 *
 * The lists hold every arc once, so the graph is directed unless its arcs come in pairs.
 * Source: Boldi and Vigna 2004, WWW '04; it.unimi.dsi.webgraph.ASCIIGraph.
 */
import { EdgeList } from "../../ffi/native_build.ts";
import { type Source, textShape } from "../../ffi/native_source.ts";
import { fileReader, parsing, type RawGraph, type ReadOptions, textError } from "./reader.ts";
import { headLines, integer, isText, type Line, words } from "./text.ts";

/** The first line, where it is one number. */
function header(source: Source): { line: Line; numNodes: number } | null {
  const { value: line } = headLines(source).next();
  if (!line) return null;
  const given = words(line.text);
  const numNodes = integer(given[0]);
  return given.length === 1 && Number.isSafeInteger(numNodes) && numNodes >= 0 ? { line, numNodes } : null;
}

/** A line of ascending ids below n. */
function isSuccessors(text: string, n: number): boolean {
  const ids = words(text).map(integer);
  return ids.every((id, i) => id >= 0 && id < n && (i === 0 || id > ids[i - 1]!));
}

/**
 * A count and as many lines is what other formats begin with too (triples, meshes): successor lists ascend, and differ
 * in length.
 */
function sniff(source: Source): boolean {
  if (!isText(source)) return false;
  const head = header(source);
  if (!head || head.numNodes < 1 || head.numNodes > source.sizeBytes) return false;
  const lengths = new Set<number>();
  for (const line of headLines(source)) {
    if (line === head.line || line.number === 1) continue;
    if (line.number > head.numNodes + 1) {
      if (line.text.trim() !== "") return false;
      continue;
    }
    if (!isSuccessors(line.text, head.numNodes)) return false;
    lengths.add(words(line.text).length);
  }
  if (lengths.size < 2) return false;
  const { lines, blankAtEnd } = textShape(source, head.numNodes + 2);
  return lines - 1 >= head.numNodes && lines - 1 - blankAtEnd <= head.numNodes;
}

function read(source: Source, options: ReadOptions): RawGraph {
  const head = header(source);
  if (!head) throw textError(source, 1, 1, "the first line is no count of nodes, expected one integer");
  const { line, numNodes } = head;
  if (numNodes > source.sizeBytes) {
    const problem = `the first line says ${numNodes} nodes, more than the file has bytes`;
    throw textError(source, 1, 1, problem, "--format edgelist reads a list of edges");
  }
  const format = {
    begin: line.end,
    header: line.begin,
    numNodes,
    nodeWeights: 0,
    hasSizes: false,
    hasEdgeWeights: false,
    indexBase: options.indexBase ?? 0,
    heldBytes: options.heldBytes,
  };
  const hints = [[/is out of range/, "--index-base 1 reads lists that count from 1"]] as const;
  const edges = parsing(source, hints, () => EdgeList.parseMetis(source, format, null, null));
  return { edges, numNodes, isUndirected: false, isWeighted: false, notes: [] };
}

export const webgraph = fileReader({
  name: "webgraph",
  summary: "WebGraph text: number of nodes, then a line of successors per node",
  source: "Boldi and Vigna 2004, it.unimi.dsi.webgraph.ASCIIGraph",
  isBounded: true,
  sniff,
  read,
});
