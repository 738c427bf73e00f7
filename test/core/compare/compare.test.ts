import { describe, expect, test } from "bun:test";
import { compareGroups } from "../../../core/compare/compare.ts";
import { groupRuns } from "../../../core/compare/groups.ts";
import { resultsSource, type Run, type Source } from "../../../core/compare/runs.ts";
import { resultCsv, tableMarkdown, tablesOf, tableText } from "../../../core/compare/table.ts";
import { metrics } from "../../../core/metrics/mod.ts";

const run = (seed: number, score: number, more: Partial<Run> = {}): Run => ({
  seed,
  split: 0,
  epochs: 10,
  best_epoch: 5,
  train: 1,
  val: score,
  test: score,
  seconds: null,
  ...more,
});
const model = (file: string, settings: Record<string, unknown>, runs: Run[], digest = file): Source => ({
  file,
  model: "gcn",
  metric: "accuracy",
  runs,
  settings: { model: "gcn", ...settings },
  parameters: 12,
  digest,
});
const results = (file: string, runs: Run[], digest: string | null = null): Source => ({
  ...model(file, {}, runs),
  settings: null,
  parameters: null,
  digest,
});

describe("groupRuns()", () => {
  test("puts models that differ in their seed together, and names what tells groups apart", () => {
    const groups = groupRuns([
      model("b1", { hidden: 64, lr: 0.1 }, [run(1, 0.6)]),
      model("a0", { hidden: 16, lr: 0.1 }, [run(0, 0.5)]),
      model("b0", { hidden: 64, lr: 0.1 }, [run(0, 0.7)]),
    ]);
    expect(groups.map(({ label, files, runs }) => [label, files, runs.map(({ seed }) => seed)])).toEqual([
      ["gcn hidden=64", ["b1", "b0"], [0, 1]],
      ["gcn hidden=16", ["a0"], [0]],
    ]);
  });

  test("results join the group whose runs they hold, and bring seeds and times", () => {
    const [group, ...others] = groupRuns([
      results("r.json", [run(0, 0.5, { seconds: 3 }), run(1, 0.6, { seconds: 5 })]),
      model("m0", {}, [run(0, 0.5)]),
    ]);
    expect(others).toEqual([]);
    expect(group).toMatchObject({ label: "gcn", files: ["m0", "r.json"], parameters: 12 });
    expect(group!.runs.map(({ seconds }) => seconds)).toEqual([3, 5]);
  });

  test("results of other runs, or of another document, are a group of their own", () => {
    for (const other of [results("r", [run(0, 0.9)]), results("r", [run(0, 0.5)], "another")]) {
      expect(groupRuns([model("m", {}, [run(0, 0.5)]), other]).map(({ label }) => label)).toEqual([
        "gcn",
        "r",
      ]);
    }
    expect(groupRuns([model("m", {}, [run(0, 0.5)]), results("r", [run(0, 0.5)], "m")])).toHaveLength(1);
  });

  test("refuses two runs of one seed that disagree", () => {
    expect(() => groupRuns([model("a", {}, [run(3, 0.5)]), model("b", {}, [run(3, 0.6)])])).toThrow(
      "a and b: runs of the same settings, seed 3 and split 0 have other scores",
    );
  });
});

describe("compareGroups()", () => {
  const scores = { a: [0.5, 0.52, 0.55, 0.51], b: [0.6, 0.63, 0.64, 0.62] };
  const groups = () =>
    groupRuns([
      ...scores.a.map((x, seed) => model(`a${seed}`, { lr: 1 }, [run(seed, x)])),
      ...scores.b.map((x, seed) => model(`b${seed}`, { lr: 2 }, [run(seed, x, { seconds: seed })])),
      model("b9", { lr: 2 }, [run(9, 0.1)]),
    ]);

  test("tests the differences over the seeds that both have", () => {
    const { comparisons, groups: [a, b], settings_that_differ } = compareGroups(groups(), "test", 0.95);
    expect(settings_that_differ).toEqual({ lr: [1, 2] });
    expect(a!.summary.test.mean).toBeCloseTo(0.52, 12);
    expect(b!.mean_seconds).toBe(1.5);
    expect(comparisons).toHaveLength(1);
    const [one] = comparisons;
    expect(one).toMatchObject({ group: "gcn lr=2", baseline: "gcn lr=1", pairs: 4, test: "sign-flip" });
    // Differences 0.10 0.11 0.09 0.11: all positive, 2 of 16 patterns; Student's t with 3 degrees of freedom.
    expect(one!.p).toBe(2 / 16);
    expect(one!.p_adjusted).toBe(2 / 16);
    expect(one!.difference).toBeCloseTo(0.1025, 12);
    const half = 3.182446305 * Math.sqrt(0.000275 / 3) / 2;
    expect(one!.high! - one!.difference!).toBeCloseTo(half, 9);
  });

  test("says why there is no test", () => {
    const other = groupRuns([
      model("a", { lr: 1 }, [run(0, 0.5)]),
      model("b", { lr: 2 }, [run(1, 0.5)]),
      model("c", { lr: 3 }, [run(0, 0.75)]),
      { ...model("d", { lr: 4 }, [run(0, 0.5)]), metric: "rmse" },
      model("e", { lr: 5 }, [run(0, 0.5, { test: null })]),
    ]);
    expect(
      compareGroups(other, "test", 0.95).comparisons.map(({ difference, reason }) => [difference, reason]),
    )
      .toEqual([
        [null, "no seed in common with a test score"],
        [0.25, "one seed in common, a test needs at least 2"],
        [null, "scores are rmse, not accuracy"],
        [null, "no seed in common with a test score"],
      ]);
    expect(compareGroups(other.slice(0, 1), "val", 0.95).comparisons).toEqual([]);
  });

  test("as text, Markdown and CSV", () => {
    const result = compareGroups(groups(), "test", 0.95);
    const tables = tablesOf(result, (name) => metrics.get(name));
    const text = tables.map(tableText).join("\n");
    expect(text).toMatch(/^gcn lr=1 +4 +accuracy +100\.00 \+- 0\.00 % +52\.00 \+- 2\.16 % .* 12 +5 +-$/m);
    expect(text).toMatch(/^lr +1 +2$/m);
    expect(text).toMatch(
      /^gcn lr=2 +4 +\+10\.25 +\+8\.73 \.\. \+11\.77 +0\.1250 +exact sign-flip test, 2\^4 patterns$/m,
    );
    const markdown = tables.map(tableMarkdown).join("\n");
    expect(markdown).toContain("| setting | gcn lr=1 | gcn lr=2 |\n| --- | --- | --- |\n| lr | 1 | 2 |\n");
    const [header, first, second] = resultCsv(result).trimEnd().split("\n").map((line) => line.split(","));
    const column = (name: string) => header!.indexOf(name);
    expect(first![column("p")]).toBe("");
    expect(second![column("p")]).toBe("0.125");
    expect(second![column("lr")]).toBe("2");
    expect(Number(second![column("test_mean")])).toBeCloseTo((0.6 + 0.63 + 0.64 + 0.62 + 0.1) / 5, 12);
    expect(new Set([header, first, second].map((row) => row!.length)).size).toBe(1);
  });
});

describe("resultsSource()", () => {
  const good = {
    runs: [{ seed: 1, epochs: 3, best_epoch: 2, train: 1, val: null, test: 0.5 }],
    summary: { metric: "rmse" },
    model: "gin",
  };

  test("reads what gust train --json wrote, older and newer", () => {
    expect(resultsSource(JSON.stringify(good), "r", '"r"')).toMatchObject({
      metric: "rmse",
      settings: null,
      runs: [{ seed: 1, split: 0, seconds: null, val: null }],
    });
  });

  test("names every violation", () => {
    const refused = [
      ["{", /^Cannot read "r": no JSON/],
      ["[]", /^Cannot read "r" as results of gust train:/],
      [JSON.stringify({ ...good, runs: [] }), /runs: /],
      [
        JSON.stringify({ ...good, runs: [{ ...good.runs[0], seed: "x", test: "y" }] }),
        /runs\.0\.seed: [^]*runs\.0\.test: /,
      ],
      [JSON.stringify({ ...good, summary: {} }), /summary\.metric: /],
    ] as const;
    for (const [text, message] of refused) expect(() => resultsSource(text, "r", '"r"')).toThrow(message);
  });
});
