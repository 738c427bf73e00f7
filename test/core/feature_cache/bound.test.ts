import { describe, expect, test } from "bun:test";
import { CacheBound } from "../../../core/feature_cache/bound.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

const random = new Random({ seed: 1, stream: "test.bound" });
const array = (nodes: readonly number[]) => NativeArray.from<"I32">(Int32Array.from(nodes));
const popCount = (bits: number) => bits.toString(2).replaceAll("0", "").length;

/** The most hits by trying every content of the cache at every time: any rows at first, then those held or come by. */
function mostHits(numNodes: number, batches: readonly (readonly number[])[], capacity: number): number {
  const sets = Array.from({ length: 2 ** numNodes }, (_, s) => s).filter((s) => popCount(s) <= capacity);
  let best = new Map(sets.map((s) => [s, 0]));
  for (const batch of batches) {
    const read = batch.reduce((bits, v) => bits | 1 << v, 0), after = new Map<number, number>();
    for (const [held, hits] of best) {
      const now = hits + popCount(held & read), could = held | read;
      for (const s of sets) {
        if ((s & ~could) === 0 && (after.get(s) ?? -1) < now) after.set(s, now);
      }
    }
    best = after;
  }
  return Math.max(...best.values());
}

/** The most hits of rows that stay, by trying all. */
function mostStaticHits(numNodes: number, batches: readonly (readonly number[])[], capacity: number): number {
  const sets = Array.from({ length: 2 ** numNodes }, (_, s) => s).filter((s) => popCount(s) <= capacity);
  return Math.max(...sets.map((s) => batches.flat().filter((v) => s >> v & 1).length));
}

/** Batches of different nodes, case by case. */
function drawn(numNodes: number, c: number): number[][] {
  const count = 1 + Math.floor(8 * random.f32(c, 1000));
  return Array.from({ length: count }, (_, b) => {
    const share = random.f32(c, 2000 + b);
    return Array.from({ length: numNodes }, (_, v) => v).filter((v) => random.f32(c, 16 * b + v) < share);
  });
}

describe("CacheBound", () => {
  test("has the most hits of 300 small sequences, as every way to hold rows is tried", () => {
    for (let c = 0; c < 300; c++) {
      const numNodes = 1 + c % 6, batches = drawn(numNodes, c);
      const capacities = Array.from({ length: numNodes + 2 }, (_, k) => k);
      const bound = new CacheBound(numNodes, capacities);
      batches.forEach((batch, b) => {
        bound.add(array(batch));
        // Exact after every batch, not at the end alone.
        const wanted = capacities.map((k) => mostHits(numNodes, batches.slice(0, b + 1), k));
        expect(bound.best).toEqual(wanted);
      });
      expect(bound.bestStatic).toEqual(capacities.map((k) => mostStaticHits(numNodes, batches, k)));
      expect(bound.reads).toBe(batches.flat().length);
    }
  });

  test("by hand: two rows in turn, room for one", () => {
    const bound = new CacheBound(3, [0, 1, 2]);
    for (const v of [0, 1, 0, 1, 0]) bound.add(array([v]));
    // Held from the beginning: row 0, which never leaves.
    expect(bound.best).toEqual([0, 3, 5]);
    expect(bound.bestStatic).toEqual([0, 3, 5]);
  });

  test("changes rows where that is better than to keep some", () => {
    const bound = new CacheBound(2, [1]);
    for (const v of [0, 0, 0, 1, 1, 1]) bound.add(array([v]));
    expect(bound.best).toEqual([5]);
    expect(bound.bestStatic).toEqual([3]);
  });

  test("of nothing is nothing", () => {
    const bound = new CacheBound(0, [0, 3]);
    expect(bound.best).toEqual([0, 0]);
    bound.add(array([]));
    expect([bound.best, bound.bestStatic, bound.reads]).toEqual([[0, 0], [0, 0], 0]);
  });
});
