/**
 * METIS .graph files (also Chaco's and KaHIP's): header "n m [fmt [ncon]]", then a line of neighbours per vertex.
 *
 * Undirected by definition: the lists hold 2m entries, every edge in both of its lists, which is checked. --directed
 * takes the lists as out-neighbours instead. Vertex weights become `node_weight`, vertex sizes `extra/node_size`.
 * Source: METIS 5.1 manual, section 4.1.1.
 */
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { type Source, textShape } from "../../ffi/native_source.ts";
import { fileReader, parsing, type RawGraph, type ReadOptions, textError } from "./reader.ts";
import { headLines, integer, isText, type Line, words } from "./text.ts";

interface Header {
  readonly line: Line;
  readonly numNodes: number;
  readonly numEdges: number;
  readonly hasSizes: boolean;
  readonly hasNodeWeights: boolean;
  readonly hasEdgeWeights: boolean;
  /** Weights per vertex: 0 without. */
  readonly numConstraints: number;
}

/** The header, or why the first line that is no comment is none. */
function readHeader(source: Source): Header | { line: Line | null; problem: string } {
  for (const line of headLines(source)) {
    if (line.text.startsWith("%")) continue;
    const given = words(line.text);
    const problem = (why: string) => ({
      line,
      problem: `header "${line.text.trim()}": ${why}, expected N M [FMT [NCON]]`,
    });
    const [numNodes, numEdges] = given.map(integer);
    if (given.length < 2 || given.length > 4) return problem(`${given.length} words`);
    if (
      !Number.isSafeInteger(numNodes) || !Number.isSafeInteger(numEdges) || numNodes! < 0 || numEdges! < 0
    ) {
      return problem("no counts of vertices and edges");
    }
    const fmt = given[2] ?? "0";
    if (!/^[01]{1,3}$/.test(fmt)) return problem(`fmt ${fmt}`);
    const [sizes, nodes, edges] = fmt.padStart(3, "0");
    const constraints = given[3] === undefined ? 1 : integer(given[3]);
    if (!(constraints >= 1 && constraints <= 1000)) return problem(`ncon ${given[3]}`);
    return {
      line,
      numNodes: numNodes!,
      numEdges: numEdges!,
      hasSizes: sizes === "1",
      hasNodeWeights: nodes === "1",
      hasEdgeWeights: edges === "1",
      numConstraints: nodes === "1" ? constraints : 0,
    };
  }
  return { line: null, problem: "no header, expected N M [FMT [NCON]]" };
}

/** Whether the lines behind the header differ in their number of words, as neighbour lists do and edge lists do not. */
function hasRaggedLines(source: Source, header: Line): boolean {
  let width: number | undefined;
  for (const line of headLines(source)) {
    if (line.number <= header.number || /^(%|#|\/\/)/.test(line.text)) continue;
    const count = words(line.text).length;
    width ??= count;
    if (count !== width) return true;
  }
  return false;
}

/** An edge list can begin with two numbers as well: the shape of the rest decides. */
function sniff(source: Source): boolean {
  if (!isText(source)) return false;
  const header = readHeader(source);
  const given = header.line ? words(header.line.text) : [];
  if (given.length < 2 || given.length > 4 || given.some((word) => Number.isNaN(integer(word)))) return false;
  const numNodes = integer(given[0]);
  if (numNodes < 1 || numNodes > source.sizeBytes) return false;
  const { lines, words: count, blankAtEnd } = textShape(source, numNodes + 2);
  const vertices = lines - 1;
  // Lists of neighbours are ragged; a few lines less or one more than the header says is a mistake in such a file.
  if (vertices - blankAtEnd <= numNodes + 1 && hasRaggedLines(source, header.line!)) return true;
  if ("problem" in header || vertices < numNodes || vertices - blankAtEnd > numNodes) return false;
  const perEntry = header.hasEdgeWeights ? 2 : 1;
  const perNode = header.numConstraints + (header.hasSizes ? 1 : 0);
  return count - given.length === 2 * header.numEdges * perEntry + numNodes * perNode;
}

const EDGE_LIST = "--format edgelist reads a list of edges";
const COUNTS_FROM_1 = "vertices count from 1 in this format; --index-base 0 reads a file that counts from 0";
const HINTS = [[/the header says/, EDGE_LIST], [/neighbour "0" is out of range/, COUNTS_FROM_1]] as const;

function read(source: Source, options: ReadOptions): RawGraph {
  const header = readHeader(source);
  if ("problem" in header) throw textError(source, header.line?.number ?? 1, 1, header.problem);
  const { numNodes, numEdges, line } = header;
  const indexBase = options.indexBase ?? 1;
  // A line has at least its newline: a count past the file's size is refused before memory is asked for.
  if (numNodes > source.sizeBytes) {
    const problem = `the header says ${numNodes} vertices, more than the file has bytes`;
    throw textError(source, line.number, 1, problem, EDGE_LIST);
  }
  const weights = header.numConstraints > 0
    ? NativeArray.allocate("I64", numNodes * header.numConstraints)
    : null;
  const sizes = header.hasSizes ? NativeArray.allocate("I64", numNodes) : null;
  const format = {
    begin: line.end,
    header: line.begin,
    numNodes,
    nodeWeights: header.numConstraints,
    hasSizes: header.hasSizes,
    hasEdgeWeights: header.hasEdgeWeights,
    indexBase,
    heldBytes: options.heldBytes,
  };
  const edges = parsing(source, HINTS, () => EdgeList.parseMetis(source, format, weights, sizes));
  const wanted = 2 * numEdges;
  if (edges.count !== wanted && !(options.directed && edges.count === numEdges)) {
    const problem =
      `the header says ${numEdges} edges, which take ${wanted} list entries, but the lists hold ${edges.count}`;
    throw textError(source, line.number, 1, problem, EDGE_LIST);
  }
  return {
    edges,
    numNodes,
    isUndirected: false,
    symmetricFrom: options.directed ? undefined : indexBase,
    isWeighted: header.hasEdgeWeights,
    nodeWeight: weights ? { columns: header.numConstraints, array: weights } : undefined,
    nodeSize: sizes ?? undefined,
    notes: [],
  };
}

export const metis = fileReader({
  name: "metis",
  summary: "METIS .graph file, with vertex and edge weights",
  source: "Karypis and Kumar, METIS 5.1 manual, section 4.1.1",
  isBounded: true,
  sniff,
  read,
});
