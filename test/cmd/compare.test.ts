import { beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, type Folder, graphFolder, json, quietly } from "./_folder.ts";

let here: Folder;
beforeAll(() => {
  here = graphFolder();
  const train = (name: string, ...more: string[]) =>
    gustOk(
      [
        "train",
        "g",
        "--epochs",
        "4",
        "--repeat",
        "3",
        "-o",
        `${name}.{seed}`,
        `--json=${name}.json`,
        ...more,
      ],
      here,
    );
  train("gcn", "--hidden", "8");
  train("wide", "--hidden", "24");
});
const models = (name: string) => [0, 1, 2].map((seed) => `${name}.${seed}`);

describe("gust compare", () => {
  test("groups models over seeds and tests their difference", () => {
    const { text, stderr } = gustOk(["compare", ...models("gcn"), ...models("wide")], here);
    expect(stderr).toBe("");
    expect(text).toMatch(/^gcn hidden=8 +3 +accuracy /m);
    expect(text).toMatch(/^hidden +8 +24$/m);
    expect(text).toMatch(/^gcn hidden=24 +3 .*exact sign-flip test, 2\^3 patterns$/m);
    expect(text).not.toMatch(/undefined|NaN|\[object/);
  });

  test("--json holds groups, settings and comparisons; results bring times", () => {
    const { groups, settings_that_differ, comparisons } = json(
      gustOk(["compare", "--json", ...models("gcn"), "gcn.json", ...models("wide")], here).text,
    );
    expect(groups.map((g: { label: string; runs: unknown[] }) => [g.label, g.runs.length])).toEqual([
      ["gcn hidden=8", 3],
      ["gcn hidden=24", 3],
    ]);
    expect(groups[0].files).toContain("gcn.json");
    expect(groups[0].mean_seconds).toBeGreaterThan(0);
    expect(groups[1].mean_seconds).toBeNull();
    expect(groups[0].parameters).toBe(12 * 8 + 8 + 8 * 3 + 3);
    expect(settings_that_differ).toEqual({ hidden: [8, 24] });
    const scores = json(bytesOf(here, "wide.json").toString()).runs.map((r: { test: number }) => r.test);
    const base = json(bytesOf(here, "gcn.json").toString()).runs.map((r: { test: number }) => r.test);
    const mean = scores.reduce((sum: number, x: number, i: number) => sum + x - base[i], 0) / 3;
    expect(comparisons[0]).toMatchObject({ pairs: 3, test: "sign-flip" });
    expect(comparisons[0].difference).toBeCloseTo(mean, 12);
  });

  test("takes results alone, as Markdown and CSV, into a file", () => {
    const args = ["compare", "gcn.json", "wide.json", "--split", "val"];
    gustOk([...args, "--format", "markdown", "-o", "t.md", "--deps", "t.d"], here);
    expect(bytesOf(here, "t.md").toString()).toContain("| gcn.json | 3 | accuracy |");
    expect(bytesOf(here, "t.d").toString()).toBe("t.md: gcn.json wide.json\n");
    const lines = gustOk([...args, "--format", "csv"], here).text.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[0]).toStartWith("group,model,metric,runs,train_mean");
  });

  test("reads models down a pipe, where other documents pass by", () => {
    const line = "gust train g --epochs 2 2>/dev/null | gust compare";
    expect(pipeline(line, here).text).toMatch(/^gcn +1 +accuracy /m);
    const stdin = Buffer.concat(models("gcn").map((name) => bytesOf(here, name)));
    expect(gustOk(["compare", "-"], { ...here, stdin }).text).toMatch(/^gcn +3 /m);
  });

  test("how batches were made is a setting, their seed is not", () => {
    const sample = (seed: number, fanout: string) =>
      `gust sample g --fanout ${fanout} --batch-size 20 --epochs 2 --seed ${seed} | gust train --epochs 2 --seed ${seed}`;
    for (const seed of [0, 1]) quietly(`${sample(seed, "3,3")} -o near.${seed}`, here);
    quietly(`${sample(0, "5,5")} -o far.0`, here);
    const { groups, settings_that_differ } = json(
      gustOk(["compare", "--json", "near.0", "near.1", "far.0"], here).text,
    );
    expect(groups.map((g: { runs: unknown[] }) => g.runs.length)).toEqual([2, 1]);
    expect(settings_that_differ).toEqual({ "sample.fanout": [[3, 3], [5, 5]] });
  });

  test("refuses what cannot be compared", () => {
    writeFileSync(join(here.cwd, "bad.json"), bytesOf(here, "gcn.json").subarray(0, 50));
    writeFileSync(join(here.cwd, "cut"), bytesOf(here, "gcn.0").subarray(0, -9));
    for (
      const [args, status, message] of [
        [["gcn.0", "g"], 1, '"g" is a graph document, expected a model'],
        [["bad.json"], 1, 'Cannot read "bad.json": no JSON'],
        [["cut"], 1, 'Cannot read "cut": truncated'],
        [["none"], 1, 'Cannot open "none"'],
        [["gcn.0", "--confidence", "2"], 2, "--confidence"],
        [["gcn.0", "--splt", "val"], 2, "unknown option '--splt'"],
        [["-"], 2, "No model among the inputs"],
      ] as const
    ) {
      const result = gust(["compare", ...args], here);
      expect([args, result.status]).toEqual([args, status]);
      expect(result.stderr).toContain(message);
    }
  });

  test("a closed pipe ends it quietly", () => {
    const result = pipeline("gust compare gcn.json | head -c 1; echo ${PIPESTATUS[0]}", here);
    expect([result.text, result.stderr]).toEqual(["g0\n", ""]);
  });
});
