/** The same sources under Deno: same bytes, same exit statuses. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deno } from "./_deno.ts";
import { writeKarate } from "./_karate.ts";
import { openNative } from "../ffi/native.ts";
import { freshDir, gustOk, repository, run, type RunOptions } from "./helpers.ts";

await openNative();

const cwd = freshDir();
writeKarate(join(cwd, "karate.npz"));
const underDeno = (args: string, options: RunOptions = {}) =>
  run([deno!, "run", "-A", join(repository, "cmd/gust.ts"), ...args.split(" ")], { cwd, ...options });
const bytes = (name: string) => readFileSync(join(cwd, name));
const bytesOf = (name: string) => new Uint8Array(bytes(name));

const reason = deno ? "" : ` (skipped: no Deno in node_modules)`;
const denoTest = (name: string, body: () => void) => test.skipIf(!deno)(name + reason, body, 60_000);

denoTest("import, partition, sample, cache, train, eval and predict give the bytes that Bun gives", () => {
  const steps: [output: string, args: string][] = [
    ["g", "import karate.npz"],
    ["p", "partition g -k 3"],
    ["s", "sample g --fanout 3,3 --batch-size 1 --epochs 2"],
    ["k", "cache --pack g s"],
    ["c", "cache g --hops 2 --feat-norm row"],
    ["full.m", "train g --epochs 20"],
    ["drawn.m", "train g p --parts-per-batch 2 --epochs 5"],
    ["packed.m", "train g s k --epochs 5"],
    ["sgc.m", "train g c --model sgc --epochs 20"],
    ["random", "generate sbm --nodes 1000"],
    ["links", "split g --method links"],
    ["folds", "split g --method k-fold --folds 4"],
    ["fold.m", "train folds --split-index 2 --model sage --epochs 3"],
    ["text", "help sgc"],
    ["scores", "eval g full.m --json"],
    ["pred", "predict g full.m"],
    ["pred.csv", "predict g full.m --format csv"],
  ];
  for (const [output, args] of steps) {
    gustOk([...args.split(" "), "-o", output], { cwd });
    const { status, stderr } = underDeno(`${args} -o deno.${output}`);
    expect([args, status, stderr]).toEqual([args, 0, ""]);
    expect([args, bytes(`deno.${output}`).equals(bytes(output))]).toEqual([args, true]);
  }
});

denoTest("deno task gust imports, trains and evaluates in the folder where it is called", () => {
  const task = (args: string) => {
    const words = ["task", "-q", "--config", join(repository, "deno.json"), "gust", ...args.split(" ")];
    const result = run([deno!, ...words], { cwd });
    expect([args, result.status, result.stderr]).toEqual([args, 0, ""]);
    return result;
  };
  task("import karate.npz -o task.g");
  task("train task.g --epochs 20 -o task.m");
  expect(bytes("task.g").equals(bytes("g"))).toBe(true);
  expect(bytes("task.m").equals(bytes("full.m"))).toBe(true);
  expect(task("eval task.g task.m --json").stdout).toEqual(bytesOf("scores"));
});

denoTest("pictures and pages are the same bytes", () => {
  gustOk(["train", "g", "--epochs", "5", "--log", "l.jsonl", "-o", "logged.m", "-q"], { cwd });
  for (
    const [output, args] of [
      ["p.png", "plot l.jsonl -o"],
      ["i.html", "inspect g logged.m --html"],
    ] as const
  ) {
    gustOk([...args.split(" "), output], { cwd });
    const { status, stderr } = underDeno(`${args} deno.${output}`);
    expect([args, status, stderr]).toEqual([args, 0, ""]);
    expect([args, bytes(`deno.${output}`).equals(bytes(output))]).toEqual([args, true]);
  }
});

denoTest("streams, errors and exit statuses are the same", () => {
  const stdin = Buffer.concat([bytes("g"), bytes("full.m")]);
  for (
    const [args, options] of [
      ["eval --json", { stdin }],
      ["eval --json -", { stdin: stdin.subarray(0, -9) }],
      ["eval --min-accuracy 1 g full.m", {}],
      ["inspect g p s", {}],
      ["train g --hiden 3", {}],
      ["train none -o x", {}],
      ["train g -o nowhere/x", {}],
      ["--version", {}],
    ] as const
  ) {
    const wanted = run([...gustProgram(), ...args.split(" ")], { cwd, ...options });
    const got = underDeno(args, options);
    expect([args, got.status, got.text]).toEqual([args, wanted.status, wanted.text]);
    expect([args, got.stderr]).toEqual([args, wanted.stderr]);
  }
});

/** Bun on the same sources, whatever program is under test. */
function gustProgram(): string[] {
  return [process.execPath, join(repository, "cmd/gust.ts")];
}
