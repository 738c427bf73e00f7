/** Samplers whose arcs have weights: fan-outs and rows that leave nothing to draw. Averages: arc_weights.slow.test.ts. */
import { describe, expect, test } from "bun:test";
import { openTestDevice, testDevice } from "../../_device.ts";
import { arcsOf, batchesOf, draw, graphOf, randomRows, rowSums } from "./_graphs.ts";

await openTestDevice();

const rows = randomRows(60, 8);
const all = { split: "all", batchSize: 20 };

describe.skipIf(testDevice !== "cpu")("samplers with arc weights", () => {
  const cases: [string, string, (size: number) => Record<string, unknown>][] = [
    ["labor", "labor", (k) => ({ fanout: [k, k] })],
    ["labor, 2 iterations", "labor", (k) => ({ fanout: [k, k], importance: 2 })],
    ["ladies", "ladies", (k) => ({ layerSize: [k, k] })],
    ["fastgcn", "fastgcn", (k) => ({ layerSize: [k, k] })],
    ["neighbor by weight", "neighbor", (k) => ({ fanout: [k, k], weighted: true })],
    ["neighbor with replacement", "neighbor", (k) => ({ fanout: [k, k], replace: true })],
  ];
  const positive = rows.map((row, v) => row.map((u) => 1 + (u + v) % 3));

  test.each(cases)("%s takes every arc for -1, with weight 1", (_, method, params) => {
    const graph = graphOf(rows, { weights: positive });
    for (const batch of batchesOf(draw(graph, method, { ...all, ...params(-1) }))) {
      batch.blocks.forEach((block, hop) => {
        const reached = batch.nodes.toNumbers().slice(0, block.numRows);
        const wanted = reached.flatMap((v) => rows[v]!.map((u) => `${v},${u}`));
        expect(arcsOf(batch, hop).map(String).sort()).toEqual(wanted.sort());
        for (const w of block.arcWeight!.toNumbers()) expect(w).toBeCloseTo(1, 5);
      });
    }
  });

  test.each(cases)("%s takes no arc for 0", (_, method, params) => {
    const graph = graphOf(rows, { weights: positive });
    for (const batch of batchesOf(draw(graph, method, { ...all, ...params(0) }))) {
      expect(batch.blocks.map((block) => block.indices.length)).toEqual([0, 0]);
      expect(new Set(batch.levelSizes).size).toBe(1);
    }
  });

  test.each(cases)("%s leaves nodes without in-neighbours with empty rows", (_, method, params) => {
    const graph = graphOf([[], [], [0]], { train: [0, 2], weights: [[], [], [2]] });
    const [batch] = batchesOf(draw(graph, method, params(2)));
    expect(batch!.levelSizes).toEqual([2, 2, 2]);
    expect(arcsOf(batch!, 0)).toEqual([[2, 0]]);
    expect(batch!.blocks[0]!.arcWeight!.toNumbers()[0]).toBeCloseTo(1, 5);
  });

  test.each(cases)("%s draws no sums out of arcs that weigh nothing", (_, method, params) => {
    const graph = graphOf(rows, { weights: rows.map((row) => row.map(() => 0)) });
    for (const batch of batchesOf(draw(graph, method, { ...all, ...params(2) }))) {
      for (const value of rowSums(batch, () => 1).values()) expect(value).toBe(0);
    }
  });
});
