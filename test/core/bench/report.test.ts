import { describe, expect, test } from "bun:test";
import { type BenchContext, resultOf } from "../../../core/bench/benchmark.ts";
import { benchGemm } from "../../../core/bench/gemm.ts";
import { benchmarks } from "../../../core/bench/mod.ts";
import {
  aboveLimit,
  generatedGraph,
  machineText,
  reportText,
  thisMachine,
  unsteady,
} from "../../../core/bench/report.ts";
import { benchSpmm } from "../../../core/bench/spmm.ts";
import { openTestDevice, testDevice } from "../../_device.ts";

await openTestDevice();

const stats = { medianMs: 4, minMs: 2, spread: 0.1, runs: 5 };
const limit = { ...stats, minMs: 1.5 };
const sound = resultOf({
  name: "spmm",
  graph: "g",
  width: 32,
  dtype: "bf16",
  stats,
  flops: 8e6,
  bytes: 4e6,
  limit,
});

describe("results", () => {
  test("rates are of the median, the fraction of the limit is of the shortest times", () => {
    expect(sound).toEqual({
      name: "spmm",
      graph: "g",
      width: 32,
      dtype: "bf16",
      median_ms: 4,
      min_ms: 2,
      gflops: 2,
      gb_s: 1,
      of_roofline: 0.75,
      runs: 5,
      spread: 0.1,
    });
  });

  test("what does not apply is null, and a limit is all of itself", () => {
    expect(resultOf({ name: "epoch", dtype: "f32", stats })).toMatchObject({
      graph: null,
      width: null,
      gflops: null,
      gb_s: null,
      of_roofline: null,
    });
    expect(resultOf({ name: "stream", dtype: "f32", stats, limit: "itself" }).of_roofline).toBe(1);
  });

  test("aboveLimit() names what lies above its limit, and only that", () => {
    const wrong = { ...sound, of_roofline: 1.034 };
    expect(aboveLimit([sound, wrong, { ...sound, of_roofline: null }, { ...sound, of_roofline: 1 }])).toEqual(
      [
        "spmm width 32 bf16 is at 1.034 of its limit, expected at most 1",
      ],
    );
  });

  test("the machine's line begins with the GPU where there is one", () => {
    const cpu = { cpu: "CPU", cores: 4, threads: 2, isa: "avx2", device: "cpu", memory_bytes: 1 };
    expect(machineText(cpu)).toBe("CPU, 2 of 4 threads, avx2");
    const gpu = { ...cpu, device: "cuda:0", gpu: "GPU", capability: "9.0", driver: "13.0" };
    expect(machineText(gpu)).toBe("GPU, CUDA 13.0, CPU, 2 of 4 threads, avx2");
    const { device, gpu: name } = thisMachine();
    expect(name !== undefined).toBe(device !== "cpu");
  });

  test("unsteady() names what varies widely", () => {
    expect(unsteady([sound, { ...sound, spread: 0.5 }])).toEqual([
      "spmm width 32 bf16 varies by 50 % of its median: is the machine busy?",
    ]);
  });

  test("reportText() lines the columns up and writes - for null", () => {
    const machine = { cpu: "CPU", cores: 4, threads: 2, isa: "avx2", device: "cpu", memory_bytes: 1 };
    const text = reportText({ machine, results: [sound, { ...sound, width: null, gflops: null }] });
    const lines = text.trimEnd().split("\n");
    expect(lines.slice(0, 2)).toEqual(["CPU, 2 of 4 threads, avx2", "g"]);
    expect(lines[3]).toBe("spmm     32   bf16      4.000   2.000      2.0   1.0      0.75     5");
    expect(lines[4]).toBe("spmm      -   bf16      4.000   2.000        -   1.0      0.75     5");
  });
});

/** Operands and result of a product of that name, once each: n x k by k x f. */
function bytesOf(name: string, n: number, f: number): number {
  const k = Number(name.split("_k")[1]);
  return 4 * (n * k + k * f + n * f);
}

describe("benchmarks", () => {
  const { graph, label } = generatedGraph(benchmarks.get("spmm"), { nodes: 500, nnz: 4000 }, 0);

  test("the generated graph has the nodes and arcs that were asked for", () => {
    expect([graph.numNodes, graph.numEdges, label]).toEqual([500, 4000, "erdos-renyi 500 nodes 4000 arcs"]);
  });

  test("spmm reports every width and type, with its limit where asked", async () => {
    const options = { width: [5, 16], dtype: ["f32", "bf16"] as const, weights: "norm" as const, runs: 3 };
    const results = await benchSpmm(graph, label, 0, { ...options, withLimits: true });
    expect(results.map((r) => [r.name, r.width, r.dtype, r.runs])).toEqual(
      [5, 16].flatMap((width) =>
        ["f32", "bf16"].flatMap((dtype) => ["row_gather", "spmm_norm"].map((name) => [name, width, dtype, 3]))
      ),
    );
    for (const { name, gflops, gb_s, median_ms, width, dtype } of results) {
      // Every arc moves one row and does a multiplication and an addition per column.
      if (name !== "row_gather") expect(gflops! * median_ms).toBeCloseTo(2 * 4000 * width! / 1e6, 9);
      expect(gb_s! * median_ms).toBeCloseTo(4000 * width! * (dtype === "f32" ? 4 : 2) / 1e6, 9);
    }
  });

  const context = {
    graph: () => ({ graph, label }),
    seed: 0,
    file: () => "",
    program: [],
    peers: null,
  };

  test("sample reports the time of a million sampled edges, and their rate", async () => {
    const entry = benchmarks.get("sample");
    const [only] = await entry.run(context, entry.params.parse({ fanout: [3, 2], batchSize: 100, runs: 3 }));
    expect(only).toMatchObject({ name: "sample_neighbor", graph: label, runs: 3 });
    expect(only!.medges_s! * only!.median_ms).toBeCloseTo(1000, 6);
  });

  test("sample measures every method, and compares those that the peer has", async () => {
    const entry = benchmarks.get("sample");
    const cpuOnly = testDevice === "cpu" ? ["labor", "ladies", "fastgcn", "shadow", "ppr", "pinsage"] : [];
    for (const method of ["node", "saint-node", "saint-edge", "saint-walk", ...cpuOnly]) {
      const [only] = await entry.run(context, entry.params.parse({ method, runs: 3 }));
      expect(only).toMatchObject({ name: `sample_${method.replace("-", "_")}`, runs: 3 });
      expect(only!.medges_s!).toBeGreaterThan(0);
    }
    const params = entry.params.parse({ method: "labor" });
    const peers = { names: ["dgl", "pyg"] } as unknown as NonNullable<BenchContext["peers"]>;
    expect(async () => await entry.run({ ...context, peers }, params)).toThrow(
      "--method labor --peer pyg: it has no such sampler, expected neighbor, cluster, saint-node",
    );
  });

  test("sage reports sampling, training and both, per batch", async () => {
    const entry = benchmarks.get("sage");
    const params = { hidden: 8, fanout: [3, 2], batchSize: 50, batches: 4, runs: 3 };
    const results = await entry.run(context, entry.params.parse(params));
    expect(results.map((r) => [r.name, r.width, r.runs])).toEqual(
      ["sage_sample", "sage_train", "sage_total"].map((name) => [name, 8, 3]),
    );
    for (const { median_ms } of results) expect(median_ms).toBeGreaterThan(0);
  });

  test("gather reports every store and type, and lines of those that cross the bus", async () => {
    const entry = benchmarks.get("gather"), params = { rows: 200, dim: 25, batch: 60, runs: 3 };
    const dtype = ["f32", "f16", "bf16", "u8"] as const,
      stores = ["host-staged", "gpu", "tiered", "host-zerocopy"];
    const results = await entry.run(context, entry.params.parse({ ...params, dtype, store: stores }));
    expect(results.map((r) => [r.name, r.dtype])).toEqual(
      dtype.flatMap((type) => stores.map((store) => [`gather_${store}`, type])),
    );
    for (const { name, dtype, gb_s, median_ms, lines_per_row: lines, unaligned_lines_per_row } of results) {
      const rowBytes = 25 * { f32: 4, f16: 2, bf16: 2, u8: 1 }[dtype!];
      expect(gb_s! * median_ms).toBeCloseTo(60 * rowBytes / 1e6, 9);
      expect(lines !== undefined).toBe(/zerocopy|tiered/.test(name));
      if (lines !== undefined) expect(lines).toBeLessThanOrEqual(unaligned_lines_per_row!);
      // A row of less than a line lies in one or two of them.
      if (name === "gather_host-zerocopy") expect(lines).toBeWithin(1, 2);
    }
  });

  test("gemm reports the product and both gradients, for every inner extent", () => {
    const names = ["gemm", "gemm_gradient", "gemm_weight_gradient"];
    const results = benchGemm(700, "label", 0, { width: [24], runs: 3 });
    expect(results.map((r) => [r.name, r.width])).toEqual(names.map((name) => [name, 24]));
    for (const { gflops, median_ms } of results) {
      expect(gflops! * median_ms).toBeCloseTo(2 * 700 * 24 * 24 / 1e6, 9);
    }
    const more = benchGemm(700, "label", 0, { width: [24], inner: [3, 40], runs: 3 });
    expect(more.map((r) => r.name)).toEqual([3, 40].flatMap((k) => names.map((name) => `${name}_k${k}`)));
    for (const r of more) expect(r.gb_s! * r.median_ms).toBeCloseTo(bytesOf(r.name, 700, 24) / 1e6, 9);
  });
});
