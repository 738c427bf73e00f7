/** Nodes of batches, each once: batches of several subgraphs have some of them several times. */
import { NativeArray } from "../../ffi/native.ts";
import type { Indices } from "../../ffi/native_rows.ts";

/** Memory: 4 bytes per node. */
export class DistinctNodes {
  /** Where a node came first in a batch, of nodes that it has. */
  private readonly first: Int32Array;

  constructor(numNodes: number) {
    this.first = new Int32Array(numNodes);
  }

  /** The nodes of a batch in the order of their first places, and where each of the batch is among them; null: so. */
  of(nodes: Indices): { readonly once: Indices; readonly place: NativeArray<"I32"> | null } {
    const { first } = this, list = nodes.read(), place = new Int32Array(list.length);
    let count = 0; // of different ones, which move to the beginning of the list
    for (let i = 0; i < list.length; i++) {
      const v = Number(list[i]), at = first[v]!;
      if (at < count && list[at] === list[i]) place[i] = at;
      else {
        list[count] = list[i]!;
        place[i] = first[v] = count++;
      }
    }
    if (count === list.length) return { once: nodes, place: null };
    return {
      once: NativeArray.from(list.subarray(0, count)) as Indices,
      place: NativeArray.from<"I32">(place),
    };
  }
}

/** The nodes of each batch, once; valid until the next. */
export function* eachOnce(batches: Iterable<Indices>, numNodes: number): Generator<Indices> {
  const distinct = new DistinctNodes(numNodes);
  for (const nodes of batches) yield distinct.of(nodes).once;
}
