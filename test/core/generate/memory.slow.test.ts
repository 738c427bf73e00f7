import { expect, test } from "bun:test";
import process from "node:process";
import { repository, run } from "../../helpers.ts";

interface Peak {
  readonly held: number;
  readonly resident: number;
  readonly arcs: number;
}

/** What a new process holds at most while it runs `body` (which sets `arcs`), beyond what it held before. */
function peak(name: string, params: Record<string, unknown>, body: string): Peak {
  const script = `
    import { memoryUse, openNative } from "./ffi/native.ts";
    import { generators } from "./core/generate/mod.ts";
    import { edgeListText } from "./core/generate/edge_list.ts";
    import { generateGraph } from "./core/generate/graph.ts";
    import { piecesOf } from "./core/format/document.ts";
    await openNative();
    const entry = generators.get(${JSON.stringify(name)});
    const params = entry.params.parse(${JSON.stringify(params)});
    let arcs = 0;
    const before = memoryUse();
    ${body}
    const after = memoryUse();
    const held = after.heldPeak - before.held, resident = after.residentPeak - before.resident;
    console.log(JSON.stringify({ held, resident, arcs }));`;
  const result = run([process.execPath, "-e", script], { cwd: repository });
  expect(result.stderr).toBe("");
  return JSON.parse(result.text);
}

const writeGraph = `
    const { document, duplicates } = generateGraph(entry, params, 0, []);
    for (const tensor of document.tensors) for (const _ of piecesOf(tensor));
    arcs = document.meta.num_edges + duplicates;`;
const writeText = `for (const { edges } of edgeListText(entry.open(params, 0))) arcs += edges;`;

test(
  "generateGraph() holds 8 (n + 1) + 4 a bytes for n nodes and a drawn arcs, and what it documents beside",
  () => {
    for (
      const [name, params, n] of [
        ["erdos-renyi", { nodes: 500_000, edges: 2_500_000 }, 500_000],
        ["rmat", { scale: 18, edges: 2_500_000, permute: true }, 2 ** 18],
        ["sbm", { nodes: 250_000, degree: 20, features: 300 }, 250_000],
      ] as const
    ) {
      const { held, resident, arcs } = peak(name, params, writeGraph);
      const formula = 8 * (n + 1) + 4 * arcs + (name === "sbm" ? 5 * n + 2 ** 25 : 0);
      expect(arcs).toBeGreaterThan(4_900_000);
      expect(held).toBeGreaterThanOrEqual(8 * n + 4 * arcs);
      // 1 %: rounding to pages.
      expect(held).toBeLessThan(1.01 * formula);
      // The runtime itself grows while it runs, by its heap and stacks.
      expect(resident).toBeLessThan(1.01 * formula + 40e6);
    }
  },
  30_000,
);

test("edgeListText() holds 16 MiB", () => {
  for (
    const [name, params, edges] of [
      ["grid", { rows: 1000, cols: 1000, diagonal: true, torus: true }, 4 * 1000 ** 2],
      ["erdos-renyi", { nodes: 2 ** 31, edges: 5_000_000 }, 5_000_000],
    ] as const
  ) {
    const { held, resident, arcs } = peak(name, params, writeText);
    expect(arcs).toBe(edges);
    expect(held).toBeLessThanOrEqual(2 ** 24);
    expect(resident).toBeLessThan(2 ** 24 + 40e6);
  }
}, 30_000);
