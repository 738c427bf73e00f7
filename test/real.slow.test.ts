/**
 * Real training runs to published accuracies, through the commands that a user types. Scores are means of ten seeds on
 * the test nodes; bounds are what gust promises.
 */
import { describe, expect } from "bun:test";
import { join } from "node:path";
import { anyMachine, dataPath, dataTest, freshDir, pipeline, repository } from "./helpers.ts";

const cwd = freshDir();
const MINUTES = 60_000;
const recipe = (name: string) => join(repository, "fixtures/recipes", `${name}.json`);

/** Run a bash line that must succeed. */
function sh(line: string): string {
  const { status, stderr, text } = pipeline(line, { cwd, env: anyMachine, timeoutMs: 9 * MINUTES });
  if (status !== 0) throw new Error(`${line}: exit status ${status}\n${stderr}`);
  return text;
}

interface Result {
  readonly runs: { readonly test: number; readonly peak_memory_bytes: number }[];
  readonly summary: { readonly test: { readonly mean: number; readonly std: number } };
}
const trained = (line: string): Result => JSON.parse(sh(`${line} -o m --json`));
const meanOf = (line: string): number => {
  const { runs, summary } = trained(line);
  expect(runs.length).toBe(10);
  return summary.test.mean;
};
const graph = (name: string, flags = "") => {
  sh(`test -f ${name} || gust import -q ${flags} "${dataPath(`${name}/${name}.npz`)}" -o ${name}`);
  return name;
};

describe("mean accuracy of ten seeds", () => {
  dataTest("of a GCN on cora's public split is at least 81 %", () => {
    // Kipf and Welling 2017, table 2: 81.5. Flags and recipe say the same.
    const flags = meanOf(`gust train ${graph("cora")} --feat-norm row --repeat 10`);
    expect(flags).toBeGreaterThanOrEqual(0.81);
    expect(meanOf(`gust train cora --config ${recipe("cora.gcn")}`)).toBe(flags);
  }, 5 * MINUTES);

  dataTest("of a GCN on citeseer's public split is at least 69.5 %", () => {
    // Kipf and Welling 2017, table 2: 70.3.
    const mean = meanOf(`gust train ${graph("citeseer")} --feat-norm row --repeat 10`);
    expect(mean).toBeGreaterThanOrEqual(0.695);
  }, 5 * MINUTES);

  dataTest("of SGC on cora through a pipe of propagated features is at least 80 %", () => {
    // Wu et al. 2019, table 2: 81.0.
    const line = `gust cache ${graph("cora")} --hops 2 --feat-norm row` +
      " | gust train --model sgc --lr 0.2 --weight-decay 5e-5 --epochs 100 --repeat 10";
    const mean = meanOf(line);
    expect(mean).toBeGreaterThanOrEqual(0.8);
    // Without the cache the model propagates by itself, and learns the same.
    expect(meanOf(`gust train cora --config ${recipe("cora.sgc")}`)).toBe(mean);
  }, 5 * MINUTES);

  dataTest("of a GCN on random splits of coauthor_cs is at least 90.5 %", () => {
    const mean = meanOf(`gust train ${graph("coauthor_cs")} --config ${recipe("coauthor_cs.gcn")}`);
    expect(mean).toBeGreaterThanOrEqual(0.905);
  }, 10 * MINUTES);

  dataTest("of a GCN on random splits of amazon_computers is at least 81 %", () => {
    // The largest component, as Shchur et al. 2018 take it. 81.7 with AVX-512, and 2.8 from seed to seed.
    const name = graph("amazon_computers", "--symmetrize --largest-component");
    const mean = meanOf(`gust train ${name} --config ${recipe("amazon_computers.gcn")}`);
    expect(mean).toBeGreaterThanOrEqual(0.81);
  }, 10 * MINUTES);
});

describe("clusters as batches on cora", () => {
  // Hidden 64, Adam 0.01, dropout 0.5, features and weights as they are.
  const flags = "--hidden 64 --weight-decay 0 --epochs 100 --repeat 10";

  dataTest("multilevel parts cost at most one point, random ones at least two", () => {
    const full = meanOf(`gust train ${graph("cora")} ${flags}`);
    const multilevel = meanOf(`gust partition cora -k 10 | gust train ${flags}`);
    const random = meanOf(`gust partition cora -k 10 --method random | gust train ${flags}`);
    expect(Math.abs(full - multilevel)).toBeLessThanOrEqual(0.01);
    expect(full - random).toBeGreaterThanOrEqual(0.02);
  }, 10 * MINUTES);

  dataTest("are the same drawn by gust sample ahead of training", () => {
    const line = "--hidden 64 --weight-decay 0 --epochs 20";
    const drawn = trained(`gust partition ${graph("cora")} -k 10 | gust train ${line}`);
    const sampled = trained(
      `gust partition cora -k 10 | gust sample --method cluster --epochs 20 | gust cache --pack | gust train ${line}`,
    );
    expect(sampled.runs[0]!.test).toBe(drawn.runs[0]!.test);
  }, 5 * MINUTES);
});

describe("memory", () => {
  dataTest("of training on coauthor_cs stays below 400 MB: 18,333 x 6,805 features are never dense", () => {
    // Dense they would take 499 MB in float32.
    for (const flags of ["", "--feat-norm l2 --hidden 64"]) {
      const { runs } = trained(`gust train ${graph("coauthor_cs")} --split random --epochs 5 ${flags}`);
      expect(runs[0]!.peak_memory_bytes).toBeLessThanOrEqual(400e6);
    }
    const line = "gust sample coauthor_cs --split all --fanout 10,10 --batch-size 512 | gust cache --pack";
    const { runs } = trained(`${line} | gust train --split random --epochs 2`);
    expect(runs[0]!.peak_memory_bytes).toBeLessThanOrEqual(400e6);
  }, 5 * MINUTES);
});
