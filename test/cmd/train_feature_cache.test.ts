import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachePolicies } from "../../core/feature_cache/mod.ts";
import { deviceFlags } from "../_device.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, graphFolder, json } from "./_folder.ts";

const here = graphFolder();
const ROW = 12 * 4, NODES = 240;
const neighbor = ["--sampler", "neighbor", "--fanout", "4,4", "--batch-size", "16", "--epochs", "3"];
gustOk(["train", "g", ...deviceFlags, ...neighbor, "-o", "plain"], here);

/** Train with a cache: what it did, and its log. */
function train(policy: string, size: string, ...more: string[]) {
  const flags = [
    "--feature-cache",
    policy,
    "--host-mem",
    size,
    "-o",
    "m",
    "--log",
    "log",
    "--json",
    "--force",
  ];
  const { text } = gustOk(["train", "g", ...deviceFlags, ...neighbor, ...flags, ...more], here);
  const log = readFileSync(join(here.cwd, "log"), "utf8").trim().split("\n").map(json);
  return { report: json(text).runs[0].feature_cache, log };
}

describe("gust train --feature-cache", () => {
  test("gives the bytes of training without, and counts what it read, epoch by epoch", () => {
    for (const policy of cachePolicies.names) {
      const { report, log } = train(policy, "2K", "-@", "2", "--feature-cache-bound");
      expect(bytesOf(here, "m").equals(bytesOf(here, "plain"))).toBe(true);
      const { rows, row_bytes, initial_bytes, hits, misses, bytes_read, hit_ratio, belady, best_static } =
        report;
      expect([rows, row_bytes]).toEqual([Math.floor(2048 / ROW), ROW]);
      expect(initial_bytes).toBe(policy === "adaptive" ? 0 : rows * ROW);
      expect(bytes_read).toBe(misses * ROW);
      expect(hit_ratio).toBe(hits / (hits + misses));
      expect(hits).toBeGreaterThan(0);
      expect(hit_ratio).toBeLessThanOrEqual(belady);
      expect(best_static).toBeLessThanOrEqual(belady);
      expect(report.epochs.length).toBe(3);
      expect(log.map((line) => line.feature_cache)).toEqual(report.epochs);
      for (const key of ["hits", "misses", "bytes_read", "reads"]) {
        expect(log.reduce((sum, line) => sum + line.feature_cache[key], 0)).toBe(report[key]);
      }
    }
  });

  test("of no bytes reads every row, and of all reads each once", () => {
    const none = train("degree", "0").report, all = train("adaptive", "1G").report;
    expect(bytesOf(here, "m").equals(bytesOf(here, "plain"))).toBe(true);
    expect(none).toMatchObject({ rows: 0, hits: 0, initial_bytes: 0 });
    expect(none.belady).toBeUndefined();
    expect(all.rows).toBe(NODES);
    expect(all.misses).toBeLessThanOrEqual(NODES);
    expect(all.hits + all.misses).toBe(none.misses);
  });

  test("reads the file behind a pipe, whose batches may come in chunks, and says so on stderr", () => {
    const sample = "gust sample g --fanout 4,4 --batch-size 16 --epochs 3";
    const cache = "--feature-cache presampled --presample-epochs 2 --host-mem 3K";
    const plain = pipeline(`${sample} | gust train --epochs 3 -o p0`, here);
    expect(plain.status).toBe(0);
    const cached = pipeline(`${sample} | gust train --epochs 3 ${cache} -v -o p1`, here);
    expect(cached.status).toBe(0);
    expect(cached.stderr).toMatch(
      /feature cache presampled: 64 rows, 0\.0 MB: \d+\.\d % hits, 0\.\d MB read/,
    );
    expect(bytesOf(here, "p1").equals(bytesOf(here, "p0"))).toBe(true);
  });

  test("is refused where every step reads all features, and its options are where it is not there", () => {
    const none = gust(["train", "g", "--feature-cache", "degree", "-o", "never"], here);
    expect(none.stderr).toBe(
      "gust train: --feature-cache degree: every step reads all features, expected batches of nodes\n" +
        "hint: draw batches with --sampler, or with gust sample\n",
    );
    expect(none.status).toBe(2);
    const idle = gust(["train", "g", "--host-mem", "2G", "-o", "never"], here);
    expect(idle.stderr).toContain("--host-mem applies to --feature-cache degree, presampled, adaptive alone");
    expect(idle.status).toBe(2);
  });

  test("says where a truncated graph ends", () => {
    writeFileSync(join(here.cwd, "cut"), readFileSync(join(here.cwd, "g")).subarray(0, 9000));
    const { stderr, status } = gust(
      ["train", "cut", ...neighbor, "--feature-cache", "degree", "-o", "never"],
      here,
    );
    expect(stderr).toContain('gust train: Cannot read "cut": truncated');
    expect(status).toBe(1);
  });
});
