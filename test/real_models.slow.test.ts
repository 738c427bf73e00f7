/**
 * Models on the graphs of their papers, by the committed recipes, which were chosen on validation nodes. Bounds are what
 * gust promises; the figures beside them are what was measured.
 */
import { describe, expect } from "bun:test";
import { join } from "node:path";
import { anyMachine, dataPath, dataTest, freshDir, pipeline, repository } from "./helpers.ts";

const cwd = freshDir();
const MINUTES = 60_000;

function sh(line: string): string {
  const { status, stderr, text } = pipeline(line, { cwd, env: anyMachine, timeoutMs: 19 * MINUTES });
  if (status !== 0) throw new Error(`${line}: exit status ${status}\n${stderr}`);
  return text;
}

interface Result {
  readonly runs: readonly { readonly split: number; readonly test: number }[];
  readonly summary: { readonly metric: string; readonly test: { readonly mean: number } };
}

/** Train by a recipe on a graph of the data folder. */
function train(file: string, recipe: string, { importing = "", training = "" } = {}): Result {
  const name = file.replaceAll("/", "_");
  sh(`test -f ${name} || gust import -q ${importing} "${dataPath(file)}" -o ${name}`);
  const path = join(repository, "fixtures/recipes", `${recipe}.json`);
  return JSON.parse(sh(`gust train ${name} --config ${path} ${training} -o m --json`));
}

/** The mean of ten seeds, or of ten stored splits. */
function meanOfTen(file: string, recipe: string, importing = ""): number {
  const { runs, summary } = train(file, recipe, { importing });
  expect(runs.length).toBe(10);
  return summary.test.mean;
}

describe("mean accuracy of ten seeds", () => {
  dataTest("of GAT on cora's public split is at least 82.0 %", () => {
    // Velickovic et al. 2018, table 2: 83.0.
    expect(meanOfTen("cora/cora.npz", "cora.gat")).toBeGreaterThanOrEqual(0.82);
  }, 20 * MINUTES);

  dataTest("of GAT on citeseer's public split is at least 71.0 %", () => {
    // Velickovic et al. 2018, table 2: 72.5.
    expect(meanOfTen("citeseer/citeseer.npz", "citeseer.gat")).toBeGreaterThanOrEqual(0.71);
  }, 20 * MINUTES);

  dataTest("of APPNP on cora's public split is at least 82.0 %", () => {
    expect(meanOfTen("cora/cora.npz", "cora.appnp")).toBeGreaterThanOrEqual(0.82);
  }, 20 * MINUTES);

  dataTest("of GCNII with 16 layers on cora's public split is at least 83.5 %", () => {
    // Chen et al. 2020, table 3: 84.6.
    expect(meanOfTen("cora/cora.npz", "cora.gcnii")).toBeGreaterThanOrEqual(0.835);
  }, 20 * MINUTES);

  dataTest("of GraphSAGE on random splits of amazon_photo is at least 90 %", () => {
    // Shchur et al. 2018, arXiv:1811.05868, table 1: 91.4, on the largest component.
    const importing = "--symmetrize --largest-component";
    const mean = meanOfTen("amazon_photo/amazon_photo.npz", "amazon_photo.sage", importing);
    expect(mean).toBeGreaterThanOrEqual(0.9);
  }, 20 * MINUTES);
});

describe("graphs whose neighbours are unlike", () => {
  /** Mean ROC AUC of the first three stored splits. */
  function minesweeper(recipe: string): number {
    const scores = [0, 1, 2].map((split) => {
      const result = train("heterophilous/minesweeper.npz", recipe, { training: `--split-index ${split}` });
      expect([result.summary.metric, result.runs.length]).toEqual(["roc-auc", 1]);
      return result.summary.test.mean;
    });
    return scores.reduce((a, b) => a + b) / scores.length;
  }

  dataTest("GCN on minesweeper has a ROC AUC of at least 88 %", () => {
    // Platonov et al. 2023, arXiv:2302.11640, table 4: 89.75.
    expect(minesweeper("minesweeper.gcn")).toBeGreaterThanOrEqual(0.88);
  }, 20 * MINUTES);

  dataTest("GraphSAGE on minesweeper has a ROC AUC of at least 91.5 %", () => {
    // Platonov et al. 2023, table 4: 93.51.
    expect(minesweeper("minesweeper.sage")).toBeGreaterThanOrEqual(0.915);
  }, 20 * MINUTES);

  dataTest("H2GCN on texas is above 78 %, where GCN stays below 65 %", () => {
    // Zhu et al. 2020, table 5: H2GCN-1 84.9 +- 6.8, GCN 59.5 +- 5.3.
    const file = "heterophilous/texas.npz";
    expect(meanOfTen(file, "texas.h2gcn")).toBeGreaterThan(0.78);
    const { summary } = train(file, "cora.gcn", { training: "--repeat 1 --all-splits" });
    expect(summary.test.mean).toBeLessThan(0.65);
  }, 20 * MINUTES);
});
