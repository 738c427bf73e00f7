import { expect, test } from "bun:test";
import { benchPage } from "../../../core/bench/page.ts";
import { reportText, thisMachine } from "../../../core/bench/report.ts";
import { rsc } from "../../../core/bench/rsc.ts";
import { sbmGraph } from "../_graphs.ts";

const graph = sbmGraph({ nodes: 400, degree: 12, classes: 3, features: 24, trainPerClass: 30 });
const results = await rsc.run(
  { graph: () => ({ graph, label: "small" }), file: () => "", peers: null, seed: 1, program: [] },
  rsc.params.parse({ hidden: 16, epochs: 30, budgets: [0.2, 0.6] }) as Record<string, unknown>,
);

test("bench rsc holds every budget against exact training", () => {
  expect(results.map(({ name, rsc }) => [name, rsc!.budget])).toEqual([["exact", 1], ["rsc 0.2", 0.2], [
    "rsc 0.6",
    0.6,
  ]]);
  const [exact, ...sampled] = results.map(({ rsc }) => rsc!);
  expect(exact).toMatchObject({ used: 1, product_x: 1, epoch_x: 1, run_x: 1, error: [], cosine: [] });
  for (const r of sampled) {
    expect(r.used).toBeWithin(0, 1.3 * r.budget + 0.05);
    expect(r.product_x).toBeCloseTo(exact!.product_ms / r.product_ms, 10);
    expect([r.error.length, r.cosine.length, r.overlap.length]).toEqual([3, 3, 3]);
    for (const [l, error] of r.error.entries()) {
      expect(error!).toBeWithin(0, 1.5);
      expect(r.cosine[l]!).toBeWithin(0, 1.0001);
    }
    expect(r.test).toBeWithin(0, 1.0001);
  }
  // A larger budget misses less.
  const worst = ({ error }: (typeof sampled)[number]) => Math.max(...error.map((x) => x!));
  expect(worst(sampled[1]!)).toBeLessThan(worst(sampled[0]!));
});

test("its report is a table, and a page with a plot of speed against error and accuracy", () => {
  const report = { machine: thisMachine(), results };
  expect(reportText(report)).toMatch(
    /name +width +used +product ms +product x +by layer +share +epoch ms +epoch x/,
  );
  const page = benchPage([report]);
  expect(page).toContain("speed against error and accuracy");
  expect(page).toContain("relative error of the worst layer");
});
