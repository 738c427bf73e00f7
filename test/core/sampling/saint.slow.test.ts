/** Weights of GraphSAINT's random walks, which are estimates, over many seeds. */
import { expect, test } from "bun:test";
import { openTestDevice } from "../../_device.ts";
import { batchesOf, draw, epochsOf, graphOf } from "./_graphs.ts";

await openTestDevice();

const cycle = Array.from({ length: 40 }, (_, v) => [(v + 39) % 40, (v + 1) % 40].sort((a, b) => a - b));

test("weights of estimates are nearly unbiased: their mean over seeds is 1 / P(v)", () => {
  // One visit of a cycle of 40: P(v) of 2 walks of 2 steps is that of any other node.
  const seeds = epochsOf(2000), weights: number[] = [];
  let batches = 0, nodes = 0;
  for (let seed = 0; seed < seeds; seed++) {
    for (
      const { nodeWeight } of batchesOf(
        draw(graphOf(cycle), "saint-walk", { roots: 2, walkLength: 2, coverage: 4, batchesPerEpoch: 1 }, {
          seed,
        }),
      )
    ) {
      weights.push(...nodeWeight!.toNumbers());
      nodes += nodeWeight!.length;
      batches++;
    }
  }
  const mean = weights.reduce((a, b) => a + b, 0) / weights.length;
  const spread = Math.sqrt(weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / weights.length);
  const inverse = 40 * batches / nodes;
  // (1 - P)^(N + 1) is below e^-4; C is above 4 on average, so that plain N / C would be off by a quarter.
  expect(Math.abs(mean / inverse - 1)).toBeLessThan(
    Math.exp(-4) + 5 * spread / Math.sqrt(nodes) / inverse + 0.02,
  );
});
