/**
 * METIS .graph: header "n m [fmt [ncon]]", then a line of neighbours per vertex, behind its size and weights. Undirected
 * graphs only; edge weights are positive integers there, and self-loops do not exist.
 * Source: METIS 5.1 manual, section 4.1.1.
 */
import { NativeArray } from "../../ffi/native.ts";
import { countSelfLoops } from "../../ffi/native_csr.ts";
import { convert } from "../../ffi/native_source.ts";
import { csrText, type TextOptions } from "../../ffi/native_text.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { every } from "../readers/reader.ts";
import { exactElements, isInteger, requireUndirected } from "./nodes.ts";
import { type Export, leftOut, utf8, type Writer } from "./writer.ts";

/** Sizes and weights of the vertices in one table, row by row. */
function prefixOf(
  graph: Graph,
  notes: string[],
): { prefix: TextOptions["prefix"]; sizes: boolean; weights: number } {
  const d = graph.document, n = graph.numNodes;
  const parts: { columns: number; array: NativeArray<"I64"> }[] = [];
  const take = (name: string): number => {
    if (!d.has(name)) return 0;
    const array = convert(d.tensor(name), "I64");
    if (typeof array === "number" || !every(array, (x) => x >= 0)) {
      notes.push(`left out, since METIS holds integers from 0 only: ${name}`);
      return 0;
    }
    const columns = d.spec(name).shape[1] ?? 1;
    parts.push({ columns, array });
    return columns;
  };
  const sizes = take("extra/node_size") > 0, weights = take("node_weight");
  if (parts.length <= 1) return { prefix: parts[0], sizes, weights };
  const columns = 1 + weights;
  const [a, b] = parts.map(({ array }) => array) as [NativeArray<"I64">, NativeArray<"I64">];
  const table = NativeArray.allocate("I64", n * columns);
  const out = table.window();
  const size = exactElements(a), weight = exactElements(b);
  for (let v = 0; v < n; v++) {
    out[v * columns] = size(v) as bigint;
    for (let c = 0; c < weights; c++) out[v * columns + 1 + c] = weight(v * weights + c) as bigint;
  }
  return { prefix: { columns, array: table }, sizes, weights };
}

function write(graph: Graph): Export {
  requireUndirected(graph, "METIS");
  const { csr, numNodes, numEdges } = graph;
  const { values } = csr;
  if (values && !every(values as NativeArray<"F64">, (x) => isInteger(x) && x > 0)) {
    throw new GustError(
      "unsupported",
      `${graph.document.label} has edge weights that are no positive integers below 2^63, and METIS holds no others`,
      "--format mtx or edgelist writes real weights",
    );
  }
  const notes = leftOut(graph, ["edge_weight", "node_weight", "extra/node_size"], "a METIS file");
  const loops = countSelfLoops(csr);
  if (loops) notes.push(`left out, since METIS has none: ${loops} self-loop${loops === 1 ? "" : "s"}`);
  const { prefix, sizes, weights } = prefixOf(graph, notes);
  const fmt = [sizes, weights > 0, values !== null].map((on) => on ? "1" : "0").join("");
  const words = [
    numNodes,
    (numEdges - loops) / 2,
    ...(fmt === "000" ? [] : [fmt]),
    ...(weights > 1 ? [weights] : []),
  ];
  function* pieces() {
    yield utf8(words.join(" ") + "\n");
    yield* csrText(csr, {
      layout: "lists",
      base: 1,
      part: "no loops",
      columns: values ? [values] : [],
      prefix,
    });
  }
  return { files: [{ name: null, pieces: pieces() }], notes };
}

export const metis: Writer = {
  name: "metis",
  summary: "METIS .graph file, with vertex and edge weights; undirected graphs only",
  source: "Karypis and Kumar, METIS 5.1 manual, section 4.1.1",
  isFolder: false,
  isText: true,
  write,
};
