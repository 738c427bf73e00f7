import { expect, test } from "bun:test";
import { benchPage } from "../../../core/bench/page.ts";
import { reportText, thisMachine } from "../../../core/bench/report.ts";
import { rsc } from "../../../core/bench/rsc.ts";
import { sbmGraph } from "../_graphs.ts";

const graph = sbmGraph({ nodes: 400, degree: 12, classes: 3, features: 24, trainPerClass: 30 });
const all = await rsc.run(
  { graph: () => ({ graph, label: "small" }), file: () => "", peers: null, seed: 1, program: [] },
  rsc.params.parse({ hidden: 16, width: [16], runs: 3, epochs: 30, budgets: [0.2, 0.97] }) as Record<
    string,
    unknown
  >,
);
const results = all.filter((r) => r.rsc), products = all.filter((r) => r.rsc_product);

test("bench rsc times every part of one product by itself", () => {
  expect(all.indexOf(results[0]!)).toBe(products.length);
  expect(products.map(({ name, width }) => [name, width])).toEqual(
    [
      "exact product",
      "scores",
      ...[0.2, 0.97].flatMap((c) => ["choice", "slice", "sampled", "all"].map((part) => `${part} ${c}`)),
    ].map((name) => [name, 16]),
  );
  for (const { median_ms, min_ms } of products) {
    expect(median_ms).toBeGreaterThan(0);
    expect(min_ms).toBeWithin(0, median_ms + 1e-12);
  }
  const ms = (name: string) => products.find((r) => r.name === name)!.median_ms;
  const [small, large] = products.filter((r) => r.rsc_product!.part === "all");
  // Ten products share a choice of rows.
  expect(small!.median_ms).toBeCloseTo(
    ms("sampled 0.2") + (ms("scores") + ms("choice 0.2") + ms("slice 0.2")) / 10,
    10,
  );
  expect(small!.rsc_product!.speedup).toBeCloseTo(ms("exact product") / small!.median_ms, 10);
  const [few, most] = [small!.rsc_product!, large!.rsc_product!];
  // Another row would not fit.
  const ends = graph.csr.indptr.toNumbers();
  const longest = Math.max(...ends.slice(1).map((end, i) => end - ends[i]!));
  expect(few.entries!).toBeWithin(0.2 - longest / graph.numEdges, 0.2 + 1e-12);
  expect(few.rows!).toBeWithin(0, most.rows! + 1e-12);
  expect(few.cosine!).toBeWithin(0.1, most.cosine!);
  expect(most.error!).toBeLessThan(0.2);
  expect(most.error!).toBeLessThan(few.error!);
});

test("its options are checked", () => {
  for (const bad of [{ width: [0] }, { width: [] }, { runs: 2 }, { budgets: [1] }]) {
    expect(rsc.params.safeParse(bad).success).toBe(false);
  }
});

test("bench rsc holds every budget against exact training", () => {
  expect(results.map(({ name, rsc }) => [name, rsc!.budget])).toEqual([["exact", 1], ["rsc 0.2", 0.2], [
    "rsc 0.97",
    0.97,
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
  // A larger budget misses less, in the products and in the gradients of weights.
  const worst = ({ error }: (typeof sampled)[number]) => Math.max(...error.map((x) => x!));
  expect(worst(sampled[1]!)).toBeLessThan(worst(sampled[0]!));
  const [few, most] = sampled.map((r) => ({
    error: Math.max(...r.gradient_error.map((x) => x!)),
    cosine: Math.min(...r.gradient_cosine.map((x) => x!)),
  }));
  expect(sampled.map((r) => [r.gradient_error.length, r.gradient_cosine.length])).toEqual([[3, 3], [3, 3]]);
  expect(most!.cosine).toBeWithin(0.99, 1.0001);
  expect(few!.cosine).toBeLessThan(most!.cosine - 0.005);
  expect(most!.error).toBeLessThan(few!.error);
});

test("its report is two tables, and a page with a plot of speed against error and accuracy", () => {
  const report = { machine: thisMachine(), results: all };
  expect(reportText(report)).toMatch(
    /backward product +width [^]*\nall 0.97 [^]*\n\nname +width +used +product ms +product x +by layer +share +epoch ms/,
  );
  expect(reportText(report)).toMatch(/weights' error +weights' cosine/);
  const page = benchPage([report]);
  expect(page).toContain("speed against error and accuracy");
  for (const text of ["relative error of the worst layer", "one product", "gradients of weights"]) {
    expect(page).toContain(text);
  }
});
