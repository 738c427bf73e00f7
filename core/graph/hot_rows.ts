/** Which rows of a matrix are worth a place in faster memory: those that count most. */
import { NativeArray } from "../../ffi/native.ts";

export interface TopRows {
  /** Place of each row among the chosen ones, or -1. */
  readonly place: NativeArray<"I32">;
  /** The chosen rows, ascending. */
  readonly rows: NativeArray<"I64">;
}

/** In-arcs of every node. */
export function degrees(indptr: NativeArray<"I64">): Uint32Array {
  const n = indptr.length - 1, degree = new Uint32Array(n);
  for (let at = 0; at < n;) {
    const ends = indptr.window(at), count = Math.min(ends.length - 1, n - at);
    for (let i = 0; i < count; i++) degree[at + i] = Number(ends[i + 1]! - ends[i]!);
    at += count;
  }
  return degree;
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
