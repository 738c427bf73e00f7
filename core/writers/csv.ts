/**
 * A folder of two tables with headers: edges.csv (source, target, weight, time, type: one row per arc) and nodes.csv
 * (id, original id or name, label, splits, weights, features: one row per node).
 * Source: RFC 4180.
 */
import type { NativeArray } from "../../ffi/native.ts";
import { csrText } from "../../ffi/native_text.ts";
import { type Features, type Graph, type SplitName, splitNames } from "../graph/graph.ts";
import { arcColumns, elements, exactElements, namesOf } from "./nodes.ts";
import { type Export, leftOut, type Piece, utf8, type Writer } from "./writer.ts";

interface NodeColumn {
  readonly name: string;
  value(v: number): string;
}

const quoted = (text: string) => /[",\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
/** The shortest text that reads back as the same float32. */
function real(x: number, isFloat32: boolean): string {
  if (!isFloat32) return String(x);
  for (let digits = 6; digits < 10; digits++) {
    const text = String(Number(x.toPrecision(digits)));
    if (Math.fround(Number(text)) === x) return text;
  }
  return String(x);
}

/** A column of numbers per node, or several: `name`, or `name_0`, `name_1`, ... */
function numberColumns(name: string, array: NativeArray, columns: number): NodeColumn[] {
  const isFloat32 = array.dtype === "F32", at = exactElements(array);
  const text = (x: number | bigint) => typeof x === "bigint" ? String(x) : real(x, isFloat32);
  return Array.from({ length: columns }, (_, c) => ({
    name: columns === 1 ? name : `${name}_${c}`,
    value: (v) => text(at(v * columns + c)),
  }));
}

function featureColumns(features: Features | null): NodeColumn[] {
  if (!features) return [];
  const { numFeatures } = features;
  if (features.kind === "dense") {
    const { array, scale } = features;
    const isFloat32 = ["F32", "F16", "BF16"].includes(array.dtype),
      at = elements(array),
      by = scale && elements(scale);
    return Array.from({ length: numFeatures }, (_, c) => ({
      name: `feat_${c}`,
      value: (v) => real(at(v * numFeatures + c) * (by?.(c) ?? 1), isFloat32),
    }));
  }
  // One cell with "column" or "column:value" for each stored entry, so that rows stay as short as the graph's.
  const { values } = features.csr, isFloat32 = values?.dtype === "F32";
  const ptr = elements(features.csr.indptr),
    column = elements(features.csr.indices),
    at = values && elements(values);
  return [{
    name: "features",
    value(v) {
      const begin = ptr(v), end = ptr(v + 1);
      const entry = (i: number) => at ? `${column(i)}:${real(at(i), isFloat32)}` : String(column(i));
      return Array.from({ length: end - begin }, (_, i) => entry(begin + i)).join(" ");
    },
  }];
}

/** Whether a node is in a part of split s: masks are read where they are, lists become masks, a byte per node. */
function isIn(graph: Graph, part: SplitName, s: number): (v: number) => boolean {
  const { document, numNodes } = graph, name = `split.${part}`;
  if (!document.has(name)) return () => false;
  if (document.spec(name).dtype === "BOOL") {
    const at = elements(document.tensor(name, "BOOL"));
    return (v) => at(s * numNodes + v) !== 0;
  }
  const list = document.tensor(name, "I64"), at = elements(list), mask = new Uint8Array(numNodes);
  for (let i = 0; i < list.length; i++) mask[at(i)] = 1;
  return (v) => mask[v] === 1;
}

/** The part of split s that a node is in. */
function partOf(graph: Graph, s: number): (v: number) => string {
  const parts = splitNames.map((name) => ({ name, has: isIn(graph, name, s) }));
  return (v) => parts.findLast(({ has }) => has(v))?.name ?? "";
}

function nodeColumns(graph: Graph): NodeColumn[] {
  const d = graph.document, { class_names: classNames } = graph.meta;
  const columns: NodeColumn[] = [{ name: "id", value: String }];
  if (d.has("node_ids")) columns.push(...numberColumns("original_id", d.tensor("node_ids"), 1));
  const names = namesOf(graph);
  if (names) columns.push({ name: "name", value: (v) => quoted(names(v)) });
  if (d.has("label")) {
    const label = d.tensor("label"), at = elements(label);
    if (graph.meta.multi_label) columns.push(...numberColumns("label", label, graph.numClasses));
    else {
      columns.push({
        name: "label",
        value: (v) => at(v) < 0 ? "" : quoted(classNames?.[at(v)] ?? String(at(v))),
      });
    }
  }
  for (let s = 0; s < graph.numSplits; s++) {
    columns.push({ name: graph.numSplits === 1 ? "split" : `split_${s}`, value: partOf(graph, s) });
  }
  if (d.has("node_weight")) {
    columns.push(...numberColumns("weight", d.tensor("node_weight"), d.spec("node_weight").shape[1] ?? 1));
  }
  return [...columns, ...featureColumns(graph.features())];
}

/** Rows made at once: about a MiB of text. */
function* rows(columns: readonly NodeColumn[], count: number): Generator<Piece> {
  yield utf8(columns.map(({ name }) => name).join(",") + "\n");
  const most = Math.max(1, Math.ceil(2 ** 17 / columns.length));
  for (let begin = 0; begin < count; begin += most) {
    let text = "";
    for (let v = begin; v < Math.min(count, begin + most); v++) {
      text += columns.map(({ value }) => value(v)).join(",") + "\n";
    }
    yield utf8(text);
  }
}

function write(graph: Graph): Export {
  const columns = arcColumns(graph);
  function* edges(): Generator<Piece> {
    yield utf8(
      ["source", "target", ...columns.map(({ name }) => name.replace("edge_", ""))].join(",") + "\n",
    );
    yield* csrText(graph.csr, { layout: "arcs", delimiter: ",", columns: columns.map(({ array }) => array) });
  }
  const carried = [
    "node_ids",
    "node_names",
    "label",
    "node_weight",
    "feat",
    ...columns.map(({ name }) => name),
  ];
  return {
    files: [
      { name: "edges.csv", pieces: edges() },
      { name: "nodes.csv", pieces: rows(nodeColumns(graph), graph.numNodes) },
    ],
    notes: leftOut(graph, [...carried, ...splitNames.map((s) => `split.${s}`)], "CSV"),
  };
}

export const csv: Writer = {
  name: "csv",
  summary: "a folder with edges.csv and nodes.csv",
  source: "RFC 4180",
  isFolder: true,
  isText: true,
  write,
};
