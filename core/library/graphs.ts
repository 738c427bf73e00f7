/** Graphs: opening, importing, generating, splitting, partitioning, saving. */
import { setThreads as setNativeThreads } from "../../ffi/engine.ts";
import { openNative } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { buildDocument, type Document, type NewDocument } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { openFile } from "../format/read.ts";
import { asNew, writeFile } from "../format/write.ts";
import { generateGraph } from "../generate/graph.ts";
import { generators } from "../generate/mod.ts";
import type { BuildRequest } from "../graph/build.ts";
import { Graph } from "../graph/graph.ts";
import { applyOrder } from "../order/apply.ts";
import { orders } from "../order/mod.ts";
import { partitionDocument } from "../partition/document.ts";
import { edgePartitionDocument, requireNodeParts } from "../partition/edges.ts";
import { partitioners } from "../partition/mod.ts";
import { checkApplies, partsAsked } from "../partition/partitioner.ts";
import { partsToRefine } from "../partition/refine.ts";
import { nodeWeights } from "../partition/weights.ts";
import { whole, wholeParts } from "../partition/whole.ts";
import { importGraph as importInput, importOptions, importRecord } from "../readers/import.ts";
import { InputSet } from "../readers/input.ts";
import { detectReader, readers } from "../readers/mod.ts";
import type { ReadOptions } from "../readers/reader.ts";
import { splitDocument } from "../splits/document.ts";
import { splitters } from "../splits/mod.ts";
import type { Over } from "../splits/splitter.ts";
import { entryOptions, provenanceOf } from "./options.ts";

/** What every call that draws takes, and the own options of the entry that it names. */
export interface Drawn {
  /** @default {0} */
  readonly seed?: number;
  readonly [option: string]: unknown;
}

/**
 * Open a document of any kind: a graph, a model, a partition, ... It is mapped, not read.
 *
 * The memory is given back when nothing refers to the document or to an array of it any more, or by its `close()`,
 * after which its arrays must not be used.
 *
 * @throws {GustError} (io) if the file cannot be read, (data) with every problem of its header.
 *
 * @example
 * ```ts
 * import { generate, open, save } from "./core/mod.ts";
 *
 * save("small.graph.safetensors", await generate("grid", { rows: 2, cols: 3 }));
 * const document = await open("small.graph.safetensors");
 * console.log(document.kind, document.names.join(" "), document.tensor("indptr", "I64").toNumbers().join(" "));
 * document.close();
 * // graph indptr indices 0 2 5 7 9 12 14
 * ```
 */
export async function open(path: string): Promise<Document> {
  await openNative();
  return openFile(path);
}

/**
 * Open a graph document.
 *
 * @throws {GustError} as open() does; (mismatch) if it is a document of another kind.
 *
 * @example
 * ```ts
 * import { generate, openGraph, save } from "./core/mod.ts";
 *
 * save("sbm.graph.safetensors", await generate("sbm", { nodes: 200, classes: 4, trainPerClass: 5, valPerClass: 5 }));
 * const graph = await openGraph("sbm.graph.safetensors");
 * console.log(graph.numNodes, graph.numClasses, graph.split("train")?.length);
 * // 200 4 20
 * ```
 */
export async function openGraph(path: string): Promise<Graph> {
  return new Graph(await open(path));
}

/** Write a document or a graph to a file: beside it, then renamed. Returns its digest. */
export function save(path: string, what: Document | Graph | NewDocument): string {
  const document = what instanceof Graph ? what.document : what;
  return writeFile(path, "digest" in document ? asNew(document) : document);
}

/**
 * Worker threads of everything that follows, 0 = all cores. Results do not depend on it.
 *
 * @example
 * ```ts
 * import { generate, setThreads } from "./core/mod.ts";
 *
 * const edges: number[] = [];
 * for (const threads of [1, 0]) {
 *   await setThreads(threads);
 *   edges.push((await generate("rmat", { scale: 8, edgeFactor: 4 })).numEdges);
 * }
 * console.log(edges[0] === edges[1]);
 * // true
 * ```
 */
export async function setThreads(count: number): Promise<void> {
  await openNative();
  setNativeThreads(count);
}

/** Options of importGraph(): the changes to make, and the reader's own options. */
export interface ImportRequest extends ReadOptions, BuildRequest {
  /** A reader; auto tells the format by content. @default {"auto"} */
  readonly format?: string;
  readonly [option: string]: unknown;
}

/**
 * Read a graph in a foreign format: a file, several, or a folder.
 *
 * @throws {GustError} (data) naming file, line and column of what is wrong; (usage) for options that do not fit.
 *
 * @example
 * ```ts
 * import { writeFileSync } from "node:fs";
 * import { importGraph } from "./core/mod.ts";
 *
 * writeFileSync("edges.txt", "0 1\n1 2\n2 0\n");
 * const graph = await importGraph("edges.txt", { symmetrize: true });
 * console.log(graph.numNodes, graph.numEdges, graph.meta.directed);
 * // 3 6 false
 * ```
 */
export async function importGraph(
  paths: string | readonly string[],
  request: ImportRequest = {},
): Promise<Graph> {
  await openNative();
  const { format = "auto", ...rest } = request;
  const input = InputSet.open(typeof paths === "string" ? [paths] : paths);
  const name = format === "auto" ? detectReader(input).name : format;
  const own = Object.entries(rest).filter(([key]) => !(importOptions as readonly string[]).includes(key));
  const { entry: reader, params } = entryOptions(readers, name, Object.fromEntries(own));
  const imported = importInput(input, reader, request, params), { meta, tensors } = imported;
  const provenance = provenanceOf("import", importRecord(name, request, imported), 0, []);
  return new Graph(buildDocument({ kind: "graph", meta: { ...meta }, tensors, provenance }));
}

/**
 * Make a random or regular graph; the options are those of `gust generate MODEL`.
 *
 * @throws {GustError} (usage) for options that the model does not take or that contradict each other.
 *
 * @example
 * ```ts
 * import { generate } from "./core/mod.ts";
 *
 * const graph = await generate("erdos-renyi", { nodes: 100, edges: 300, seed: 7 });
 * console.log(graph.numNodes);
 * // 100
 * ```
 */
export async function generate(model: string, { seed = 0, ...options }: Drawn = {}): Promise<Graph> {
  await openNative();
  const { entry, params } = entryOptions(generators, model, options);
  const provenance = provenanceOf("generate", { model, ...params }, seed, []);
  return new Graph(buildDocument(generateGraph(entry, params, seed, provenance).document));
}

/**
 * The graph with another split; the options are those of `gust split --method METHOD`.
 *
 * @throws {GustError} with the reason if the graph cannot be split so.
 *
 * @example
 * ```ts
 * import { generate, split } from "./core/mod.ts";
 *
 * const graph = await generate("sbm", { nodes: 100, classes: 2, trainPerClass: 5, valPerClass: 5 });
 * const folds = split(graph, "k-fold", { folds: 5 });
 * console.log(folds.numSplits, folds.split("test", 4)?.length);
 * // 5 20
 * ```
 */
export function split(
  graph: Graph,
  method: string,
  { seed = 0, over = "auto", ...options }: Drawn & { readonly over?: Over } = {},
): Graph {
  const { document } = graph;
  const { entry, params } = entryOptions(splitters, method, options);
  const parts = entry.split({ document, over, seed }, params);
  const provenance = provenanceOf("split", { method, of: parts.of, ...params }, seed, [document]);
  return new Graph(buildDocument(splitDocument(document, parts, provenance).document));
}

/** Options of partition(), and the method's own. */
export interface PartitionOptions extends Drawn {
  /** @default {"multilevel"} */
  readonly method?: string;
  /** Most that a part may have over an even share. @default {1.03} */
  readonly imbalance?: number;
  /** What parts are balanced by instead of nodes, several at once: "nodes", "edges", "train", "features". */
  readonly balance?: readonly string[];
  /** A partition of the same graph into k parts to improve, instead of making one. */
  readonly refine?: Document;
  /** How the nodes of each part are ordered. @default {"partition"} */
  readonly order?: string;
}

/**
 * Split a graph into k balanced parts with a small cut.
 *
 * @param k  parts; undefined for a method that finds their number.
 * @throws {GustError} (usage) for more parts than nodes, and for a k or an option that is missing or of no use;
 *   (mismatch) for a partition to refine of another graph or number of parts.
 *
 * @example
 * ```ts
 * import { generate, partition } from "./core/mod.ts";
 *
 * const grid = await generate("grid", { rows: 8, cols: 8 });
 * const parts = partition(grid, 2);
 * const finer = partition(grid, 2, { refine: parts, balance: ["nodes", "edges"], effort: "best" });
 * console.log(parts.meta.balance, parts.meta.cut, finer.meta.cut);
 * // 1 8 8
 * ```
 */
export function partition(graph: Graph, k?: number, options: PartitionOptions = {}): Document {
  const { method = "multilevel", imbalance = 1.03, seed = 0, order = "partition", ...more } = options;
  const { balance, refine, ...given } = more;
  const orderKeys = Object.keys(orders.get(order).params?.shape ?? {});
  const pick = (wanted: boolean) =>
    Object.fromEntries(Object.entries(given).filter(([key]) => orderKeys.includes(key) === wanted));
  const { entry, params } = entryOptions(partitioners, method, pick(false));
  const chosen = entryOptions(orders, order, pick(true));
  checkApplies(entry, { balance, refine });
  const request = {
    k: partsAsked(entry, k),
    imbalance,
    seed,
    weights: nodeWeights(graph, balance ?? []),
    refine: refine && partsToRefine(refine, graph, k!),
  };
  const asked = entry.parts === "found"
    ? { method }
    : { k, method, imbalance, ...(balance ? { balance: balance.join(",") } : {}) };
  const record = { ...asked, ...params, ...(options.order ? { order, ...chosen.params } : {}) };
  const provenance = provenanceOf("partition", record, seed, [graph.document, ...(refine ? [refine] : [])]);
  if (entry.of === "edges") {
    if (options.order !== undefined) {
      throw new GustError(
        "usage",
        `"${method}" partitions edges, which have no order of nodes: leave out order`,
      );
    }
    return buildDocument(edgePartitionDocument(graph, entry, request, params, provenance));
  }
  return buildDocument(partitionDocument(graph, entry, request, params, provenance, chosen));
}

/**
 * Put the nodes of a graph into an order, each graph of a data set for itself: a partition document whose `order` is it.
 * The options are those of `gust partition --order NAME`.
 *
 * @example
 * ```ts
 * import { applyPartition, generate, orderNodes } from "./core/mod.ts";
 *
 * const grid = await generate("grid", { rows: 2, cols: 3 });
 * const order = orderNodes(grid, "degree");
 * console.log(applyPartition(grid, order).nodeIds()?.toNumbers().join(" "));
 * // 1 4 0 2 3 5
 * ```
 */
export function orderNodes(
  graph: Graph,
  name: string,
  options: Readonly<Record<string, unknown>> = {},
): Document {
  const chosen = entryOptions(orders, name, options);
  const provenance = provenanceOf("partition", { order: name, ...chosen.params }, 0, [graph.document]);
  const request = { k: wholeParts(graph), imbalance: 1, seed: 0 };
  return buildDocument(partitionDocument(graph, whole, request, {}, provenance, chosen));
}

/**
 * The graph with its nodes in the order of a partition of it: everything that belongs to nodes and arcs moves along,
 * `node_ids` says who a node was, `part_ptr` where the parts begin. Results by original ids stay the same.
 *
 * @throws {GustError} (mismatch) for a partition of another graph or of edges, (unsupported) where graphs of a data set
 *   would mix.
 */
export function applyPartition(graph: Graph, partition: Document): Graph {
  requireNodeParts(partition);
  checkMadeFrom(partition, graph.document);
  const parts = partition.meta["k"] as number > 1 ? partition.tensor("part_ptr", "I64") : null;
  const provenance = provenanceOf("partition", { apply: true }, 0, [graph.document, partition]);
  return new Graph(buildDocument(applyOrder(graph, partition.tensor("order", "I64"), parts, provenance)));
}
