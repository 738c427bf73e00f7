import { describe, expect, test } from "bun:test";
import { type BenchResult, resultOf } from "../../../core/bench/benchmark.ts";
import { benchPage, rooflineChart } from "../../../core/bench/page.ts";
import { parseReport } from "../../../core/bench/report_file.ts";

const stats = { medianMs: 4, minMs: 2, spread: 0.1, runs: 5 };
const machine = { cpu: "CPU <1>", cores: 4, threads: 2, isa: "avx2", device: "cpu", memory_bytes: 1 };
const torch = {
  peer: "torch" as const,
  version: "torch.sparse 9",
  variant: null,
  peer_ms: 12,
  ours_ms: 4,
  ratio: 3,
  runs: 5,
  spread: 0,
};
// 2 GFLOP/s at 1 GB/s.
const spmm = { name: "spmm", graph: "g", width: 32, stats, flops: 8e6, bytes: 4e6 };
const lines: BenchResult[] = [
  resultOf({ name: "stream_triad", dtype: "f32", stats, bytes: 16e6, limit: "itself" }),
  resultOf({ name: "multiply_add", dtype: "f32", stats, flops: 80e6, limit: "itself" }),
  resultOf({ ...spmm, dtype: "f32", peers: [torch] }),
  resultOf({ ...spmm, dtype: "bf16", bytes: 2e6, peers: [torch] }),
];
const report = { command: "gust bench spmm 'a & b'", commit: "0123abc", machine, results: lines };

describe("rooflineChart()", () => {
  test("has a roof per bandwidth, and points of ours and of the peers", () => {
    const [panel] = rooflineChart(lines)!.panels;
    if (panel?.kind !== "curves") throw new Error("expected curves");
    expect(panel.title).toBe("roofline, arithmetic limit 20 GFLOP/s");
    const curves = panel.curves.map(({ name, points }) => [name, points.map(({ x, y }) => [x, y])]);
    expect(curves).toEqual([
      // Half the least to twice the most of the intensities 2, 4 and the ridge 20 / 4.
      ["memory: 4 GB/s", [[1, 4], [5, 20], [10, 20]]],
      ["gust spmm f32", [[2, 2]]],
      // A third of ours; none where ours stores less.
      ["torch spmm", [[2, 2 / 3]]],
      ["gust spmm bf16", [[4, 2]]],
    ]);
  });

  test("is none without results that have both work and bytes", () => {
    expect(rooflineChart(lines.slice(0, 2))).toBeNull();
  });
});

describe("benchPage()", () => {
  test("holds pictures, tables, commands and machine, and nothing from elsewhere", () => {
    const page = benchPage([report]);
    expect(page.match(/<svg /g)).toHaveLength(2);
    for (const text of ["gust bench spmm &#39;a &#38; b&#39;", "0123abc", "CPU &#60;1&#62;", "torch/ours"]) {
      expect(page).toContain(text);
    }
    expect(page).toContain("<td>3.00</td>");
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(benchPage([report])).toBe(page);
  });

  test("of several reports has a part for each, and one roofline", () => {
    const scale = [{
      ...lines[2]!,
      name: "spmm by edges",
      time_exponent: 1,
      memory_exponent: 0.5,
      peers: [],
    }];
    const page = benchPage([report, { machine, results: scale }]);
    expect(page.match(/<h2>/g)).toHaveLength(2);
    expect(page.match(/aria-label="roofline"/g)).toHaveLength(1);
    expect(page).toContain("spmm by edges: time linear (1.00), memory below linear (0.50)");
  });
});

describe("parseReport()", () => {
  test("reads what --json wrote", () => {
    expect(parseReport(JSON.stringify(report), "a.json")).toEqual(report);
  });

  test("names the file and what is wrong", () => {
    expect(() => parseReport("{", "a.json")).toThrow('Cannot read "a.json"');
    expect(() => parseReport("{}", "a.json")).toThrow('"a.json" holds no results of a benchmark: machine: ');
    const broken = { ...report, results: [{ ...lines[0], median_ms: "4" }] };
    expect(() => parseReport(JSON.stringify(broken), "a.json")).toThrow("results.0.median_ms");
  });
});
