/** What native code finds wrong with a graph that is partitioned, with the graph's name and the way out. */
import { NativeError } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";

/** The likely fix by what a message says. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/tensor "edge_weight"/, '"gust import --weights none" leaves weights out'],
  [/in an undirected graph$/, '"gust import --symmetrize" adds the missing arcs'],
];

/**
 * Run what looks at a graph.
 * @throws {GustError} (data) that names the graph, where native code refuses what it holds.
 */
export function explained<T>({ document }: Graph, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof NativeError) || error.code !== "data") throw error;
    const { message } = error, hint = HINTS.find(([says]) => says.test(message))?.[1];
    throw new GustError("data", `Cannot partition ${document.label}: ${message}`, hint);
  }
}
