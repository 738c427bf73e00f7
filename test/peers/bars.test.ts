import { describe, expect, test } from "bun:test";
import { type BenchResult, resultOf } from "../../core/bench/benchmark.ts";
import type { PeerName } from "../../core/bench/peer.ts";
import { type Bar, bars, geometric, JOBS, judge, runs, tableOf } from "./bars.ts";

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
  test("stand on runs that there are", () => {
    const known = new Set([...runs.map(({ name }) => name), JOBS]);
    for (const bar of bars) expect(bar.runs.filter((run) => !known.has(run))).toEqual([]);
    expect(new Set(bars.map(({ what }) => what)).size).toBe(bars.length);
  });

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
