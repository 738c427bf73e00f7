import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { dataPath, dataTest, freshDir, gust, gustOk } from "../helpers.ts";

interface Line {
  width: number;
  notes: string[];
  traffic: Record<string, number> & { policy: string };
}
const linesOf = (args: readonly string[], cwd: string): Line[] =>
  JSON.parse(gustOk(["bench", "traffic", ...args, "--json", "-q"], { cwd }).text).results;
const byPolicy = (lines: readonly Line[]) =>
  Object.fromEntries(lines.map((l) => [l.traffic.policy, l.traffic]));

/** A graph of two blocks, a partition of it, and a grid. */
function blocks() {
  const cwd = freshDir();
  const sbm = ["--nodes", "300", "--classes", "2", "--train-per-class", "5", "--val-per-class", "5"];
  gustOk(["generate", "sbm", ...sbm, "-o", "a.graph"], { cwd });
  gustOk(["partition", "a.graph", "-k", "6", "-o", "a.parts"], { cwd });
  gustOk(["generate", "grid", "--rows", "9", "--cols", "7", "-o", "mesh.graph"], { cwd });
  return cwd;
}

describe("gust bench traffic", () => {
  const cwd = blocks();

  test("counts every policy, and those of parts where a partition is given", () => {
    const policies = (args: string[]) => linesOf(args, cwd).map((l) => l.traffic.policy);
    expect(policies(["a.graph"])).toEqual(["none", "lru", "hdn-global", "tile2d"]);
    expect(policies(["a.graph", "a.parts"])).toEqual(["none", "lru", "hdn-global", "hdn-cluster", "tile2d"]);
    expect(policies(["a.graph", "--policy", "lru,none"])).toEqual(["lru", "none"]);
  });

  test("bytes are the formulas of the counts, in both products", () => {
    const args = [
      "a.graph",
      "a.parts",
      "--cache-rows",
      "20",
      "--width",
      "8",
      "--in-width",
      "10",
      "--density",
      "0.5",
    ];
    const lines = linesOf([...args, "--value-bytes", "4"], cwd), n = 300, rowBytes = 8 * 4;
    const nnz = Number(/, (\d+) stored;/.exec(lines[0]!.notes[0]!)![1]);
    for (const { traffic: t } of lines.slice(0, 4)) {
      expect(t["left_bytes"]).toBe(nnz * 8 + (n + 1) * 4);
      expect(t["right_bytes"]).toBe((nnz - t["hits"]! + t["preloaded"]!) * rowBytes);
      expect(t["out_bytes"]).toBe(n * rowBytes);
      expect(t["combination_bytes"]).toBe(n * 5 * 8 + (n + 1) * 4 + 10 * rowBytes + n * rowBytes);
      expect(t["layer_bytes"]).toBe(t["total_bytes"]! + t["combination_bytes"]!);
      expect(t["total_vs_none"]).toBe(lines[0]!.traffic["total_bytes"]! / t["total_bytes"]!);
    }
    const { "hdn-cluster": cluster } = byPolicy(lines);
    expect(cluster!["preloaded"]).toBe(6 * 20);
  });

  test("tiles move whole bursts of A, and X W to memory and back where the products are not fused", () => {
    const base = ["a.graph", "--policy", "tile2d", "--in-width", "10", "--tile-rows", "100"],
      n = 300,
      rowBytes = 128;
    const line = (flags: string[]) => linesOf([...base, ...flags], cwd)[0]!;
    const fused = line(["--tile-form", "fused", "--burst", "1"]), unfused = line(["--tile-form", "unfused"]);
    const nnz = Number(/, (\d+) stored;/.exec(fused.notes[0]!)![1]);
    expect(fused.traffic).toMatchObject({
      left_bytes: nnz * 12,
      right_bytes: 0,
      out_bytes: 2 * 3 * n * rowBytes,
      combination_bytes: n * 10 * 8 + 3 * 10 * rowBytes,
    });
    expect(unfused.traffic).toMatchObject({
      right_bytes: 3 * n * rowBytes,
      out_bytes: n * rowBytes,
      combination_bytes: n * 10 * 8 + 3 * 10 * rowBytes + n * rowBytes,
    });
    expect(unfused.traffic["left_bytes"]! % 64).toBe(0);
    expect(unfused.traffic["left_bytes"]).toBeGreaterThan(nnz * 12);
    const forms = [line(["--tile-form", "fused"]), unfused].map(({ traffic }) => traffic["layer_bytes"]!);
    expect(line([]).traffic["layer_bytes"]).toBe(Math.min(...forms));
  });

  test("constants of the model steer cycles and energy, not bytes", () => {
    const base = ["a.graph", "--policy", "none", "--in-width", "10"];
    const [{ traffic: slow }] = linesOf([...base, "--latency-ns", "1600"], cwd) as [Line];
    const [{ traffic: fast }] = linesOf([...base, "--latency-ns", "0", "--dram-gb-s", "1e9"], cwd) as [Line];
    const [{ traffic: free }] = linesOf([...base, "--dram-pj", "0"], cwd) as [Line];
    expect(fast["layer_bytes"]).toBe(slow["layer_bytes"]!);
    expect(slow["layer_cycles"]).toBeGreaterThan(fast["layer_cycles"]!);
    // Nothing to wait for: one vector of 16 per non-zero of both operands.
    const nnz = (slow["left_bytes"]! - 301 * 4) / 12;
    expect(fast["layer_cycles"]).toBe(nnz + 3000);
    expect(slow["layer_microjoules"]! - free["layer_microjoules"]!).toBeCloseTo(
      31e-6 * slow["layer_bytes"]!,
      6,
    );
  });

  test("prints a table and the constants for a person, and reads graph and parts from a pipe", () => {
    const { text } = gustOk(["bench", "traffic", "a.graph", "a.parts", "--self-loops", "-q"], { cwd });
    const [, graph, ...lines] = text.trimEnd().split("\n");
    expect(graph).toBe("a.graph");
    expect(lines.slice(0, 3)).toEqual([
      expect.stringContaining("rows in the order of 6 parts"),
      expect.stringContaining("rows of 128 B, indices of 4 B, 4096 rows cached"),
      expect.stringContaining("pJ: 31 per byte of memory"),
    ]);
    expect(text).toMatch(/^policy +width +hit rate +left MB +right MB +out MB +total MB/m);
    const { stdout } = gustOk(["partition", "a.graph", "-k", "3"], { cwd });
    const piped = gustOk(["bench", "traffic", "-", "--policy", "hdn-cluster", "-q"], { stdin: stdout, cwd });
    expect(piped.text).toContain("rows in the order of 3 parts");
  });

  test("refuses parts of another graph, and pinning by part without parts", () => {
    const wrong = gust(["bench", "traffic", "mesh.graph", "a.parts"], { cwd });
    expect(wrong.status).not.toBe(0);
    expect(wrong.stderr).toContain("a.parts");
    const without = gust(["bench", "traffic", "mesh.graph", "--policy", "hdn-cluster"], { cwd });
    expect(without.status).not.toBe(0);
    expect(without.stderr).toContain("--policy hdn-cluster: no partition among the inputs");
  });

  test("a graph without features counts A (X W) alone, and one without arcs nothing to find", () => {
    const [mesh] = linesOf(["mesh.graph", "--policy", "none"], cwd) as [Line];
    expect(mesh.traffic["combination_bytes"]).toBeNull();
    expect(mesh.notes[0]).toContain("X W is not counted");
    for (const { traffic } of linesOf(["--nodes", "5", "--nnz", "0"], cwd)) {
      expect(traffic["hit_rate"]).toBeNull();
      expect(traffic["total_vs_none"]).toBeFinite();
    }
  });

  dataTest("cora with self-loops and 128 cached rows", () => {
    const cwd = freshDir();
    gustOk(["import", dataPath("cora/cora.npz"), "-o", "cora.graph"], { cwd });
    for (const method of ["multilevel", "random"]) {
      gustOk(["partition", "cora.graph", "-k", "20", "--method", method, "-o", join(cwd, method)], { cwd });
    }
    const flags = ["--self-loops", "--cache-rows", "128"];
    const megabytes = (files: string[]) =>
      Object.fromEntries(
        linesOf(["cora.graph", ...files, ...flags], cwd).map((l) => [
          l.traffic.policy,
          l.traffic["total_bytes"]! / 1e6,
        ]),
      );
    const natural = megabytes([]), parts = megabytes(["multilevel"]), random = megabytes(["random"]);
    expect(natural["none"]!.toFixed(2)).toBe("2.21");
    expect(natural["hdn-global"]!.toFixed(2)).toBe("1.92");
    expect(natural["lru"]!.toFixed(2)).toBe("1.93");
    // Parts are ours, the figure is of METIS.
    expect(Math.abs(parts["hdn-cluster"]! / 1.08 - 1)).toBeLessThan(0.03);
    expect(parts["hdn-global"]).toBe(natural["hdn-global"]!);
    // Hits, but what is pinned costs as much as it saves.
    expect(natural["none"]! / random["hdn-cluster"]!).toBeLessThan(1.05);
  });
});
