/** A profile from the ops to the table and the trace, with limits that are given instead of measured. */
import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { limitNs, type MachineLimits, measureLimits } from "../../../core/profile/limits.ts";
import { type OpRow, Profiler } from "../../../core/profile/profiler.ts";
import { profileReport, profileText } from "../../../core/profile/report.ts";
import { traceText } from "../../../core/profile/trace.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

/** One step of a fill and a gather, recorded and replayed in epochs, and a gather of a batch that goes. */
function profiled(epochs: number, profiler = new Profiler(true)) {
  const engine = new Engine();
  profiler.attach(engine);
  const arena = engine.arena(), batches = engine.arena();
  const x = arena.tensor("F32", [64, 4]), out = arena.tensor("F32", [128, 4]);
  const index = arena.bind(NativeArray.from<"I32">(Int32Array.from({ length: 128 }, (_, i) => i % 64)));
  engine.phase = "forward";
  const program = engine.record(() => {
    engine.run("fill", { out: x, value: 1 });
    engine.run("gather", { x, index, out });
  });
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const start = performance.now();
    program.replay();
    const own = batches.bind(NativeArray.from<"I32">(Int32Array.of(3, 4)));
    engine.run("gather", { x, index: own, out: batches.tensor("F32", [2, 4]) });
    batches.reset();
    profiler.epoch(0, epoch, performance.now() - start);
  }
  return { engine, profiler };
}

const limits = (gathers: MachineLimits["gathers"] = new Map()): MachineLimits => ({
  reads: [{ bytes: 1024, rate: 100 }, { bytes: 4096, rate: 20 }],
  stream: 10,
  arithmetic: 50,
  gathers,
});

describe("Profiler", () => {
  test("counts calls, bytes and patterns of recorded and of single ops", () => {
    const { engine, profiler } = profiled(3);
    profiler.detach();
    const fill = profiler.rows.get("fill forward")!, gather = profiler.rows.get("gather forward")!;
    expect([fill.calls, fill.bytes]).toEqual([4, 4 * 1024]);
    expect([gather.calls, gather.bytes]).toEqual([
      7,
      4 * (128 * 4 + 2 * 128 * 16) + 3 * (8 + 2 * 2 * 16),
    ]);
    // Index arrays of batches are gone when they are counted: their sizes stand for them.
    const patterns = [...profiler.patterns.values()];
    expect(patterns.map(({ indices, tableRows, rowBytes }) => [indices?.rows ?? null, tableRows, rowBytes]))
      .toEqual([[128, 64, 16], [null, 64, 16]]);
    expect(profiler.numOps).toBe(11);
    engine.destroy();
  });

  test("goes on over the runs of a job: the same arrays are the same pattern", () => {
    const { engine, profiler } = profiled(1);
    profiler.detach();
    const again = profiled(2, profiler);
    profiler.detach();
    expect(profiler.rows.get("fill forward")!.calls).toBe(5);
    expect(profiler.patterns.size).toBe(2);
    engine.destroy();
    again.engine.destroy();
  });

  test("puts what ran before the first epoch outside of the epochs", () => {
    const { engine, profiler } = profiled(2);
    profiler.detach();
    const all = [...profiler.rows.values()].reduce((sum, { ns }) => sum + ns, 0) / 1e6;
    const first = profiler.ops.slice(0, 2).reduce((sum, { durationUs }) => sum + durationUs, 0) / 1e3;
    expect(profiler.epochOpsMs).toBeCloseTo(all - first, 9);
    expect(profiler.epochOpsMs).toBeLessThanOrEqual(profiler.epochMs);
    engine.destroy();
  });
});

describe("limitNs()", () => {
  const row = (rest: Partial<OpRow>): OpRow => ({
    op: "spmm",
    phase: "forward",
    calls: 1,
    ns: 1,
    bytes: 0,
    flops: 0,
    streamed: new Map(),
    gathered: new Map(),
    ...rest,
  });

  test("is the longest of streams, rows by index, and arithmetic", () => {
    const pattern = { indices: null, tableRows: 100, rowBytes: 16, ns: 0 };
    const streamed = new Map([[1024, 3000]]), gathered = new Map([[pattern, 800]]);
    expect(limitNs(limits(), row({ streamed }))).toBe(30);
    expect(limitNs(limits(new Map([[pattern, 8]])), row({ streamed, gathered }))).toBe(100);
    expect(limitNs(limits(), row({ streamed, flops: 10_000 }))).toBe(200);
  });

  test("holds a stream against the cache that it may lie in, and a batch's rows against its table's", () => {
    const pattern = { indices: null, tableRows: 256, rowBytes: 16, ns: 0 };
    expect(limitNs(limits(), row({ streamed: new Map([[512, 1000]]) }))).toBe(10);
    expect(limitNs(limits(), row({ streamed: new Map([[2048, 1000]]) }))).toBe(10);
    expect(limitNs(limits(), row({ streamed: new Map([[65536, 1000]]) }))).toBe(50);
    expect(limitNs(limits(), row({ gathered: new Map([[pattern, 1000]]) }))).toBe(50);
  });
});

test("measured limits are rates, with one for every pattern that can be looked up", () => {
  const { engine, profiler } = profiled(1);
  profiler.detach();
  const { reads, stream, arithmetic, gathers } = measureLimits(profiler);
  for (const rate of [stream, arithmetic, ...reads.map(({ rate }) => rate), ...gathers.values()]) {
    expect(rate).toBeGreaterThan(0);
    expect(Number.isFinite(rate)).toBe(true);
  }
  expect(gathers.size).toBe(1);
  engine.destroy();
});

describe("the report", () => {
  test("is sorted by time, and its shares are of all ops", () => {
    const { engine, profiler } = profiled(2);
    profiler.detach();
    const report = profileReport(profiler, limits());
    expect(report.ops.map(({ op }) => op).sort()).toEqual(["fill", "gather"]);
    expect(report.ops[0]!.ms).toBeGreaterThanOrEqual(report.ops[1]!.ms);
    expect(report.ops.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(report.ops[0]).toMatchObject({ phase: "forward", gflops: null });
    const lines = profileText(report).trimEnd().split("\n");
    expect(lines[0]!.split(/ {2,}/)).toEqual([
      "op",
      "phase",
      "calls",
      "total ms",
      "share",
      "GB/s",
      "GFLOP/s",
      "of limit",
    ]);
    expect(lines.length).toBe(5);
    engine.destroy();
  });

  test("of nothing is an empty table", () => {
    const text = profileText(profileReport(new Profiler(false), limits()));
    expect(text).toContain("epochs 0.0 ms, - of it in ops");
    expect(text).not.toContain("NaN");
  });
});

test("the trace is JSON of complete events, ops inside of their epochs", () => {
  const { engine, profiler } = profiled(1);
  profiler.detach();
  const { traceEvents } = JSON.parse([...traceText(profiler)].join(""));
  const [named, complete] = ["M", "X"].map((ph) => traceEvents.filter((e: { ph: string }) => e.ph === ph));
  expect(named!.map((e: { args: { name: string } }) => e.args.name)).toEqual(["epochs", "ops"]);
  const [epoch, ...ops] = complete!;
  expect(epoch).toMatchObject({ name: "epoch 1", cat: "seed 0", tid: 1 });
  expect(ops.map((e: { name: string; tid: number }) => [e.name, e.tid])).toEqual([
    ["fill", 2],
    ["gather", 2],
    ["fill", 2],
    ["gather", 2],
    ["gather", 2],
  ]);
  // The two clocks are read one after the other at the start.
  for (const { ts, dur } of ops.slice(2)) {
    expect(ts).toBeGreaterThanOrEqual(epoch.ts - 100);
    expect(ts + dur).toBeLessThanOrEqual(epoch.ts + epoch.dur + 100);
  }
  engine.destroy();
});
