import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, program } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly("gust partition g -k 6 -o p && gust sample g --fanout 4,4 --batch-size 16 --epochs 3 -o s", here);
quietly("gust generate sbm --nodes 240 --classes 3 --features 12 --seed 9 -o other", here);
const isThere = (name: string) => existsSync(join(here.cwd, name));
const same = (a: string, b: string) => expect(bytesOf(here, a).equals(bytesOf(here, b))).toBe(true);
const train = (args: string) => gustOk(["train", ...args.split(" ")], here);
const refused = (args: string) => gust(["train", ...args.split(" "), "-o", "never"], here);

/** Start a training run, and end it by a signal once its log has some epochs. */
async function interrupted(args: string, log: string, signal: NodeJS.Signals = "SIGINT") {
  const child = spawn(program[0]!, [...program.slice(1), "train", ...args.split(" "), "--log", log], {
    cwd: here.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (data) => stderr += data);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const path = join(here.cwd, log);
  const deadline = performance.now() + 30_000;
  while (!existsSync(path) || statSync(path).size < 300) {
    if (performance.now() > deadline) throw new Error(`no epochs in ${log}\n${stderr}`);
    await sleep(5);
  }
  child.kill(signal);
  return { status: await ended, stderr };
}

describe("Ctrl-C during training", () => {
  // Each drawn by one of the three ways of having batches; long enough to be interrupted, short enough to be run twice.
  const ways: [string, string][] = [
    ["the full graph", "g --epochs 6000 --hidden 8"],
    ["a sample", "g s --epochs 500 --hidden 4"],
    ["clusters drawn on the way", "g p --epochs 800 --hidden 4 --parts-per-batch 2"],
  ];
  for (const [i, [name, args]] of ways.entries()) {
    test(`on ${name} leaves a checkpoint, 130, no model, and goes on to the same bytes`, async () => {
      const { status, stderr } = await interrupted(`${args} -o cut${i}`, `cut${i}.log`);
      expect(status).toBe(130);
      const [, epoch] =
        /^gust train: interrupted after epoch (\d+)\nhint: continue with --resume "cut\d.checkpoint"\n$/
          .exec(stderr) ?? [];
      expect(Number(epoch)).toBeGreaterThan(0);
      expect([isThere(`cut${i}`), isThere(`cut${i}.checkpoint`)]).toEqual([false, true]);
      expect(documentOf(here, `cut${i}.checkpoint`).meta).toMatchObject({
        progress: { epoch: Number(epoch) },
      });
      const inputs = args.split(" --")[0]!;
      train(`${inputs} --resume cut${i}.checkpoint --log cut${i}.log -o resumed${i}`);
      train(`${args} --log whole${i}.log -o whole${i}`);
      same(`resumed${i}`, `whole${i}`);
      // The logs agree too, but for the times.
      const [cut, whole] = [`cut${i}.log`, `whole${i}.log`].map((log) =>
        readFileSync(join(here.cwd, log), "utf8").replace(/"ms":[\d.]+/g, "")
      );
      expect(cut).toBe(whole!);
    }, 60_000);
  }

  test("of runs too short to listen ends between two of them", async () => {
    const { status, stderr } = await interrupted("g --epochs 1 --repeat 1000000 -o short", "short.log");
    expect(status).toBe(130);
    expect(stderr).toMatch(/^gust train: interrupted before the run of seed \d+\n$/);
    expect(isThere("short")).toBe(false);
  });

  test("without a place for the checkpoint says that nothing was kept", async () => {
    const { status, stderr } = await interrupted("g --epochs 1000000", "pipe.log");
    expect(status).toBe(130);
    expect(stderr).toMatch(/interrupted after epoch \d+; nothing was kept, expected -o or --checkpoint\n$/);
  });

  test("writes the checkpoint where --checkpoint says, also for SIGTERM", async () => {
    const args = "g --epochs 1000000 --checkpoint kept.checkpoint -o terminated";
    const { status, stderr } = await interrupted(args, "term.log", "SIGTERM");
    expect(status).toBe(130);
    expect(stderr).toContain('--resume "kept.checkpoint"');
    expect([isThere("kept.checkpoint"), isThere("terminated.checkpoint")]).toEqual([true, false]);
  });
});

describe("kill -9", () => {
  test("at any moment leaves a whole checkpoint that goes on to the same bytes", async () => {
    const args = "g --epochs 400 --hidden 8 --schedule cosine --ema 0.9";
    train(`${args} -o unkilled`);
    for (let i = 0; i < 3; i++) {
      const name = `killed${i}`;
      const { status } = await interrupted(
        `${args} --checkpoint-every 1 -o ${name}`,
        `${name}.log`,
        "SIGKILL",
      );
      expect([status, isThere(name)]).toEqual([null, false]);
      expect(gust(["inspect", "--check", `${name}.checkpoint`], here)).toMatchObject({
        status: 0,
        stderr: "",
      });
      train(`g --resume ${name}.checkpoint -o ${name}`);
      same(name, "unkilled");
    }
  });
});

describe("--checkpoint-every", () => {
  test("writes a checkpoint that goes on to the same bytes, for every seed", () => {
    train("g --epochs 12 --checkpoint-every 5 -o every");
    expect(documentOf(here, "every.checkpoint").meta).toMatchObject({ progress: { epoch: 10 } });
    expect(documentOf(here, "every.checkpoint").provenance).toEqual(documentOf(here, "every").provenance);
    train("g --resume every.checkpoint -o again");
    same("again", "every");
    train("g --epochs 4 --checkpoint-every 3 --repeat 2 -o seed{seed}");
    expect([0, 1].map((seed) => isThere(`seed${seed}.checkpoint`))).toEqual([true, true]);
    train("g --resume seed1.checkpoint -o seed1.again");
    same("seed1.again", "seed1");
  });
});

describe("--resume", () => {
  train("g --epochs 6 --seed 3 --hidden 8 -o m");

  test("of a finished run gives it again, and with more --epochs goes on as one run does", () => {
    train("g --resume m -o m.again");
    same("m.again", "m");
    for (const [i, rest] of ["", "p --parts-per-batch 2", "s"].entries()) {
      const inputs = `g ${rest}`.trim();
      train(`${inputs} --epochs 4 -o four${i}`);
      train(`${inputs} --epochs 9 -o nine${i}`);
      train(`${inputs} --resume four${i} --epochs 9 -o on${i}`);
      same(`on${i}`, `nine${i}`);
    }
  });

  test("reads its document once: it may be the output", () => {
    copyFileSync(join(here.cwd, "m"), join(here.cwd, "inplace"));
    const { runs } = json(train("g --resume inplace --epochs 8 -o inplace --json").text);
    expect(runs[0]).toMatchObject({ seed: 3, epochs: 8 });
    train("g --epochs 8 --seed 3 --hidden 8 -o eight");
    same("inplace", "eight");
  });

  test("with other settings is refused, naming all that differ", () => {
    const { status, stderr } = refused("g --resume m --lr 0.3 --hidden 4 --seed 4 --momentum 0.5 --epochs 5");
    expect(status).toBe(2);
    expect(stderr).toStartWith('gust train: Cannot resume "m" with these settings:\n');
    for (
      const problem of [
        "--lr is 0.3, expected 0.01",
        "--hidden is 4, expected 8",
        "--seed is 4, expected 3",
        "--momentum is 0.5, expected not taken",
        "--epochs is 5, expected at least the 6 that are done",
      ]
    ) expect(stderr).toContain(`  - ${problem}\n`);
    expect(stderr).toEndWith("hint: only --epochs may change\n");
    // Saying the same once more is no difference.
    train("g --resume m --lr 0.01 --hidden 8 --seed 3 --epochs 6 -o m.same");
    same("m.same", "m");
  });

  test("with another graph, another sample, or none is refused, saying how both were made", () => {
    const graph = refused("other --resume m");
    expect(graph.status).toBe(1);
    expect(graph.stderr).toMatch(
      /"m" \(digest \w+, made by gust train .*\) was made from a graph with digest \w+, not from "other" \(digest \w+, made by gust generate .*seed=9\)/,
    );
    train("g s --epochs 2 -o s.m");
    const none = refused("g --resume s.m");
    expect(none.status).toBe(1);
    expect(none.stderr).toMatch(
      /was trained on batches of "neighbor", not of "full"\nhint: give the inputs that/,
    );
    quietly("gust sample g --fanout 4,4 --batch-size 16 --epochs 3 --seed 1 -o s1", here);
    const sample = refused("g s1 --resume s.m");
    expect(sample.status).toBe(1);
    expect(sample.stderr).toMatch(
      /"s.m" \(.*\) did not read "s1" \(digest \w+, made by gust sample .*seed=1\)/,
    );
    train("g p --epochs 2 --parts-per-batch 3 -o p.m");
    const parts = refused("g p --resume p.m --parts-per-batch 2");
    expect(parts.status).toBe(2);
    expect(parts.stderr).toContain("--parts-per-batch is 2, expected 3");
  });

  test("without the propagated features that the run began with is refused", () => {
    quietly("gust cache g --hops 2 --feat-norm row -o c", here);
    for (const model of ["mlp", "sgc"]) {
      train(`g c --model ${model} --epochs 2 -o c.m`);
      expect(refused("g --resume c.m")).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(
          /^gust train: "c.m" was trained on other features \(feat-norm row, 2 hops, norm sym\) than it would go on with \(feat-norm none, .*\)\nhint: give the cache/,
        ),
      });
      train(`g c --resume c.m --epochs 3 -o c.on`);
      train(`g c --model ${model} --epochs 3 -o c.whole`);
      same("c.on", "c.whole");
    }
  });

  test("of what is no model, or not there, is refused by name", () => {
    expect(refused("g --resume g")).toMatchObject({
      status: 1,
      stderr: 'gust train: "g" is a graph document, expected a model\n',
    });
    expect(refused("g --resume none")).toMatchObject({
      status: 1,
      stderr: 'gust train: Cannot open "none": no such file\n',
    });
    expect(isThere("never")).toBe(false);
  });

  test("is an input for --deps", () => {
    train("g --resume m -o m.more --deps d");
    expect(bytesOf(here, "d").toString()).toBe("m.more: g m\n");
  });
});
