/**
 * Rows that were read most often lately. Every row has a count of its reads; a row that was read of the file takes the
 * place of the held one with the smallest count (the longest unread of these) if its own count before this read was
 * larger: rows that every epoch reads once do not drive each other out. After ten reads per node all counts are halved,
 * so that what was hot once cools down.
 *
 * Memory besides the rows: 5 bytes per node, 12 per held row. Time: O(1) per read, O(nodes) per halving.
 * Source: least frequently used, with the admission and the ageing of Einziger et al. 2017, TinyLFU, arXiv:1512.00727
 * (sections 3.1 and 3.3), with a counter per node in place of a sketch.
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import type { Indices } from "../../ffi/native_rows.ts";
import { type Admitted, type CachePolicy, definePolicy, nowhere } from "./policy.ts";

/** Counts stop here. */
const MOST = 255;
/** Reads per node after which counts are halved. */
const WINDOW = 10;

export class FrequencyPolicy implements CachePolicy {
  readonly place: NativeArray<"I32">;
  readonly initial = NativeArray.allocate("I64", 0);
  private readonly places: Int32Array;
  private readonly counts: Uint8Array;
  /** Which node a row of the cache is of. */
  private readonly node: Int32Array;
  /** Rings of held rows, one for each count, longest unread first: entry `most` + count is where a ring begins and ends. */
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private held = 0;
  private reads = 0;
  /** No held row has a smaller count. */
  private lowest = 0;

  /** @param most  rows that there is room for. */
  constructor(private readonly numNodes: number, private readonly most: number) {
    this.place = nowhere(numNodes);
    this.places = this.place.window();
    this.counts = new Uint8Array(numNodes);
    this.node = new Int32Array(most);
    this.next = Int32Array.from({ length: most + MOST + 1 }, (_, i) => i);
    this.previous = this.next.slice();
  }

  private unlink(row: number): void {
    const { next, previous } = this;
    next[previous[row]!] = next[row]!;
    previous[next[row]!] = previous[row]!;
  }

  /** Put a row at the end of the ring of `count`. */
  private link(row: number, count: number): void {
    const { next, previous, most } = this, ring = most + count, last = previous[ring]!;
    next[last] = row;
    previous[row] = last;
    next[row] = ring;
    previous[ring] = row;
    if (count < this.lowest) this.lowest = count;
  }

  /** A row of the cache for a node that was read `before` times before; -1: it has to stay out. */
  private roomOf(before: number): number {
    const { next, most } = this;
    if (this.held < most) return this.held++;
    while (this.lowest < MOST && next[most + this.lowest] === most + this.lowest) this.lowest++;
    if (most === 0 || before <= this.lowest) return -1;
    const row = next[most + this.lowest]!;
    this.unlink(row);
    this.places[this.node[row]!] = -1;
    return row;
  }

  seen(nodes: Indices): Admitted | null {
    const { places, counts, node } = this, list = nodes.read();
    const missed: number[] = [];
    for (let i = 0; i < list.length; i++) {
      const v = Number(list[i]), row = places[v]!;
      if (counts[v]! < MOST) counts[v]!++;
      if (row < 0) missed.push(i);
      else {
        this.unlink(row);
        this.link(row, counts[v]!);
      }
    }
    for (const i of missed) {
      const v = Number(list[i]), row = this.roomOf(counts[v]! - 1);
      if (row < 0) continue;
      places[v] = row;
      node[row] = v;
      this.link(row, counts[v]!);
    }
    this.reads += list.length;
    if (this.reads >= WINDOW * this.numNodes) this.age();
    // A row that came in may have made room for another of the same batch.
    const stayed = missed.filter((i) => places[Number(list[i])]! >= 0);
    if (stayed.length === 0) return null;
    return {
      from: NativeArray.from<"I32">(Int32Array.from(stayed)),
      to: NativeArray.from<"I32">(Int32Array.from(stayed, (i) => places[Number(list[i])]!)),
    };
  }

  /** Halve all counts: rings are joined two by two, each in its order. */
  private age(): void {
    const { counts, next, most } = this;
    this.reads = 0;
    for (let v = 0; v < counts.length; v++) counts[v]! >>= 1;
    for (let count = 1; count <= MOST; count++) {
      const ring = most + count;
      for (let row = next[ring]!; row !== ring; row = next[ring]!) {
        this.unlink(row);
        this.link(row, count >> 1);
      }
    }
  }
}

export const adaptive = definePolicy({
  name: "adaptive",
  summary: "rows that were read most often lately: the cache begins empty and follows the batches",
  source: "Einziger et al. 2017, TinyLFU, arXiv:1512.00727, with exact counts",
  params: z.object({}).strict(),
  create: ({ numNodes, most }) => new FrequencyPolicy(numNodes, most),
});
