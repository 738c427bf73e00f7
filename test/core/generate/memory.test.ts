import { expect, test } from "bun:test";
import process from "node:process";
import { repository, run } from "../../helpers.ts";

/** What a new process holds at most while it generates a graph, beyond what it held before. */
function peak(
  name: string,
  params: Record<string, unknown>,
): { held: number; resident: number; arcs: number } {
  const script = `
    import { memoryUse, openNative } from "./ffi/native.ts";
    import { generators } from "./core/generate/mod.ts";
    import { generateGraph } from "./core/generate/graph.ts";
    import { piecesOf } from "./core/format/document.ts";
    await openNative();
    const entry = generators.get(${JSON.stringify(name)});
    const before = memoryUse();
    const { document, duplicates } = generateGraph(entry, entry.params.parse(${
    JSON.stringify(params)
  }), 0, []);
    for (const tensor of document.tensors) for (const _ of piecesOf(tensor));
    const after = memoryUse();
    console.log(JSON.stringify({
      held: after.heldPeak - before.held,
      resident: after.residentPeak - before.resident,
      arcs: document.meta.num_edges + duplicates,
    }));`;
  const result = run([process.execPath, "-e", script], { cwd: repository });
  expect(result.stderr).toBe("");
  return JSON.parse(result.text);
}

test(
  "generateGraph() holds 8 (n + 1) + 4 a bytes for n nodes and a drawn arcs, and what it documents beside",
  () => {
    for (
      const [name, params, n] of [
        ["erdos-renyi", { nodes: 1_000_000, edges: 5_000_000 }, 1_000_000],
        ["rmat", { scale: 18, edges: 5_000_000, permute: true }, 2 ** 18],
        ["sbm", { nodes: 500_000, degree: 20, features: 300 }, 500_000],
      ] as const
    ) {
      const { held, resident, arcs } = peak(name, params);
      const formula = 8 * (n + 1) + 4 * arcs + (name === "sbm" ? 5 * n + 2 ** 25 : 0);
      expect(arcs).toBeGreaterThan(9_900_000);
      expect(held).toBeGreaterThanOrEqual(8 * n + 4 * arcs);
      // 1 %: rounding to pages.
      expect(held).toBeLessThan(1.01 * formula);
      // The runtime itself grows while it runs, by its heap and stacks.
      expect(resident).toBeLessThan(1.01 * formula + 40e6);
    }
  },
  30_000,
);
