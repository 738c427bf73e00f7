import { describe, expect, test } from "bun:test";
import { resultOf } from "../../../core/bench/benchmark.ts";
import { benchmarks } from "../../../core/bench/mod.ts";
import { generatedGraph, reportText } from "../../../core/bench/report.ts";
import { fitted, growth } from "../../../core/bench/scale.ts";
import { openNative } from "../../../ffi/native.ts";

await openNative();

const line = (medianMs: number, held_bytes: number) => ({
  ...resultOf({ name: "spmm", dtype: "f32", stats: { medianMs, minMs: medianMs, spread: 0, runs: 3 } }),
  held_bytes,
  predicted_bytes: held_bytes,
});

describe("bench scale", () => {
  test("exponents stand in the last line of a step", () => {
    const lines = fitted("spmm by edges", [1, 2, 4], [line(1, 10), line(2, 40), line(4, 160)]);
    expect(lines.map((l) => l.time_exponent)).toEqual([undefined, undefined, 1]);
    expect(lines[2]!.memory_exponent).toBeCloseTo(2, 12);
    const machine = { cpu: "CPU", cores: 4, threads: 2, isa: "avx2", device: "cpu", memory_bytes: 1 };
    expect(reportText({ machine, results: lines })).toEndWith(
      "\nspmm by edges: time linear (1.00), memory above linear (2.00)\n",
    );
  });

  test("a tenth around 1 is linear", () => {
    expect([0.89, 0.91, 1.09, 1.11].map(growth)).toEqual([
      "below linear",
      "linear",
      "linear",
      "above linear",
    ]);
  });

  test("one size gives the memory of each step, which the formula bounds", async () => {
    // What tests before this one have left is not to be freed meanwhile.
    Bun.gc(true);
    await Bun.sleep(1);
    const entry = benchmarks.get("scale");
    const params = entry.params.parse({ nodes: 20000, nnz: 200000, hidden: 8, doublings: 0 });
    const made = generatedGraph(entry, params, 0);
    const context = { graph: () => made, seed: 0, file: () => "", program: [], peers: null };
    const results = await entry.run(context, params);
    expect(results.map((r) => [r.name, r.width])).toEqual([["train", 8], ["spmm", 8], ["sample", null]]);
    for (const { held_bytes, predicted_bytes, median_ms } of results) {
      expect(held_bytes).toBeGreaterThan(0);
      // The first block for small tensors may be there twice: for a run's own, and for a step's.
      expect(held_bytes).toBeLessThan(predicted_bytes! + 16 * 2 ** 20);
      expect(median_ms).toBeGreaterThan(0);
    }
  });
});
