/** What parts are balanced by: weights of nodes, under names. */
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";

/** A weight per node: [n] whole numbers of at least 0. */
export interface NodeWeight {
  readonly name: string;
  readonly values: NativeArray<"I64">;
}

/** Elements per window. */
const PIECE = 2 ** 22;

/** [n] by piece: fill(window of the result, number of its first node). */
function eachPiece(n: number, fill: (window: BigInt64Array, start: number) => void): NativeArray<"I64"> {
  const values = NativeArray.allocate("I64", n);
  for (let at = 0; at < n; at += PIECE) fill(values.window(at, Math.min(PIECE, n - at)), at);
  return values;
}

/** Entries of each row. */
const rowLengths = (indptr: NativeArray<"I64">): NativeArray<"I64"> =>
  eachPiece(indptr.length - 1, (window, start) => {
    const ptr = indptr.window(start, window.length + 1);
    for (let i = 0; i < window.length; i++) window[i] = ptr[i + 1]! - ptr[i]!;
  });

function training(graph: Graph): NativeArray<"I64"> {
  const nodes = graph.split("train");
  if (!nodes) {
    throw new GustError(
      "missing",
      `--balance train: ${graph.document.label} stores no split`,
      'make one with "gust import --split" or "gust generate --split"',
    );
  }
  const values = NativeArray.allocate("I64", graph.numNodes);
  const pieces = Array.from(
    { length: Math.ceil(values.length / PIECE) },
    (_, i) => values.window(i * PIECE, Math.min(PIECE, values.length - i * PIECE)),
  );
  for (const id of nodes) pieces[Math.floor(Number(id) / PIECE)]![Number(id) % PIECE] = 1n;
  return values;
}

function featureEntries(graph: Graph): NativeArray<"I64"> {
  const features = graph.features();
  if (!features) {
    throw new GustError("missing", `--balance features: ${graph.document.label} has no features`);
  }
  if (features.kind === "csr") return rowLengths(features.csr.indptr);
  // Every node stores as many.
  return eachPiece(graph.numNodes, (window) => window.fill(1n));
}

const makers = {
  nodes: ({ numNodes }: Graph) => eachPiece(numNodes, (window) => window.fill(1n)),
  edges: ({ csr }: Graph) => rowLengths(csr.indptr),
  train: training,
  features: featureEntries,
} as const;

/** What can be balanced. */
export const weightNames = Object.keys(makers) as (keyof typeof makers)[];

/**
 * The weights of these names.
 * @throws {GustError} (usage) for a name that is not there or comes twice, (missing) for what the graph does not store.
 */
export function nodeWeights(graph: Graph, names: readonly string[]): NodeWeight[] {
  return names.map((name, i) => {
    if (!Object.hasOwn(makers, name) || names.indexOf(name) !== i) {
      throw new GustError(
        "usage",
        `--balance: "${name}" ${names.indexOf(name) !== i ? "comes twice" : "cannot be balanced"}`,
        `expected some of ${weightNames.join(",")}`,
      );
    }
    return { name, values: makers[name as keyof typeof makers](graph) };
  });
}
