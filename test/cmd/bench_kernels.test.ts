import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { testDevice } from "../_device.ts";
import { freshDir, gust, gustOk } from "../helpers.ts";

const cwd = freshDir();
const communities = [
  "--nodes",
  "400",
  "--degree",
  "12",
  "--communities",
  "4",
  "--homophily",
  "0.9",
  "--closeness",
  "0.8",
];
gustOk([
  "generate",
  "sbm",
  ...communities,
  "--features",
  "0",
  "--train-per-class",
  "5",
  "--val-per-class",
  "5",
  "-o",
  "natural.graph",
], { cwd });
gustOk(["partition", "natural.graph", "-k", "8", "--apply", "-o", "ordered.graph"], { cwd });

interface Result {
  readonly name: string;
  readonly width: number;
  readonly median_ms: number;
  readonly of_roofline: number | null;
  readonly notes: string[];
  readonly pinned_share: number;
  readonly llc_misses: number;
  readonly llc_dense_misses: number;
}

const run = (args: readonly string[]) => gust(["bench", "spmm", ...args, "--runs", "3"], { cwd });
const json = (args: readonly string[]) => {
  const { results } = JSON.parse(
    gustOk(["bench", "spmm", ...args, "--runs", "3", "--json", "-q"], { cwd }).text,
  );
  return results as Result[];
};

describe.if(testDevice === "cpu")("gust bench spmm --kernel", () => {
  test("times kernels in turn, with pins by the parts of the graph", () => {
    const args = ["--kernel", "product,rowwise,pinned", "--weights", "norm", "--width", "8,16"];
    const results = json(["ordered.graph", ...args, "--pin-per-part", "30"]);
    expect(results.map(({ name, width }) => `${name} ${width}`)).toEqual(
      ["8", "16"].flatMap((w) =>
        ["spmm_norm", "spmm_norm_rowwise", "spmm_norm_pinned"].map((k) => `${k} ${w}`)
      ),
    );
    for (const { median_ms, of_roofline } of results) {
      expect(median_ms).toBeGreaterThan(0);
      expect(of_roofline).toBeNull();
    }
    expect(results[0]!.notes).toEqual([
      "width 8: 8 parts of the graph, each pins up to 30 rows (columns), 240 in all",
    ]);
  });

  test("partition order is what fills pins, and saves misses of a small cache", () => {
    const args = ["--kernel", "rowwise,pinned", "--weights", "none", "--width", "64", "--misses"];
    const measured = ["natural.graph", "ordered.graph"].map((graph) =>
      json([graph, ...args, "--llc-bytes", String(2 ** 14), "--pin-per-part", "40", "--pin", "members"])
    );
    const [natural, ordered] = measured as [typeof measured[0], typeof measured[0]];
    expect(ordered[1]!.pinned_share).toBeGreaterThan(2 * natural[1]!.pinned_share);
    for (const kernel of [0, 1]) {
      expect(ordered[kernel]!.llc_misses).toBeLessThan(natural[kernel]!.llc_misses);
      expect(ordered[kernel]!.llc_dense_misses).toBeLessThanOrEqual(ordered[kernel]!.llc_misses);
    }
  });

  test("prints a table with what was pinned and missed", () => {
    const args = ["natural.graph", "--kernel", "pinned", "--width", "8", "--parts", "5", "--misses", "-q"];
    const { text } = gustOk(["bench", "spmm", ...args, "--llc-bytes", "4096", "--runs", "3"], { cwd });
    const [, , pins, cache, header] = text.split("\n");
    expect(pins).toStartWith("width 8: 5 ranges of rows, each pins up to 16384 rows (columns)");
    expect(cache).toContain("misses are simulated");
    expect(header).toEndWith("runs  pinned  M misses");
  });

  test("a graph without arcs misses only its pointers and results", () => {
    gustOk(["generate", "erdos-renyi", "--nodes", "4", "--edges", "0", "-o", "empty.graph"], { cwd });
    const results = json(["empty.graph", "--kernel", "rowwise,pinned", "--width", "16", "--misses"]);
    // 40 bytes of pointers, four rows of a line.
    expect(results.map((r) => [r.llc_dense_misses, r.llc_misses])).toEqual([[0, 5], [0, 5]]);
    expect(results[1]!.pinned_share).toBe(0);
  });

  test("refuses what does not fit", () => {
    gustOk(["partition", "natural.graph", "-k", "4", "-o", "p.partition"], { cwd });
    const refused = (args: readonly string[]) => {
      const { status, stderr } = run(args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(refused(["natural.graph", "--kernel", "pinned", "--dtype", "bf16"])).toContain(
      "--kernel multiplies f32",
    );
    expect(refused(["natural.graph", "--kernel", "pinned", "--parts", "401"])).toContain(
      "at most the graph's 400",
    );
    const beside = refused([join(cwd, "natural.graph"), "p.partition", "--kernel", "pinned"]);
    expect(beside).toContain("gust partition GRAPH PARTITION --apply");
    expect(refused(["natural.graph", "--kernel", "fast"])).toContain("--kernel");
  });
});
