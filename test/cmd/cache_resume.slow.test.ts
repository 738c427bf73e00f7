import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dataPath, dataTest, freshDir, gust, gustOk, program } from "../helpers.ts";
import { bytesOf, json } from "./_folder.ts";

const here = { cwd: freshDir() };
gustOk(["generate", "sbm", "--nodes", "60000", "--degree", "30", "--features", "128", "-o", "g"], here);
const words = (...more: string[]) => ["cache", "g", "--hops", "6", ...more];

/** Run gust cache and kill it with SIGKILL when `when` holds; false: it had ended before. */
async function killed(args: string[], when: () => boolean): Promise<boolean> {
  const [name, ...own] = [...program, ...args];
  const child = spawn(name!, own, { cwd: here.cwd, stdio: "ignore" });
  let ended = false;
  const end = new Promise<void>((resolve) => child.on("close", () => resolve(void (ended = true))));
  while (!ended && !when()) await sleep(2);
  const isKilled = !ended && child.kill("SIGKILL");
  await end;
  return isKilled && child.signalCode === "SIGKILL";
}

const sizeOf = (name: string) => existsSync(join(here.cwd, name)) ? statSync(join(here.cwd, name)).size : 0;
/** Bytes of a finished block: 128 columns in 16 blocks. */
const BLOCK = 64 + 4 * 60_000 * 8;

describe("gust cache --checkpoint", () => {
  for (const flags of [[], ["--all-hops"], ["--dtype", "int8", "-@", "1"]]) {
    test(
      `goes on after kill -9, twice, to the same bytes: ${flags.join(" ") || "no other option"}`,
      async () => {
        gustOk(words(...flags, "-o", "whole", "--force"), here);
        const args = words(...flags, "--checkpoint", "kept", "-o", "resumed", "--force");
        const parts = flags[0] === "--all-hops" ? 7 : 1;
        for (const blocks of [2, 5]) {
          expect(await killed(args, () => sizeOf("kept") >= 64 + blocks * parts * BLOCK)).toBe(true);
          expect(existsSync(join(here.cwd, "resumed"))).toBe(false);
        }
        const { resumed_columns, digest } = json(gustOk([...args, "--json"], here).text);
        expect(resumed_columns).toBeGreaterThanOrEqual(5 * 8);
        expect(resumed_columns % 8).toBe(0);
        expect(digest).toBeTruthy();
        expect(bytesOf(here, "resumed").equals(bytesOf(here, "whole"))).toBe(true);
        expect(existsSync(join(here.cwd, "kept"))).toBe(false);
        gustOk(["inspect", "--check", "resumed"], here);
        rmSync(join(here.cwd, "resumed"));
      },
      60_000,
    );
  }

  test("refuses the columns of another command, and says what to do", async () => {
    const args = words("--checkpoint", "other", "-o", "never");
    expect(await killed(args, () => sizeOf("other") >= 64 + BLOCK)).toBe(true);
    const { status, stderr } = gust([...args, "--norm", "row"], here);
    expect(stderr).toContain('"other" holds the columns of another command or graph');
    expect(stderr).toContain("hint: remove it, or give --checkpoint another file");
    expect(status).toBe(1);
  }, 60_000);

  test("without it, a killed run leaves nothing under the final name, and runs anew", async () => {
    // Some times as much work.
    const start = Date.now(), args = ["cache", "g", "--hops", "24", "-o", "anew"];
    expect(await killed(args, () => Date.now() - start > 300)).toBe(true);
    expect(readdirSync(here.cwd)).not.toContain("anew");
    gustOk([...args, "--memory", "8M"], here);
    gustOk(["inspect", "--check", "anew"], here);
  }, 60_000);

  test("keeps to its memory in fewer bits as well", () => {
    // 60,000 x 128 float32 numbers are 31 MB; of four hops and the features themselves, 154 MB.
    for (const dtype of ["f32", "bf16", "int8"]) {
      const made = ["1G", "16M"].map((memory) =>
        json(
          gustOk(
            [
              "cache",
              "g",
              "--hops",
              "4",
              "--all-hops",
              "--dtype",
              dtype,
              "--memory",
              memory,
              "-o",
              "k",
              "--force",
              "--json",
            ],
            here,
          ).text,
        )
      );
      expect(made[1].digest).toBe(made[0].digest);
      expect(made[0].peak_memory_bytes - made[1].peak_memory_bytes).toBeGreaterThan(100e6);
    }
  }, 60_000);
});

dataTest("sgc on cora is as good on bf16 and int8 as on float32, within half a point", () => {
  gustOk(["import", dataPath("cora/cora.npz"), "-o", "cora"], here);
  const [f32, bf16, int8] = ["f32", "bf16", "int8"].map((dtype) => {
    gustOk(["cache", "cora", "--hops", "2", "--dtype", dtype, "-o", "k", "--force"], here);
    const { text } = gustOk(
      ["train", "cora", "k", "--model", "sgc", "--repeat", "10", "--json", "-o", "m", "--force"],
      here,
    );
    return json(text).summary.test.mean as number;
  });
  expect(f32!).toBeGreaterThan(0.78);
  expect(Math.abs(bf16! - f32!)).toBeLessThan(0.005);
  expect(Math.abs(int8! - f32!)).toBeLessThan(0.005);
}, 120_000);
