/** Which rows of a matrix are worth a place in faster memory: those that count most. */
import { NativeArray } from "../../ffi/native.ts";
import { countRows } from "../../ffi/native_rows.ts";
import type { Graph } from "./graph.ts";

export interface TopRows {
  /** Place of each row among the chosen ones, or -1. */
  readonly place: NativeArray<"I32">;
  /** The chosen rows, ascending. */
  readonly rows: NativeArray<"I64">;
}

/** Arcs from every node: rows of other nodes that sampling comes to it from. Of a directed graph all arcs are read. */
export function arcsFrom({ csr: { indptr, indices }, meta: { directed }, numNodes: n }: Graph): Uint32Array {
  const arcs = new Uint32Array(n), counts = directed ? NativeArray.allocate("I64", n) : null;
  if (counts) countRows(indices, counts);
  for (let at = 0; at < n;) {
    const window = (counts ?? indptr).window(at),
      count = counts ? window.length : Math.min(window.length - 1, n - at);
    for (let i = 0; i < count; i++) arcs[at + i] = Number(counts ? window[i] : window[i + 1]! - window[i]!);
    at += count;
  }
  counts?.free();
  return arcs;
}

/** The `most` rows of largest score; of equal ones the first. */
export function topRows(score: Uint32Array, most: number): TopRows {
  const n = score.length;
  // The smallest score that gets in, and how many of that score do: the first ones.
  const least = most > 0 ? score.toSorted()[n - most]! : Infinity;
  let ties = most - score.reduce((count, s) => count + (s > least ? 1 : 0), 0);
  const place = NativeArray.allocate("I32", n, false), rows = NativeArray.allocate("I64", most, false);
  const places = place.window(), list = rows.window();
  let next = 0;
  for (let v = 0; v < n; v++) {
    const isIn = score[v]! > least || (score[v] === least && ties-- > 0);
    places[v] = isIn ? next : -1;
    if (isIn) list[next++] = BigInt(v);
  }
  return { place, rows };
}
