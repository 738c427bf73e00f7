/** gust predict: class probabilities of every node, as a document, CSV or JSON Lines. */
import { z } from "zod";
import { NativeArray } from "../ffi/native.ts";
import { Graph } from "../core/graph/graph.ts";
import { infer, type Inference } from "../core/train/evaluate.ts";
import { isPropagated, withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";

const ROWS = 4096; // rows of text per write

/** How a node is called in the text: its name in the source, its original id, or its number. */
interface Naming {
  readonly csv: (node: number) => string;
  readonly json: (node: number) => string;
}

function naming({ document }: Graph, ids: NativeArray<"I64"> | null): Naming {
  if (document.has("node_names")) {
    const names = document.tensor("node_names", "U8"),
      ptr = document.tensor("node_names.indptr", "I64").window();
    const decoder = new TextDecoder();
    const name = (node: number) =>
      decoder.decode(names.window(Number(ptr[node]), Number(ptr[node + 1]! - ptr[node]!)));
    const quoted = (text: string) => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    return { csv: (node) => quoted(name(node)), json: (node) => JSON.stringify(name(node)) };
  }
  const window = ids?.window();
  // As digits: an id may be larger than a JavaScript number can say.
  const digits = (node: number) => String(window ? window[node] : node);
  return { csv: digits, json: digits };
}

function* lines(
  graph: Graph,
  { scores, predicted, numNodes, numClasses }: Inference,
  format: "csv" | "jsonl",
): Generator<string> {
  const name = naming(graph, graph.nodeIds());
  const labels = predicted.window();
  if (format === "csv") {
    yield ["node", "label", ...Array.from({ length: numClasses }, (_, c) => `score_${c}`)].join(",") + "\n";
  }
  for (let from = 0; from < numNodes; from += ROWS) {
    const count = Math.min(ROWS, numNodes - from);
    const window = scores.window(from * numClasses, count * numClasses);
    let text = "";
    for (let i = 0; i < count; i++) {
      const row = Array.from(
        window.subarray(i * numClasses, (i + 1) * numClasses),
        (x) => Number(x.toPrecision(7)),
      );
      const node = from + i, label = labels[node]!;
      text += format === "csv"
        ? [name.csv(node), label, ...row].join(",") + "\n"
        : `{"node":${name.json(node)},"label":${label},"scores":${JSON.stringify(row)}}\n`;
    }
    yield text;
  }
}

function nodeIds(graph: Graph): NativeArray<"I64"> | BigInt64Array {
  return graph.nodeIds() ?? BigInt64Array.from({ length: graph.numNodes }, (_, i) => BigInt(i));
}

export const command = defineCommand({
  name: "predict",
  summary: "write class probabilities of every node",
  operands: "[input...]",
  writesDocument: true,
  options: z.object({
    format: z.enum(["document", "csv", "jsonl"]).default("document").describe(
      "a prediction document, or text",
    ),
  }).strict(),
  details:
    `Inputs: a graph and a model, in any order, as files or down a pipe. Node ids are the original ones; in text,
nodes that have names are called by them.

Examples:
  gust predict cora.graph.safetensors cora.model.safetensors -o cora.prediction.safetensors
  gust predict cora.graph.safetensors cora.model.safetensors --format csv | head`,
  run: (inputs, options, common) => {
    const isText = options.format !== "document";
    return withIo({ name: "predict", writesDocument: !isText, writesText: isText }, inputs, common, (io) => {
      const model = io.one("model", "train one with gust train");
      const graph = new Graph(io.one("graph", "give the graph document beside the model"));
      const cache = io.soFar("cache", isPropagated);
      const inference = infer(graph, model, cache);
      const { numNodes, numClasses } = inference;
      if (isText) {
        io.writeText(lines(graph, inference, options.format as "csv" | "jsonl"));
        io.json({ kind: options.format, nodes: numNodes, classes: numClasses });
        return;
      }
      const digest = io.write({
        kind: "prediction",
        meta: { model: model.digest, graph: graph.digest, num_classes: numClasses },
        tensors: [
          { name: "node_ids", dtype: "I64", shape: [numNodes], data: nodeIds(graph) },
          { name: "scores", dtype: "F32", shape: [numNodes, numClasses], data: inference.scores },
          { name: "label", dtype: "I32", shape: [numNodes], data: inference.predicted },
        ],
        provenance: io.provenance({}, [graph.document, model]),
      });
      io.json({ kind: "prediction", nodes: numNodes, classes: numClasses, digest });
      io.say(`predicted ${numNodes} nodes, ${numClasses} classes`);
    });
  },
});
