import { describe, expect, test } from "bun:test";
import { tileCycles, tileElements, type TileForm, totalElements } from "../../../core/bench/traffic_tiles.ts";

/** As the papers give them: nodes, stored entries with self-loops, widths, densities of X and of its successor. */
const cora = { nodes: 2708, nnzA: 13264 };
const citeseer = { nodes: 3327, nnzA: 12431 };
const pubmed = { nodes: 19717, nnzA: 108365 };
const layer = (g: { nodes: number; nnzA: number }, inWidth: number, width: number, density: number) => ({
  ...g,
  inWidth,
  width,
  nnzX: density * g.nodes * inWidth,
});

describe("elements moved in tiles", () => {
  test.each([
    ["cora, layer 1", layer(cora, 1433, 16, 0.0127), "fused", 2708, 172_131],
    ["cora, layer 1", layer(cora, 1433, 16, 0.0127), "fused", 2048, 207_446],
    ["cora, layer 2", layer(cora, 16, 7, 0.78), "fused", 2708, 85_084],
    ["cora, layer 2", layer(cora, 16, 7, 0.78), "fused", 2048, 97_338],
    ["citeseer, layer 1", layer(citeseer, 3703, 16, 0.0085), "fused", 3000, 300_925],
    ["pubmed, layer 1", layer(pubmed, 500, 16, 0.1), "unfused", 3073, 3_800_622],
    ["pubmed, layer 1", layer(pubmed, 500, 16, 0.1), "unfused", 2048, 4_839_367],
  ])("are what GCNAX counts for %s", (_, shape, form, tileRows, elements) => {
    expect(Math.round(totalElements(tileElements(shape, form as TileForm, tileRows)))).toBe(elements);
  });

  test("a tile larger than the graph is the whole graph, and no nodes take nothing but the sparse operands", () => {
    const shape = layer(cora, 1433, 16, 0.0127);
    expect(tileElements(shape, "fused", 1e6)).toEqual(tileElements(shape, "fused", 2708));
    expect(totalElements(tileElements({ ...shape, nodes: 0, nnzX: 0, nnzA: 0 }, "fused", 8))).toBe(0);
  });

  test("cycles pad the graph to whole tiles and the width to whole vectors", () => {
    const shape = { nodes: 100, nnzA: 500, inWidth: 1, width: 17, nnzX: 0 };
    expect(tileCycles(shape, 100, 16)).toBe(500 * 2);
    expect(tileCycles(shape, 60, 16)).toBeCloseTo(500 / 1e4 * 120 ** 2 * 2, 9);
    expect(tileCycles({ ...shape, nodes: 0, nnzA: 0 }, 60, 16)).toBe(0);
  });
});
