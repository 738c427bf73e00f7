/** What a splitter is: which items train, validate and test. */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import type { PartCounts } from "../../ffi/native_split.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { Graph, type SplitName } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import { iota } from "../sampling/sampler.ts";

/** What is split; auto: graphs where each has a label or target, else nodes. */
export const overs = ["auto", "nodes", "graphs", "edges"] as const;
export type Over = (typeof overs)[number];

export interface SplitRequest {
  readonly document: Document;
  readonly over: Over;
  readonly seed: number;
}

/** The nodes of a graph, or the graphs of a set. */
export interface Items {
  readonly of: "nodes" | "graphs";
  readonly count: number;
  /** One class per item, -1 = none; null where items have no class or several. */
  readonly labels: NativeArray<"I32"> | null;
  readonly numClasses: number;
  /** Original ids, or null where they are 0 .. count-1. */
  readonly ids: NativeArray<"I64"> | null;
  /** The document, for messages. */
  readonly label: string;
}

/** What a splitter gives: a part array per split of the items, or one for the stored arcs. */
export type Parts =
  | { readonly of: "nodes" | "graphs"; readonly parts: readonly NativeArray<"U8">[] }
  | {
    readonly of: "edges";
    readonly graph: Graph;
    readonly part: NativeArray<"U8">;
    readonly counts: PartCounts;
  };

export interface SplitterEntry extends Entry {
  readonly params: z.ZodObject;
  /** @throws {GustError} if the graph cannot be split so, with the reason. */
  split(request: SplitRequest, params: Record<string, unknown>): Parts;
}

/** Type the params from the entry's schema. */
export function defineSplitter<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  split(request: SplitRequest, params: z.infer<S>): Parts;
}): SplitterEntry {
  return entry as unknown as SplitterEntry;
}

/** How much of the items a part takes. */
export const share = z.number().min(0).refine(
  (x) => x < 1 || Number.isInteger(x),
  "expected a fraction below 1, or a whole number",
);

/** "12 nodes", "1 node" */
export const plural = (count: number, what: string) =>
  `${count.toLocaleString("en")} ${count === 1 ? what.replace(/s$/, "") : what}`;

/**
 * A share as a number of items.
 * @throws {GustError} (data) if a fraction above 0 of the items is none.
 */
export function sizeOf(wanted: number, part: SplitName, count: number, what: string, label: string): number {
  const size = wanted < 1 ? Math.round(wanted * count) : wanted;
  if (size > 0 || wanted === 0) return size;
  throw new GustError(
    "data",
    `Too few ${what} in ${label}: --${part} ${wanted} of ${count} is none, expected at least one`,
    `give --${part} as a number of ${what}, or 0`,
  );
}

/**
 * Refuse typed graphs: their splits would belong to one of their node types.
 * @throws {GustError} (unsupported)
 */
export function refuseTyped({ meta, label }: Document): void {
  const types = meta["node_types"] as readonly string[] | undefined;
  if (!types) return;
  throw new GustError(
    "unsupported",
    `${label} is a typed graph (${types.join(", ")}), expected a homogeneous one: ` +
      "its nodes are of several types, and a split would mix them",
    "gust import --homogeneous makes nodes of one type of them",
  );
}

/**
 * What a request splits: nodes or graphs.
 * @throws {GustError} (usage) for edges, (missing) for graphs where there is one, (unsupported) for a typed graph.
 */
export function itemsOf({ document, over }: SplitRequest): Items {
  refuseTyped(document);
  if (over === "edges") {
    throw new GustError("usage", "--over edges: this method splits nodes or graphs", "--method links");
  }
  const hasGraphs = document.has("graph_ptr");
  if (over === "graphs" && !hasGraphs) {
    throw new GustError("missing", `--over graphs: ${document.label} is one graph, expected a set of graphs`);
  }
  const numClasses = document.meta["num_classes"] as number;
  const common = { numClasses, label: document.label };
  const isGraphTask = document.has("graph_label") || document.has("graph_target");
  if (over === "graphs" || (over === "auto" && hasGraphs && isGraphTask)) {
    return {
      ...common,
      of: "graphs",
      count: document.tensor("graph_ptr", "I64").length - 1,
      labels: document.has("graph_label") ? document.tensor("graph_label", "I32") : null,
      ids: document.has("graph_ids") ? document.tensor("graph_ids", "I64") : null,
    };
  }
  const graph = new Graph(document);
  return { ...common, of: "nodes", count: graph.numNodes, labels: graph.labels(), ids: graph.nodeIds() };
}

/**
 * The classes of the items.
 * @throws {GustError} (missing) if there are none.
 */
export function classesOf(items: Items, hint: string): NativeArray<"I32"> {
  if (items.labels) return items.labels;
  throw new GustError(
    "missing",
    `${items.label} has no labels to draw a split from: expected one class of each of its ${items.of}`,
    hint,
  );
}

/** Elements by number, of arrays of any size. */
function reader(array: NativeArray<"I32">): (i: number) => number {
  const size = 2 ** 28;
  const windows = Array.from({ length: Math.ceil(array.length / size) }, (_, w) => array.window(w * size));
  return windows.length === 1 ? (i) => windows[0]![i]! : (i) => windows[Math.floor(i / size)]![i % size]!;
}

/**
 * Visit the items in a random order that is a function of the seed and of original ids alone; items without a class
 * are left out where the others have one. Memory: 72 bytes per item.
 *
 * @param key  `layer` tells the orders of one seed apart. @default {0}
 */
export function eachDrawn(
  { count, labels, numClasses, ids, label }: Items,
  { seed, layer = 0 }: { readonly seed: number; readonly layer?: number },
  visit: (item: number, label: number) => void,
): void {
  const order = iota(count);
  shuffle(order, count, ids, { seed, epoch: layer, stream: "split" });
  const classOf = labels && reader(labels);
  for (let at = 0; at < count;) {
    const window = order.window(at);
    for (const item of window) {
      const c = classOf ? classOf(Number(item)) : 0;
      if (c >= numClasses && classOf) {
        throw new GustError(
          "data",
          `${label}: item ${item} has class ${c}, expected numbers below num_classes = ${numClasses}`,
        );
      }
      if (c >= 0) visit(Number(item), c);
    }
    at += window.length;
  }
  order.free();
}

/** A part array for some items, and a window on all of it. */
export function newPart({ count }: Items): { part: NativeArray<"U8">; window: Uint8Array } {
  const part = NativeArray.allocate("U8", count);
  return { part, window: part.window() };
}
