/**
 * GraphSAINT on cora: a GCN of 1,208 training nodes, 100 epochs, the mean of three seeds. Its scores are those of the whole
 * graph within two points, about three times what the mean of three seeds varies by (0.5 points each).
 */
import { describe, expect } from "bun:test";
import { dataPath, dataTest, freshDir, gustOk } from "./helpers.ts";

const samplers = [
  "saint-node --nodes-per-batch 1024",
  "saint-edge --edges-per-batch 600",
  "saint-walk --roots 300 --walk-length 2",
];

describe("GraphSAINT on cora", () => {
  dataTest("scores as training on the whole graph does, whichever way subgraphs are drawn", () => {
    const cwd = freshDir(), run = (args: string) => gustOk(args.split(" "), { cwd, timeoutMs: 120_000 });
    gustOk(["import", dataPath("cora/cora.npz"), "-o", "cora"], { cwd });
    run("split cora --method random --train 1208 --val 500 --test 1000 -o g");
    const scored = (flags: string) => {
      const { text } = run(`train g --model gcn ${flags}--epochs 100 --repeat 3 -o m --force --json`);
      return JSON.parse(text).summary.test.mean as number;
    };
    const whole = scored("");
    expect(whole).toBeGreaterThan(0.84);
    for (const sampler of samplers) {
      const score = scored(`--sampler ${sampler} `);
      expect([sampler, Math.abs(score - whole) < 0.02, score]).toEqual([sampler, true, score]);
    }
  }, 300_000);
});
