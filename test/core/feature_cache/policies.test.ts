import { describe, expect, test } from "bun:test";
import { FrequencyPolicy } from "../../../core/feature_cache/adaptive.ts";
import { CacheBound } from "../../../core/feature_cache/bound.ts";
import { cachePolicies } from "../../../core/feature_cache/mod.ts";
import type { CachePolicy } from "../../../core/feature_cache/policy.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

const random = new Random({ seed: 2, stream: "test.policies" });
const array = (nodes: readonly number[]) => NativeArray.from<"I32">(Int32Array.from(nodes));

const N = 60;

/** Epochs before other nodes are preferred. */
const STEADY = 6;

/** Batches of an epoch: node v takes part with a probability that falls with v, later with another order of nodes. */
function epoch(e: number): number[][] {
  return Array.from(
    { length: 12 },
    (_, b) =>
      Array.from({ length: N }, (_, v) => v).filter((v) => {
        const rank = (v + (e >= STEADY ? N / 2 : 0)) % N;
        return random.f32(100 * e + b, v) < 4 / (4 + rank);
      }),
  );
}
const EPOCHS = 12;
const batches = Array.from({ length: EPOCHS }, (_, e) => epoch(e)).flat();

const make = (name: string, most: number): CachePolicy =>
  cachePolicies.get(name).create(
    {
      numNodes: N,
      arcs: () => Uint32Array.from({ length: N }, (_, v) => v % 13),
      most,
      *batches(e) {
        for (const nodes of epoch(e)) yield array(nodes);
      },
    },
    cachePolicies.get(name).params!.parse({}) as Record<string, unknown>,
  );

/** Hits of a policy, batch by batch; every place is checked. */
function run(policy: CachePolicy, most: number, sequence: readonly (readonly number[])[]): number[] {
  const node = new Map<number, number>(); // by row of the cache
  policy.initial.toNumbers().forEach((v, row) => node.set(row, v));
  return sequence.map((nodes) => {
    const place = policy.place.toNumbers();
    const held = place.flatMap((row, v) => row < 0 ? [] : [[row, v] as const]);
    expect(held.length).toBeLessThanOrEqual(most);
    for (const [row, v] of held) expect(node.get(row)).toBe(v);
    const moved = policy.seen?.(array(nodes));
    const to = moved?.to.toNumbers() ?? [], from = moved?.from.toNumbers() ?? [];
    expect(new Set(to).size).toBe(to.length);
    to.forEach((row, i) => node.set(row, nodes[from[i]!]!));
    return nodes.filter((v) => place[v]! >= 0).length;
  });
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe.each(cachePolicies.names)("%s", (name) => {
  test("holds rows where it says, and never has more hits than the best cache, after any batch", () => {
    for (const most of [0, 1, 5, 20, 59, 60]) {
      const hits = run(make(name, most), most, batches), bound = new CacheBound(N, [most]);
      let so = 0;
      batches.forEach((nodes, b) => {
        bound.add(array(nodes));
        so += hits[b]!;
        expect(so).toBeLessThanOrEqual(bound.best[0]!);
      });
      if (!make(name, most).seen) expect(so).toBeLessThanOrEqual(bound.bestStatic[0]!);
      if (most === 0) expect(so).toBe(0);
    }
  });

  test("finds a good part of what the best cache finds", () => {
    const bound = new CacheBound(N, [15]), steady = batches.slice(0, 12 * STEADY);
    for (const nodes of steady) bound.add(array(nodes));
    // Degrees say nothing of these batches; what is counted or followed does.
    const share = sum(run(make(name, 15), 15, steady)) / bound.best[0]!;
    expect(share).toBeGreaterThan(name === "degree" ? 0 : 0.5);
  });
});

test("degree holds the nodes with most arcs, the first of equal ones", () => {
  // Arcs 12: nodes 12, 25, 38, 51; 11: 11, 24, ...
  expect(make("degree", 6).initial.toNumbers()).toEqual([11, 12, 24, 25, 38, 51]);
});

test("presampled holds what the first epoch reads most often", () => {
  const counts = Array.from({ length: N }, (_, v) => epoch(0).flat().filter((u) => u === v).length);
  const order = counts.map((_, v) => v).sort((a, b) => counts[b]! - counts[a]! || a - b);
  expect(make("presampled", 7).initial.toNumbers()).toEqual(order.slice(0, 7).sort((a, b) => a - b));
});

/** The adaptive policy as its comment has it, with a list that is searched and sorted. */
class Reference {
  counts = new Array<number>(N).fill(0);
  /** Held nodes with what orders equal counts. */
  held: { v: number; at: number }[] = [];
  private clock = 0;
  private reads = 0;

  constructor(private readonly most: number) {}

  batch(nodes: readonly number[]): number {
    const missed = nodes.filter((v) => !this.held.some((h) => h.v === v));
    for (const v of nodes) {
      this.counts[v] = Math.min(255, this.counts[v]! + 1);
      const h = this.held.find((h) => h.v === v);
      if (h) h.at = ++this.clock;
    }
    for (const v of missed) {
      if (this.held.length >= this.most) {
        this.held.sort((a, b) => this.counts[a.v]! - this.counts[b.v]! || a.at - b.at);
        const first = this.held[0];
        if (!first || this.counts[v]! - 1 <= this.counts[first.v]!) continue;
        this.held.shift();
      }
      this.held.push({ v, at: ++this.clock });
    }
    this.reads += nodes.length;
    if (this.reads >= 10 * N) {
      this.reads = 0;
      this.held.sort((a, b) => this.counts[a.v]! - this.counts[b.v]! || a.at - b.at);
      for (const h of this.held) h.at = ++this.clock;
      this.counts = this.counts.map((c) => c >> 1);
    }
    return nodes.length - missed.length;
  }
}

describe("FrequencyPolicy", () => {
  test.each([0, 1, 7, 30, 60])("holds what a plain list of %d rows holds, batch by batch", (most) => {
    const policy = new FrequencyPolicy(N, most), reference = new Reference(most);
    expect(run(policy, most, batches)).toEqual(batches.map((nodes) => reference.batch(nodes)));
    const held = policy.place.toNumbers().flatMap((row, v) => row < 0 ? [] : [v]);
    expect(held).toEqual(reference.held.map(({ v }) => v).sort((a, b) => a - b));
    // Counts were halved on the way.
    expect(batches.flat().length).toBeGreaterThan(20 * N);
  });

  test("keeps some of the rows that every epoch reads once, in whatever order", () => {
    const nodes = Array.from({ length: N }, (_, v) => v);
    const inOrder = Array.from({ length: 5 }, () => nodes.map((v) => [v])).flat();
    expect(sum(run(new FrequencyPolicy(N, 20), 20, inOrder))).toBe(4 * 20);
  });

  test("follows rows that become hot", () => {
    const policy = new FrequencyPolicy(N, 2);
    const hits = run(policy, 2, [...Array(5).fill([0, 1]), ...Array(20).fill([2, 3])]);
    expect(hits.slice(1, 5)).toEqual([2, 2, 2, 2]);
    expect(hits.at(-1)).toBe(2);
  });
});
