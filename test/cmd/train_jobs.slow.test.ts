import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { partsOf } from "../../cmd/_train_jobs.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, program } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
// What the processes are given is temporary, and gone when they have ended.
mkdirSync(join(here.cwd, "tmp"));
const inTmp = { ...here, env: { TMPDIR: join(here.cwd, "tmp") } };
quietly("gust partition g -k 6 -o p && gust sample g --fanout 4,4 --batch-size 16 --epochs 2 -o s", here);
quietly("gust split g --method k-fold --folds 3 -o folds", here);
const train = (args: string) => gustOk(["train", ...args.split(" ")], inTmp);
const same = (a: string, b: string) => expect(bytesOf(here, a).equals(bytesOf(here, b))).toBe(true);
const leftovers = () => readdirSync(join(here.cwd, "tmp"));

type Json = Record<string, unknown> & { runs: Record<string, unknown>[] };
/** A result without what is never the same twice. */
const steady = ({ runs, ...rest }: Json) => ({
  ...rest,
  runs: runs.map(({ seconds: _, ms_per_epoch: __, peak_memory_bytes: ___, ...run }) => run),
});
const log = (name: string) => readFileSync(join(here.cwd, name), "utf8").replace(/"ms":[\d.e-]+/g, "");

test("partsOf() cuts into neighbours, as equal as can be", () => {
  expect(partsOf(10, 3)).toEqual([[0, 3], [3, 3], [6, 4]]);
  expect(partsOf(2, 2)).toEqual([[0, 1], [1, 1]]);
});

describe("gust train --jobs", () => {
  test("gives the same model, result and log as runs in a row, from every kind of input", () => {
    for (const inputs of ["g", "g s", "g p --parts-per-batch 2"]) {
      const args = `${inputs} --epochs 4 --seed 3 --repeat 3 --lr 0.02 --hidden 8`;
      const row = train(`${args} --log row.log --json -o row`);
      const jobs = train(`${args} --jobs 2 --log jobs.log --json -o jobs`);
      same("jobs", "row");
      expect(steady(json(jobs.text))).toEqual(steady(json(row.text)));
      expect(log("jobs.log")).toBe(log("row.log"));
      expect(jobs.stderr).toBe("");
    }
    expect(leftovers()).toEqual([]);
  });

  test("reads documents from standard input, as bytes and as references, and passes them on", () => {
    train("g --epochs 3 --repeat 3 -o row");
    quietly("cat g | gust train --epochs 3 --repeat 3 --jobs 3 -o piped", inTmp);
    same("piped", "row");
    for (const inline of ["", " --inline"]) {
      const sampled = `gust sample g --fanout 4,4 --batch-size 16 --epochs 2${inline}`;
      quietly(`${sampled} | gust train --epochs 3 --repeat 2 -o row.s`, inTmp);
      quietly(`${sampled} | gust train --epochs 3 --repeat 2 --jobs 2 -o jobs.s`, inTmp);
      same("jobs.s", "row.s");
    }
    quietly("gust train g --epochs 3 --repeat 2 --jobs 2 | gust eval --json > piped.json", inTmp);
    expect(leftovers()).toEqual([]);
  });

  test("trains every split and seed, into files of their own and for --deps", () => {
    const args = "folds --epochs 3 --all-splits --repeat 2";
    const row = train(`${args} -o row.{split}.{seed} --deps row.d --json`);
    const jobs = train(`${args} -o jobs.{split}.{seed} --deps jobs.d --json --jobs 4`);
    for (const split of [0, 1, 2]) {
      for (const seed of [0, 1]) same(`jobs.${split}.${seed}`, `row.${split}.${seed}`);
    }
    expect(steady(json(jobs.text))).toEqual(steady(json(row.text)));
    const rules = ["row.d", "jobs.d"].map((name) => readFileSync(join(here.cwd, name), "utf8"));
    expect(rules[1]).toBe(rules[0]!.replaceAll("row.", "jobs."));
  });

  test("takes options from a config file, and no more processes than runs", () => {
    Bun.write(join(here.cwd, "c.json"), '{"hidden": 4, "repeat": 2, "jobs": 8, "epochs": 3}');
    train("g --config c.json --epochs 2 -o jobs");
    train("g --hidden 4 --repeat 2 --epochs 2 -o row");
    same("jobs", "row");
    train("g --epochs 2 --jobs 8 -o one");
    train("g --epochs 2 -o row");
    same("one", "row");
  });

  test("says what a process said that failed, once, with its exit status, and writes nothing", () => {
    const { status, stderr } = gust(
      ["train", "g", "--epochs", "3", "--lr", "1e38", "--repeat", "4", "--jobs", "2", "-o", "never"],
      inTmp,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^gust train: Weight "layer0.weight" .* after epoch 1, .*\nhint: lower --lr.*\n$/);
    expect([existsSync(join(here.cwd, "never")), leftovers()]).toEqual([false, []]);
  });

  test("is refused where it would watch one process, or train nothing", () => {
    const refused = (...args: string[]) => gust(["train", "g", "-o", "never", ...args], here);
    expect(refused("--jobs", "2", "--profile")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--profile watches one process, expected --jobs 1"),
    });
    expect(refused("--jobs", "0").status).toBe(2);
  });

  test("on Ctrl-C keeps every run that was in progress in a file of its own, and each goes on", async () => {
    const args = ["g", "--epochs", "4000", "--hidden", "8", "--repeat", "2", "--checkpoint-every", "100"];
    const child = spawn(program[0]!, [...program.slice(1), "train", ...args, "--jobs", "2", "-o", "cut"], {
      cwd: here.cwd,
      env: { ...process.env, ...inTmp.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (data) => stderr += data);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const kept = [0, 1].map((seed) => `cut.checkpoint.${seed}`);
    const deadline = performance.now() + 30_000;
    while (!kept.every((name) => existsSync(join(here.cwd, name)))) {
      if (performance.now() > deadline) throw new Error(`no checkpoints\n${stderr}`);
      await sleep(5);
    }
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    for (const name of kept) expect(stderr).toContain(`hint: continue with --resume "${name}"`);
    expect([existsSync(join(here.cwd, "cut")), leftovers()]).toEqual([false, []]);
    train(`g --resume ${kept[1]} -o resumed`);
    train("g --epochs 4000 --hidden 8 --seed 1 -o whole");
    same("resumed", "whole");
    expect(documentOf(here, "resumed").provenance).toEqual(documentOf(here, "whole").provenance);
  }, 60_000);
});
