/** What the writers of text formats ask of a graph's nodes and arcs. */
import { z } from "zod";
import type { NativeArray } from "../../ffi/native.ts";
import { findAsymmetry } from "../../ffi/native_build.ts";
import { convert } from "../../ffi/native_source.ts";
import { Names, textDecoder } from "../../ffi/native_table.ts";
import type { Column, TextOptions } from "../../ffi/native_text.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";

export const idsParam = z.enum(["original", "index"]).default("original").describe(
  "what nodes are called: their names or ids in the imported file, where the graph keeps them, or their numbers",
);

const NUMBERS = "--ids index writes their numbers";

/** Elements that a window is moved by. */
const WINDOW = 2 ** 20;

/** Elements as TypeScript reads them: 16-bit floats as float32. */
function windowOf(array: NativeArray, start: number, count: number): ArrayLike<number | bigint> {
  if (array.dtype !== "F16" && array.dtype !== "BF16") return array.window(start, count);
  return (convert(array.slice(start, count), "F32") as NativeArray<"F32">).window();
}

/** Element i of an array, of I64 as a bigint; asked for in about ascending order, windows are taken rarely. */
export function exactElements(array: NativeArray): (i: number) => number | bigint {
  let start = 0, window: ArrayLike<number | bigint> = [];
  return (i) => {
    if (i < start || i >= start + window.length) {
      start = Math.floor(i / WINDOW) * WINDOW;
      window = windowOf(array, start, Math.min(WINDOW, array.length - start));
    }
    return window[i - start]!;
  };
}

/** The same as a number: for what stays below 2^53, such as positions and counts. */
export function elements(array: NativeArray): (i: number) => number {
  const at = exactElements(array);
  return (i) => Number(at(i));
}

/** The names of a graph as texts, or null. */
export function namesOf(graph: Graph): ((v: number) => string) | null {
  const names = nodeNames(graph);
  if (!names) return null;
  const { bytes } = names, at = elements(names.indptr);
  return (v) => {
    const begin = at(v);
    return textDecoder.decode(bytes.window(begin, at(v + 1) - begin));
  };
}

/** Names, original ids, or neither. */
export function nodeNames(graph: Graph): TextOptions["names"] {
  const d = graph.document;
  return d.has("node_names")
    ? { bytes: d.tensor("node_names", "U8"), indptr: d.tensor("node_names.indptr", "I64") }
    : undefined;
}

/** @throws {GustError} (unsupported) if a node has an empty name, or two the same: they would be none, or one, when read back. */
function requireNames(graph: Graph, texts: NonNullable<TextOptions["names"]>): void {
  const begin = elements(texts.indptr);
  for (let v = 0; v < graph.numNodes; v++) {
    if (begin(v) < begin(v + 1)) continue;
    throw new GustError(
      "unsupported",
      `${graph.document.label}: node ${v} has an empty name, expected a name`,
      NUMBERS,
    );
  }
  const names = new Names(), number = elements(names.numbers(texts, true));
  if (names.count === graph.numNodes) return;
  let node = 0;
  while (number(node) === node) node++;
  const first = number(node);
  throw new GustError(
    "unsupported",
    `${graph.document.label}: nodes ${first} and ${node} are both called "${namesOf(graph)!(node)}" (${
      names.count.toLocaleString("en")
    } names for ${
      graph.numNodes.toLocaleString("en")
    } nodes), expected names that tell the nodes of an arc apart`,
    NUMBERS,
  );
}

/**
 * What an arc's ends are called by `--ids`: names before ids.
 * @throws {GustError} (unsupported) for names that are empty, or that two nodes share.
 */
export function calledBy(graph: Graph, ids: z.infer<typeof idsParam>): Pick<TextOptions, "ids" | "names"> {
  if (ids === "index") return {};
  const names = nodeNames(graph);
  if (!names) return { ids: graph.nodeIds() ?? undefined };
  requireNames(graph, names);
  return { names };
}

/** Values of the arcs that a text can carry beside their ends: name and array. */
export function arcColumns(graph: Graph): { name: string; array: Column }[] {
  const d = graph.document;
  const found = (["edge_weight", "edge_time", "edge_type"] as const).filter((name) => d.has(name));
  return found.map((name) => ({ name, array: d.tensor(name) as NativeArray as Column }));
}

/** Whether a value is one that integer formats hold: csrText() writes its digits alone. */
export const isInteger = (x: number) => Number.isInteger(x) && Math.abs(x) < 2 ** 63;

/** @throws {GustError} (unsupported) unless every arc has its reverse of the same weight. */
export function requireUndirected(graph: Graph, format: string): void {
  const found = findAsymmetry(graph.csr);
  if (!found && !graph.meta.directed) return;
  const example = !found
    ? "the graph is marked as directed"
    : found.byValue
    ? `the arcs between nodes ${found.col} and ${found.row} have two different weights`
    : `arc ${found.col} -> ${found.row} has no reverse`;
  throw new GustError(
    "unsupported",
    `${graph.document.label} is directed (${example}), and ${format} holds undirected graphs only`,
    "gust import --symmetrize makes it undirected; --format edgelist or mtx writes arcs",
  );
}
