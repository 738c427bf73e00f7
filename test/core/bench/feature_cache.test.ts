import { expect, test } from "bun:test";
import { featureCache } from "../../../core/bench/feature_cache.ts";
import { reportText, thisMachine } from "../../../core/bench/report.ts";
import { cachePolicies } from "../../../core/feature_cache/mod.ts";
import { openTestDevice } from "../../_device.ts";
import { sbmGraph } from "../_graphs.ts";

await openTestDevice();

const graph = sbmGraph({ nodes: 600, degree: 12, classes: 3, features: 4, trainPerClass: 60 });
const run = async (more: Record<string, unknown>) => {
  const params = featureCache.params.parse({ fanout: [4, 4], batchSize: 32, epochs: 4, ...more });
  const context = {
    graph: () => ({ graph, label: "small" }),
    file: () => "",
    peers: null,
    seed: 1,
    program: [],
  };
  return await featureCache.run(context, params as Record<string, unknown>);
};

test("bench feature-cache stays below the best cache and the best fixed rows, for samplers of every kind", async () => {
  for (const method of ["neighbor", "ladies", "saint-node"]) {
    const results = await run({ method, room: [0, 0.1, 0.5, 1] });
    expect(results.map(({ cache }) => [cache!.policy, cache!.rows])).toEqual(
      [0, 60, 300, 600].flatMap((rows) => cachePolicies.names.map((name) => [name, rows])),
    );
    for (const { cache } of results) {
      const { policy, rows, reads, hit_ratio, best_static, belady } = cache!;
      expect(reads).toBeGreaterThan(1000);
      expect(best_static).toBeLessThanOrEqual(belady);
      expect(hit_ratio).toBeLessThanOrEqual(policy === "adaptive" ? belady : best_static);
      if (rows === 0) expect(belady).toBe(0);
      // With room for all, rows that are held from the beginning are never missed.
      if (rows === 600) expect([belady, policy === "adaptive" ? 1 : hit_ratio]).toEqual([1, 1]);
    }
    expect(reportText({ machine: thisMachine(), results })).toContain("best fixed");
  }
});
