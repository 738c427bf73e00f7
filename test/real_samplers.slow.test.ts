/** Training on cora from sampled hops: every sampler reaches what uniform neighbours reach, within two points. */
import { describe, expect } from "bun:test";
import { anyMachine, dataPath, dataTest, freshDir, pipeline } from "./helpers.ts";

const cwd = freshDir();
const MINUTES = 60_000;

/** Mean test accuracy of a GCN over ten seeds. */
function accuracy(flags: string): number {
  const line = `test -f cora || gust import -q "${dataPath("cora/cora.npz")}" -o cora; ` +
    `gust train cora --feat-norm row --batch-size 70 --epochs 60 --repeat 10 ${flags} -o m --force --json`;
  const { status, stderr, text } = pipeline(line, { cwd, env: anyMachine, timeoutMs: 9 * MINUTES });
  if (status !== 0) throw new Error(`${line}: exit status ${status}\n${stderr}`);
  const { runs, summary } = JSON.parse(text);
  expect(runs.length).toBe(10);
  return summary.test.mean;
}

describe("mean accuracy of ten seeds of a GCN on cora's public split", () => {
  dataTest("from sampled hops is within two points of that from uniform neighbours", () => {
    const uniform = accuracy("--sampler neighbor --fanout 10,10");
    expect(uniform).toBeGreaterThan(0.8);
    for (
      const flags of [
        "neighbor --fanout 10,10 --replace",
        "labor --fanout 10,10",
        "labor --fanout 10,10 --importance 2",
        "ladies --layer-size 256,256",
        "fastgcn --layer-size 512,512",
        "vrgcn --fanout 2,2",
      ]
    ) expect(Math.abs(accuracy(`--sampler ${flags}`) - uniform)).toBeLessThan(0.02);
  }, 10 * MINUTES);
});
