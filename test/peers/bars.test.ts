import { describe, expect, test } from "bun:test";
import { type BenchResult, resultOf } from "../../core/bench/benchmark.ts";
import { benchmarks } from "../../core/bench/mod.ts";
import type { PeerName } from "../../core/bench/peer.ts";
import { type Bar, geometric, judge, tableOf } from "./bar.ts";
import { bars, JOBS, runs } from "./bars.ts";
import * as cuda from "./bars_cuda.ts";
import { graphs } from "./graphs.ts";

const stats = { medianMs: 1, minMs: 1, spread: 0, runs: 3 };
const line = (name: string, peers: Partial<Record<PeerName, number>>, dtype: "f32" | "bf16" = "f32") =>
  resultOf({
    name,
    dtype,
    stats,
    peers: Object.entries(peers).map(([peer, ratio]) => ({
      peer: peer as PeerName,
      version: peer,
      variant: null,
      peer_ms: ratio,
      ours_ms: 1,
      ratio,
      runs: 3,
      spread: 0,
      memory_ratio: 10 * ratio,
    })),
  });
const barOf = (text: string): Bar => bars.find(({ what }) => what.startsWith(text))!;
const value = (text: string, lines: Record<string, BenchResult[]>) =>
  barOf(text).value((run) => lines[run] ?? null);

describe("the bars of the peers", () => {
  test.each([["a CPU", { runs, bars }], ["a GPU", cuda]])(
    "of %s stand on runs that there are",
    (_, { runs, bars }) => {
      const known = new Set([...runs.map(({ name }) => name), JOBS]);
      for (const bar of bars) expect(bar.runs.filter((run) => !known.has(run))).toEqual([]);
      expect(new Set(bars.map(({ what }) => what)).size).toBe(bars.length);
      for (const { peers, args } of runs) {
        const uses = args[1] === "--scale" ? undefined : benchmarks.get(args[1]!).peers;
        for (const peer of peers) expect(uses![peer]).toHaveProperty("script");
        if (args[2] && !args[2].startsWith("-")) expect(Object.keys(graphs)).toContain(args[2]);
      }
    },
  );

  test("each is of the least ratio of all graphs, a mean is geometric", () => {
    const lines = {
      spmm_u200k: [line("spmm", { torch: 2, dgl: 9 }), line("spmm", { torch: 4, dgl: 16 })],
      spmm_r18: [line("spmm", { torch: 1, dgl: 16 })],
    };
    expect(value("spmm, weighted, f32: torch.sparse, each", lines)).toBe(1);
    expect(value("spmm, weighted, f32: torch.sparse, geometric mean", lines)).toBeCloseTo(2, 12);
    expect(value("spmm, weighted, f32: DGL u_mul_e, each", lines)).toBe(9);
  });

  test("where two peers are named the better one counts, line by line", () => {
    const lines = [
      line("spmm_none", { torch: 2, dgl: 8 }, "bf16"),
      line("spmm_none", { torch: 9, dgl: 8 }, "bf16"),
    ];
    const both = { spmm_unweighted_u200k: lines, spmm_unweighted_r18: lines };
    expect(value("spmm, bf16", both)).toBeCloseTo(4, 12);
  });

  test("memory, growth and seeds side by side have bars of their own", () => {
    const process = { train_cora: [line("train_gcn_process", { pyg: 2 })] };
    expect(value("cora, peak memory", process)).toBe(20);
    const growing = [{ ...line("a", {}), time_exponent: 0.7 }, { ...line("b", {}), time_exponent: 1.2 }];
    expect(value("growth of time", { scale: growing })).toBe(1.2);
    const seeds = [{ ...line("in_a_row", {}), median_ms: 3 }, line("side_by_side", {})];
    expect(value("10 seeds", { [JOBS]: seeds })).toBe(3);
  });

  test("on a GPU products, sampling, epochs and processes have bars", () => {
    const spmm = (
      ratio: number,
      of_roofline: number,
    ) => [{ ...line("spmm", { torch: ratio, triton: 9 }), of_roofline }];
    const sampling = [line("sample_neighbor", { pyg: 5, dgl: 1.5 })];
    const lines: Record<string, BenchResult[]> = {
      spmm_u200k: spmm(1, 0.8),
      spmm_r18: spmm(4, 0.7),
      sample_u200k: sampling,
      sample_r18: sampling.map((one) => ({ ...one, peers: one.peers!.slice(0, 1) })),
      train_m20: [line("train_gcn_epoch", { pyg: 2.5 }), line("train_gcn_process", { pyg: 99 })],
      train_cora: [line("train_gcn_epoch", { pyg: 1 }), line("train_gcn_process", { pyg: 9 })],
    };
    const verdicts = judge(cuda.bars, (run) => lines[run] ?? null, new Map());
    expect(verdicts.map(({ what, measured, verdict }) => [what.split(":")[0], measured, verdict])).toEqual([
      ["spmm, f32", 2, "met"],
      ["spmm, f32, u200k", 0.8, "met"],
      ["spmm, f32, r18", 0.7, "missed"],
      ["GCN of 64 on 2^20 nodes and 2^25 arcs, epoch", 2.5, "met"],
      ["neighbour sampling, u200k", 5, "met"],
      ["neighbour sampling, u200k", 1.5, "missed"],
      ["neighbour sampling, r18", 5, "met"],
      ["neighbour sampling, r18", null, "not measured"],
      ["cora, 200 epochs, whole process", 9, "missed"],
      ["roofline", null, "not measured"],
    ]);
  });

  test("a missing run, peer or line is no value, and the table says why", () => {
    const lines: Record<string, BenchResult[]> = {
      spmm_u200k: [line("spmm", { torch: 2 })],
      spmm_r18: [line("spmm", { torch: 1.6 })],
    };
    const chosen = [
      barOf("spmm, weighted, f32: torch.sparse, each"),
      barOf("spmm, weighted, f32: torch.sparse, geo"),
      barOf("spmm, weighted, f32: DGL"),
      barOf("gat layer, forward + backward: DGL"),
      barOf("growth of time"),
    ];
    const reasons = new Map([["gat_8x8", 'Unknown benchmark "gat"']]);
    const verdicts = judge(chosen, (run) => lines[run] ?? null, reasons);
    expect(verdicts.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["met", undefined],
      ["missed", undefined],
      ["not measured", "a peer is not installed"],
      ["not measured", 'Unknown benchmark "gat"'],
      ["not measured", "not run yet"],
    ]);
    const table = tableOf(verdicts).split("\n");
    expect(table[0]).toMatch(/^spmm, weighted, f32: torch.sparse, each +>= 1.5 +1.60 +met$/);
    expect(table[4]).toMatch(/ <= 1.1 +- +not measured: not run yet$/);
  });

  test("geometric() is the mean of the logarithms", () => {
    expect(geometric([2, 8])).toBeCloseTo(4, 12);
  });
});
