/**
 * Matrix Market coordinate file: entry (i, j) is the arc i -> j, from 1. Undirected graphs are written as symmetric
 * matrices, which list each edge once.
 * Source: Boisvert, Pozo, Remington 1996, NISTIR 5935.
 */
import { countSelfLoops } from "../../ffi/native_csr.ts";
import { findAsymmetry } from "../../ffi/native_build.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { csrText } from "../../ffi/native_text.ts";
import type { Graph } from "../graph/graph.ts";
import { every } from "../readers/reader.ts";
import { isInteger } from "./nodes.ts";
import { type Export, leftOut, utf8, type Writer } from "./writer.ts";

function write(graph: Graph): Export {
  const { csr, numNodes, numEdges } = graph;
  const isSymmetric = !graph.meta.directed && findAsymmetry(csr) === null;
  const loops = isSymmetric ? countSelfLoops(csr) : 0;
  const entries = isSymmetric ? (numEdges - loops) / 2 + loops : numEdges;
  const { values } = csr;
  const field = values === null
    ? "pattern"
    : every(values as NativeArray<"F64">, isInteger)
    ? "integer"
    : "real";
  const banner = `%%MatrixMarket matrix coordinate ${field} ${isSymmetric ? "symmetric" : "general"}\n`;
  function* pieces() {
    yield utf8(`${banner}${numNodes} ${numNodes} ${entries}\n`);
    yield* csrText(csr, {
      layout: "arcs",
      base: 1,
      part: isSymmetric ? "once" : "all",
      columns: values ? [values] : [],
    });
  }
  return {
    files: [{ name: null, pieces: pieces() }],
    notes: leftOut(graph, ["edge_weight"], "a Matrix Market file"),
  };
}

export const mtx: Writer = {
  name: "mtx",
  summary: "Matrix Market coordinate file",
  source: "Boisvert, Pozo, Remington 1996, NISTIR 5935",
  isFolder: false,
  isText: true,
  write,
};
