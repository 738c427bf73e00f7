import { expect, test } from "bun:test";
import { benchmarks } from "../../../core/bench/mod.ts";
import { reportText, runBenchmark } from "../../../core/bench/report.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

test("bench reorder counts what was predicted, and marks one candidate of every layer", async () => {
  const entry = benchmarks.get("reorder");
  const params = entry.params.parse({ width: [3, 8], runs: 3, nodes: 50, nnz: 300 }) as Record<
    string,
    unknown
  >;
  const report = await runBenchmark(entry, params, {
    seed: 1,
    given: null,
    partition: () => null,
    program: [],
    peers: [],
    places: { scripts: null, environments: "", python: undefined },
  });
  const all = report.results.map((r) => r.reorder!);
  for (const { predicted, counted } of all) expect(counted).toEqual(predicted);
  const lines = all.filter(({ form }) => form !== null);
  // Two models of three shapes in three orders.
  expect(all.length - lines.length).toBe(18);
  // Two kinds of layers, four pairs of widths, three candidates.
  expect(lines.length).toBe(24);
  const layers = Map.groupBy(lines, (r) => `${r.is_first} ${r.in_width} ${r.out_width}`);
  for (const candidates of layers.values()) {
    expect(candidates.filter((r) => r.is_chosen).length).toBe(1);
    expect(Math.min(...candidates.map((r) => r.of_best))).toBe(1);
  }
  const order = (layer: string) => layers.get(layer)!.find((r) => r.is_chosen)!.form!.order;
  expect([order("false 3 8"), order("false 8 3")]).toEqual(["aggregate-first", "combine-first"]);
  expect(reportText({ command: "", ...report } as Parameters<typeof reportText>[0])).toContain(
    "counted MFLOP",
  );
});
