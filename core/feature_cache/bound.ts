/**
 * What a cache of rows could have reached at most, had it known all batches to come.
 *
 * The rows of a batch are looked up together; after it a cache may hold any rows that it held or that came by, and
 * before the first batch any rows at all. So a row that is read in batch i and next in batch j is a hit in j if and only
 * if a place of the cache is its own from i to j, and the most hits are the most such intervals of which at no time more
 * than `capacity` lie over one another. Taken in the order of their ends, each goes to the place that was left last
 * among those free at its beginning, and is a miss if there is none: the same hits as to keep the rows whose next use is
 * nearest (Belady 1966, doi:10.1147/sj.52.0078), without looking ahead. So the number is exact after every batch.
 *
 * Source: Carlisle and Lloyd 1995, doi:10.1016/0166-218X(95)80003-M (most intervals on k tracks); Faigle and Nawijn
 * 1995, doi:10.1016/0166-218X(95)00112-5.
 */
import type { Indices } from "../../ffi/native_rows.ts";
import { countNodes } from "./presampled.ts";

/** Places of one capacity. Times are numbers of batches from 1 on; 0 is before the first. */
class Places {
  hits = 0;
  /** How many places were left at a time and are free since. */
  private readonly free: number[];
  /** A time no later at which a place may have been left; -1: none. Followed to the end it is one. */
  private readonly earlier: number[];

  constructor(capacity: number) {
    this.free = [capacity];
    this.earlier = [capacity > 0 ? 0 : -1];
  }

  begin(): void {
    this.free.push(0);
    this.earlier.push(this.free.length - 1);
  }

  /** The latest time up to `time` at which a place was left that is still free, or -1. */
  private latest(time: number): number {
    const { earlier } = this;
    let at = time;
    while (at >= 0 && earlier[at] !== at) at = earlier[at]!;
    for (let t = time; t >= 0 && t !== at;) {
      const then = earlier[t]!;
      earlier[t] = at;
      t = then;
    }
    return at;
  }

  /** A row that was read at `since` is read now. */
  read(since: number): void {
    const at = this.latest(since);
    if (at < 0) return;
    this.hits++;
    if (--this.free[at]! === 0) this.earlier[at] = at - 1;
    this.free[this.free.length - 1]!++;
  }

  end(): void {
    const now = this.free.length - 1;
    if (this.free[now] === 0) this.earlier[now] = now - 1;
  }
}

/** The most hits of any cache, and of any that never changes, over the batches so far. Memory: 8 bytes per node. */
export class CacheBound {
  private readonly last: Int32Array;
  private readonly counts: Uint32Array;
  private readonly places: readonly Places[];
  private now = 0;
  /** Rows that were read. */
  reads = 0;

  /** @param capacities  rows that a cache has room for, one or several. */
  constructor(numNodes: number, readonly capacities: readonly number[]) {
    this.last = new Int32Array(numNodes);
    this.counts = new Uint32Array(numNodes);
    this.places = capacities.map((capacity) => new Places(capacity));
  }

  /** The next batch. @param nodes  each once. */
  add(nodes: Indices): void {
    const { last, counts, places } = this, now = ++this.now;
    countNodes(counts, nodes);
    for (const place of places) place.begin();
    for (const node of nodes.read()) {
      const v = Number(node), since = last[v]!;
      if (since === now) continue;
      last[v] = now;
      for (const place of places) place.read(since);
    }
    for (const place of places) place.end();
    this.reads += nodes.length;
  }

  /** The most hits of any cache, by capacity. */
  get best(): number[] {
    return this.places.map(({ hits }) => hits);
  }

  /** The most hits of a cache that holds the same rows from the beginning to the end, by capacity. */
  get bestStatic(): number[] {
    const sorted = this.counts.toSorted(), n = sorted.length;
    return this.capacities.map((capacity) => {
      let hits = 0;
      for (let i = Math.max(0, n - capacity); i < n; i++) hits += sorted[i]!;
      return hits;
    });
  }
}
