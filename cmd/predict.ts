/** gust predict: predictions of every node or graph, as a document, CSV or JSON Lines. */
import { z } from "zod";
import { NativeArray } from "../ffi/native.ts";
import { findDescent } from "../ffi/native_checks.ts";
import { gatherRows } from "../ffi/native_rows.ts";
import { Graph } from "../core/graph/graph.ts";
import type { Prediction } from "../core/tasks/task.ts";
import { inferenceOption } from "../core/train/config.ts";
import { withModel } from "../core/train/evaluate.ts";
import { predictionDocument } from "../core/train/prediction_document.ts";
import { namesOf } from "../core/writers/nodes.ts";
import { isPropagated, withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";

const ROWS = 4096; // rows of text per write

/** How a node is called in the text: its name in the source, its original id, or its number. */
interface Naming {
  readonly csv: (node: number) => string;
  readonly json: (node: number) => string;
}

function namingOfNodes(graph: Graph): Naming {
  const name = namesOf(graph);
  if (name) {
    const quoted = (text: string) => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    return { csv: (node) => quoted(name(node)), json: (node) => JSON.stringify(name(node)) };
  }
  const window = graph.nodeIds()?.window();
  // As digits: an id may be larger than a JavaScript number can say.
  const digits = (node: number) => String(window ? window[node] : node);
  return { csv: digits, json: digits };
}

/** How each item is called in the text. */
const naming = (graph: Graph, { items }: Prediction): Naming =>
  items === "graphs" ? { csv: String, json: String } : namingOfNodes(graph);

/** Nodes by original id, so that a graph stored in another order gives the same text; null: they are so already. */
function byOriginalId(graph: Graph): NativeArray<"I64"> | null {
  const ids = graph.nodeIds();
  if (!ids || findDescent(ids, false).count === 0) return null;
  const values = ids.window(), nodes = Float64Array.from({ length: ids.length }, (_, v) => v);
  nodes.sort((a, b) => values[a]! < values[b]! ? -1 : values[a]! > values[b]! ? 1 : a - b);
  return NativeArray.from<"I64">(BigInt64Array.from(nodes, BigInt));
}

/**
 * Rows of a row-major matrix as text, ROWS at a time.
 * @param order  the item that comes i-th; null: as they are.
 */
function* rowsOf(
  matrix: NativeArray<"F32">,
  width: number,
  count: number,
  order: NativeArray<"I64"> | null,
  line: (item: number, row: number[]) => string,
): Generator<string> {
  for (let from = 0; from < count; from += ROWS) {
    const rows = Math.min(ROWS, count - from), items = order?.window(from, rows);
    const window = items
      ? gatherRows(matrix, width, order!.slice(from, rows)).window()
      : matrix.window(from * width, rows * width);
    let text = "";
    for (let i = 0; i < rows; i++) {
      const row = Array.from(window.subarray(i * width, (i + 1) * width), (x) => Number(x.toPrecision(7)));
      text += line(items ? Number(items[i]) : from + i, row);
    }
    yield text;
  }
}

const header = (first: string[], column: string, width: number) =>
  [...first, ...Array.from({ length: width }, (_, c) => `${column}_${c}`)].join(",") + "\n";

function* lines(graph: Graph, prediction: Prediction, format: "csv" | "jsonl"): Generator<string> {
  const name = naming(graph, prediction);
  if (prediction.items === "vectors") {
    const { vectors, width } = prediction;
    if (format === "csv") yield header(["node"], "vector", width);
    yield* rowsOf(
      vectors,
      width,
      graph.numNodes,
      byOriginalId(graph),
      (node, row) =>
        format === "csv"
          ? [name.csv(node), ...row].join(",") + "\n"
          : `{"node":${name.json(node)},"vector":${JSON.stringify(row)}}\n`,
    );
    return;
  }
  const { items, count, outputs: { scores, predicted, width } } = prediction;
  const item = items === "nodes" ? "node" : "graph", labels = predicted?.window();
  if (format === "csv") yield header(labels ? [item, "label"] : [item], "score", width);
  yield* rowsOf(
    scores,
    width,
    count,
    items === "nodes" ? byOriginalId(graph) : null,
    (i, row) =>
      format === "csv"
        ? [name.csv(i), ...(labels ? [labels[i]] : []), ...row].join(",") + "\n"
        : `{"${item}":${name.json(i)},${labels ? `"label":${labels[i]},` : ""}"scores":${
          JSON.stringify(row)
        }}\n`,
  );
}

export const command = defineCommand({
  name: "predict",
  summary: "write what a model predicts of every node or graph: probabilities, numbers, or vectors of nodes",
  operands: "[input...]",
  writesDocument: true,
  options: z.object({
    format: z.enum(["document", "csv", "jsonl"]).default("document").describe(
      "a prediction document, or text",
    ),
    inference: inferenceOption,
  }).strict(),
  details:
    `Inputs: a graph and a model, in any order, as files or down a pipe. Node ids are the original ones; text
is sorted by them, and nodes that have names are called by them.

Examples:
  gust predict cora.graph.safetensors cora.model.safetensors -o cora.prediction.safetensors
  gust predict cora.graph.safetensors cora.model.safetensors --format csv | head`,
  run: (inputs, options, common) => {
    const isText = options.format !== "document";
    return withIo(
      { name: "predict", writesDocument: !isText, writesText: isText, usesDevice: true },
      inputs,
      common,
      (io) => {
        const model = io.one("model", "train one with gust train");
        const graph = new Graph(io.one("graph", "give the graph document beside the model"));
        const cache = io.soFar("cache", isPropagated);
        const { prediction, split } = withModel(graph, model, cache, (opened) => ({
          prediction: opened.task.predict(opened),
          split: opened.storedSplit,
        }), options.inference);
        const isVectors = prediction.items === "vectors";
        const items = isVectors ? "nodes" : prediction.items;
        const count = isVectors ? graph.numNodes : prediction.count;
        const width = isVectors ? prediction.width : prediction.outputs.width;
        const sizes = { [items]: count, [isVectors ? "width" : "classes"]: width };
        if (isText) {
          io.writeText(lines(graph, prediction, options.format as "csv" | "jsonl"));
          io.json({ kind: options.format, ...sizes });
          return;
        }
        const document = predictionDocument(graph, { model: model.digest }, prediction, split);
        const digest = io.write({ ...document, provenance: io.provenance({}, [graph.document, model]) });
        io.json({ kind: document.kind, ...sizes, digest });
        io.say(`predicted ${count} ${items}, ${width} ${isVectors ? "numbers each" : "classes"}`);
      },
    );
  },
});
