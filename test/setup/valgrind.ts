/**
 * What `make valgrind` checks: an experiment from a file to predictions under valgrind's memcheck. No command of it may
 * read what was never written, touch memory that is not its own, or lose any. The sources run under Deno, whose engine
 * does without generated code; Bun's calls of native functions are made of it, which valgrind does not come to an end with.
 * Prints a line per command, and ends with status 1 if one failed; where valgrind is missing it says so.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { openNative } from "../../ffi/native.ts";
import { deno } from "../_deno.ts";
import { writeKarate } from "../_karate.ts";
import { freshDir, repository } from "../helpers.ts";

/** Commands in turns: those of one run side by side, on what the turns before it wrote. */
const TURNS = [
  ["import karate.npz -o g", "import edges.txt -o e"],
  ["partition g -k 3 -o p", "sample g --fanout 3,3 --batch-size 8 -o s", "train g --epochs 3 -o m"],
  [
    "cache g s --pack -o k",
    "train g p --parts-per-batch 2 --model gat --epochs 2 -o m.clusters",
    "eval g m --json=scores",
    "predict g m --format csv -o predictions",
  ],
  ["train g s k --model sage --epochs 2 -o m.packed", "inspect --check g p s k m"],
];
const ENDS_WITH_ERRORS = 99;

const valgrind = Bun.which("valgrind");

/** Blocks that are somebody else's to free do not count: valgrind.supp. */
const words = (log: string) => [
  valgrind!,
  "--quiet",
  "--fair-sched=yes",
  "--leak-check=full",
  "--show-leak-kinds=definite",
  "--errors-for-leak-kinds=definite",
  `--error-exitcode=${ENDS_WITH_ERRORS}`,
  `--suppressions=${join(import.meta.dirname, "valgrind.supp")}`,
  `--log-file=${log}`,
  deno!,
  "run",
  "--quiet",
  "--allow-all",
  "--v8-flags=--jitless",
  join(repository, "cmd/gust.ts"),
];

async function check(cwd: string, args: string, name: string): Promise<boolean> {
  const log = join(cwd, name), begin = performance.now();
  const child = Bun.spawn([...words(log), ...args.split(" ")], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const [status, , stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const took = ((performance.now() - begin) / 1000).toFixed(0);
  console.log(`${status === 0 ? "passed" : "FAILED"}: gust ${args} (${took} s)`);
  if (status !== 0) console.log(`exit status ${status}\n${stderr}${readFileSync(log, "utf8")}`);
  return status === 0;
}

async function experiment(): Promise<boolean> {
  await openNative();
  const cwd = freshDir();
  writeKarate(join(cwd, "karate.npz"));
  writeFileSync(join(cwd, "edges.txt"), "# source target\n0 1\n1 2 \n\n2 0\n3 1\n");
  let isGood = true;
  for (const [turn, commands] of TURNS.entries()) {
    const checks = commands.map((args, i) => check(cwd, args, `valgrind.${turn}.${i}`));
    isGood = (await Promise.all(checks)).every((good) => good) && isGood;
  }
  return isGood;
}

if (valgrind === null || deno === undefined) {
  console.log(`left out: ${valgrind === null ? "valgrind is not on the PATH" : "no Deno in node_modules"}`);
} else process.exitCode = await experiment() ? 0 : 1;
