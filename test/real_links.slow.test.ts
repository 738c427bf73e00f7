/** Real runs of link prediction and of smoothing, through the commands that a user types. */
import { describe, expect } from "bun:test";
import { join } from "node:path";
import { anyMachine, dataPath, dataTest, freshDir, pipeline, repository } from "./helpers.ts";

const cwd = freshDir();
const MINUTES = 60_000;

/** Run a bash line that must succeed. */
function sh(line: string): string {
  const { status, stderr, text } = pipeline(line, { cwd, env: anyMachine, timeoutMs: 9 * MINUTES });
  if (status !== 0) throw new Error(`${line}: exit status ${status}\n${stderr}`);
  return text;
}
const graph = (name: string) => {
  sh(`test -f ${name} || gust import -q "${dataPath(`${name}/${name}.npz`)}" -o ${name}`);
  return name;
};
const score = (line: string): number => JSON.parse(sh(`${line} | gust eval --json`)).value;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe("link prediction", () => {
  dataTest("by a GCN on cora, 5 and 10 % of the edges held out, has an AUC of at least 0.90", () => {
    // Kipf and Welling 2016, arXiv:1611.07308, table 1: GAE 91.0, VGAE 91.4 (mean of ten runs on one split).
    const recipe = join(repository, "fixtures/recipes/cora.link.json");
    const scores = [0, 1, 2].map((seed) =>
      score(
        `gust split ${
          graph("cora")
        } --method links --seed ${seed} | gust train --config ${recipe} --seed ${seed}`,
      )
    );
    for (const auc of scores) expect(auc).toBeGreaterThanOrEqual(0.9);
    expect(mean(scores)).toBeGreaterThanOrEqual(0.92);
  }, 5 * MINUTES);

  dataTest(
    "by DistMult on umls ranks the true one of all 135 entities by a filtered MRR of at least 0.6",
    () => {
      sh(`gust import -q "${dataPath("kg_small/umls")}" -o umls`);
      const flags = "--task link --model mlp --layers 1 --dropout 0 --features identity --weight-decay 0 " +
        "--decoder distmult --embedding 100 --loss cross-entropy --negatives 20 --batch-size 500 --epochs 60 " +
        "--eval-negatives 0 --select-by mrr --eval-every 5";
      const { metrics, count } = JSON.parse(sh(`gust train umls ${flags} | gust eval --json`));
      expect(count).toBe(661);
      expect(metrics.mrr).toBeGreaterThanOrEqual(0.6);
      expect(metrics["hits-at-10"]).toBeGreaterThanOrEqual(0.85);
    },
    5 * MINUTES,
  );
});

describe("smoothing", () => {
  dataTest("label propagation on cora's public split is at least 68 %", () => {
    expect(score(`gust smooth ${graph("cora")}`)).toBeGreaterThanOrEqual(0.68);
  }, MINUTES);

  dataTest("Correct-and-Smooth adds at least 15 points to an MLP on cora and 4 on amazon_photo", () => {
    // Huang et al. 2020, table 2: from 74 to 87 on cora's larger random splits.
    for (
      const [name, flags, gain] of [["cora", "", 0.15], [
        "amazon_photo",
        "--split random --hidden 64",
        0.04,
      ]] as const
    ) {
      sh(`gust train ${graph(name)} --model mlp --feat-norm row ${flags} -o ${name}.m`);
      const plain = score(`cat ${name} ${name}.m`);
      expect(score(`gust smooth ${name} ${name}.m`) - plain).toBeGreaterThanOrEqual(gain);
      expect(score(`gust smooth ${name} ${name}.m --correction fixed-diff`) - plain).toBeGreaterThanOrEqual(
        gain,
      );
    }
  }, 3 * MINUTES);
});
