import { describe, expect, test } from "bun:test";
import { cachePolicies } from "../../core/feature_cache/mod.ts";
import { openNative } from "../../ffi/native.ts";
import { deviceFlags } from "../_device.ts";
import { freshDir, gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, documentOf, json } from "./_folder.ts";

await openNative();

const here = { cwd: freshDir() };
gustOk(["generate", "sbm", "--nodes", "900", "--classes", "3", "--features", "20", "-o", "g"], here);
gustOk(["partition", "g", "-k", "12", "-o", "parts"], here);

const samplers: [string, ...string[]][] = [
  ["neighbor", "--fanout", "5,5", "--batch-size", "50"],
  ["labor", "--fanout", "5,5", "--batch-size", "50"],
  ["ladies", "--batch-size", "50"],
  ["fastgcn", "--batch-size", "50"],
  ["saint-node"],
  ["saint-edge"],
  ["saint-walk"],
  ["cluster", "--parts-per-batch", "3"],
];

describe.each(samplers)("batches of %s", (sampler, ...flags) => {
  const train = (out: string, ...more: string[]) => {
    const words = ["train", "g", ...(sampler === "cluster" ? ["parts"] : []), "--sampler", sampler, ...flags];
    return gustOk([...words, ...deviceFlags, "--epochs", "3", "-o", out, "--force", ...more], here).text;
  };

  test("train to the same bytes with any policy, size and number of threads", () => {
    train("plain", "-@", "1");
    for (const [i, policy] of cachePolicies.names.entries()) {
      for (const size of ["0", "20K", "1G"]) {
        const threads = ["-@", size === "20K" ? "2" : "1"];
        const cache = ["--feature-cache", policy, "--host-mem", size, "--feature-cache-bound", "--json"];
        const { hit_ratio, belady } = json(train(`m${i}`, ...threads, ...cache)).runs[0].feature_cache;
        expect(bytesOf(here, `m${i}`).equals(bytesOf(here, "plain"))).toBe(true);
        expect(hit_ratio).toBeLessThanOrEqual(belady);
      }
    }
  }, 60_000);
});

test("memory stays below the features: held rows, and what training needs", () => {
  // 60,000 x 2,500 numbers: 600 MB in the file. Exact scoring layer by layer takes chunks of 256 MiB.
  const shape = ["--nodes", "60000", "--classes", "4", "--features", "2500", "--degree", "6"];
  gustOk(["generate", "sbm", ...shape, "-o", "large"], here);
  const peak = (...more: string[]) => {
    const flags = ["--sampler", "neighbor", "--fanout", "3,3", "--batch-size", "200", "--hidden", "16"];
    const rest = [
      "--epochs",
      "2",
      "--eval-every",
      "2",
      "--inference",
      "layerwise",
      "--json",
      "-o",
      "m",
      "--force",
    ];
    const { text } = gustOk(["train", "large", ...deviceFlags, ...flags, ...rest, ...more], here);
    return json(text).runs[0].peak_memory_bytes as number;
  };
  const plain = peak();
  expect(plain + 40 * 2 ** 20).toBeLessThan(60_000 * 2500 * 4);
  for (const policy of cachePolicies.names) {
    // The held rows and nothing else: their places and the policy take 13 bytes per node and row.
    expect(peak("--feature-cache", policy, "--host-mem", "32M") - plain).toBeLessThan((32 + 8) * 2 ** 20);
  }
}, 120_000);

test("a run goes on with another cache, and runs side by side have their own", () => {
  const batches = ["--sampler", "neighbor", "--fanout", "5,5", "--batch-size", "50"];
  const cache = (policy: string) => ["--feature-cache", policy, "--host-mem", "10K"];
  gustOk(["train", "g", ...batches, "--epochs", "4", "--repeat", "2", "-o", "whole.{seed}"], here);
  gustOk(["train", "g", ...batches, "--epochs", "2", ...cache("adaptive"), "-o", "half"], here);
  gustOk(["train", "g", "--epochs", "4", "--resume", "half", ...cache("presampled"), "-o", "rest"], here);
  expect(documentOf(here, "rest").digest).toBe(documentOf(here, "whole.0").digest);
  const jobs = ["--epochs", "4", "--repeat", "2", "--jobs", "2", "-o", "job.{seed}", "--json"];
  const { runs } = json(gustOk(["train", "g", ...batches, ...cache("degree"), ...jobs], here).text);
  expect(runs.map((r: { feature_cache: { epochs: unknown[] } }) => r.feature_cache.epochs.length)).toEqual([
    4,
    4,
  ]);
  for (const seed of [0, 1]) {
    expect(bytesOf(here, `job.${seed}`).equals(bytesOf(here, `whole.${seed}`))).toBe(true);
  }
});

test("is refused where batches read no rows of the file, with the reason", () => {
  gustOk(["sample", "g", "--fanout", "4,4", "-o", "s"], here);
  gustOk(["cache", "g", "s", "--pack", "-o", "packed"], here);
  gustOk(["cache", "g", "--hops", "2", "-o", "c"], here);
  const refused = (words: string[], why: string) => {
    const { status, stderr } = gust(["train", ...words, "--feature-cache", "degree", "-o", "never"], here);
    expect(stderr).toContain(why);
    expect(status).toBe(2);
  };
  const because = "gust train: --feature-cache degree: ";
  refused(["g", "s", "packed"], `${because}features come packed with the batches`);
  refused(["g", "c", "--model", "sgc"], `${because}"c" holds the features already`);
  refused(["g", "s", "--features", "degree"], `${because}features are made of the graph`);
  refused(["g", "s", "--host-mem", "much"], '--host-mem: "much", expected a number of bytes');
  refused(["g", "s", "--feature-store", "gpu"], "expected no --feature-store");
  refused(
    ["g", "s", "--presample-epochs", "2"],
    '--presample-epochs does not apply to feature cache "degree"',
  );
  const inline = pipeline(
    "gust sample g --fanout 4,4 --inline | gust train --epochs 3 --feature-cache degree -o never",
    here,
  );
  expect(inline.stderr).toContain("came down a pipe, expected a file");
  expect(inline.status).toBe(2);
});
