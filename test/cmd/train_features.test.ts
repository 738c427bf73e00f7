import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deviceFlags } from "../_device.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, graphFolder, json } from "./_folder.ts";

const here = graphFolder();
gustOk(["sample", "g", "--fanout", "4,4", "--batch-size", "16", "--epochs", "3", "-o", "s"], here);
const stores = ["gpu", "host-zerocopy", "host-staged", "tiered"] as const;

function train(store: string, ...more: string[]) {
  const flags = [
    "--epochs",
    "3",
    "--feature-store",
    store,
    "-o",
    `m.${store}`,
    "--log",
    `log.${store}`,
    "--json",
  ];
  const { text } = gustOk(["train", "g", "s", ...deviceFlags, ...flags, ...more], here);
  const log = readFileSync(join(here.cwd, `log.${store}`), "utf8").trim().split("\n");
  return { reads: json(text).runs[0].features, losses: log.map((line) => json(line).loss) };
}

describe("gust train --feature-store", () => {
  test("gives the same losses and the same bytes wherever features are, and says what was read", () => {
    const of = Object.fromEntries(
      stores.map((store) => [store, train(store, ...(store === "tiered" ? ["--gpu-mem", "1K"] : []))]),
    );
    const first = of["gpu"]!;
    expect(first.losses.length).toBe(3);
    for (const store of stores) {
      expect(of[store]!.losses).toEqual(first.losses);
      expect(bytesOf(here, `m.${store}`).equals(bytesOf(here, "m.gpu"))).toBe(true);
      const { rows, bytes } = of[store]!.reads;
      expect(of[store]!.reads.store).toBe(store);
      expect(rows).toBe(first.reads.rows);
      expect(bytes).toBe(rows * 12 * 4);
    }
    // 48 bytes per row: one line or two; no row but a hot one is left out.
    const { lines, unaligned_lines, rows } = of["host-zerocopy"]!.reads;
    expect(lines).toBeGreaterThanOrEqual(rows);
    expect(unaligned_lines).toBe(lines);
    expect(of["tiered"]!.reads.hot_rows).toBe(Math.floor(1024 / 48));
    expect(of["tiered"]!.reads.lines).toBeLessThan(lines);
  });

  test("full-batch training reads features where they are", () => {
    const flags = (
      store: string,
    ) => ["train", "g", ...deviceFlags, "--epochs", "3", "--feature-store", store, "-o", `f.${store}`];
    for (const store of stores) gustOk(flags(store), here);
    for (const store of stores) expect(bytesOf(here, `f.${store}`).equals(bytesOf(here, "f.gpu"))).toBe(true);
  });

  test("is refused where there are no features to keep", () => {
    gustOk(["cache", "g", "--hops", "2", "-o", "c"], here);
    gustOk(["cache", "g", "s", "--pack", "-o", "packed"], here);
    const refused = (inputs: string[], why: string, ...more: string[]) => {
      const { status, stderr } = gust(
        ["train", ...inputs, "--feature-store", "gpu", ...more, "-o", "never"],
        here,
      );
      expect(stderr).toContain(`gust train: --feature-store gpu: ${why}`);
      expect(status).toBe(2);
    };
    refused(["g", "c"], `"c" holds the features already`, "--model", "sgc");
    refused(["g", "s", "packed"], "features come packed with the batches");
    refused(["g", "s"], "the features are sparse", "--features", "degree");
    const { status, stderr } = gust(["train", "g", "--gpu-mem", "2G", "-o", "never"], here);
    expect(stderr).toContain("--gpu-mem applies to --feature-store tiered alone");
    expect(status).toBe(2);
  });
});
