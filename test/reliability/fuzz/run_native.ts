/**
 * Fuzz targets of the native library (test/cu/fuzz), as `make fuzz-build` left them in build/fuzz:
 * `bun run_native.ts [--seconds 60] [--seed 0] [--only NAME,..]`, or `make fuzz SECONDS=600 ONLY=edges`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { repository } from "../../helpers.ts";
import type { Outcome } from "../trial.ts";

const BUILD = join(repository, "build/fuzz");
/** Most bytes of an input, and MiB of a process: the sanitizers' own memory is part of it. */
const MOST_BYTES = 4096, MOST_MIB = 1024;

/** Names of the targets. */
export const nativeTargets = (): string[] =>
  readdirSync(join(repository, "test/cu/fuzz")).sort().filter((name) => name.endsWith(".cpp"))
    .map((name) => name.slice(0, -".cpp".length)).filter((name) => name !== "driver" && name !== "no_ops");

/** Each target for its share of `seconds`, on what it found before and on the fixtures; 0: on those alone. */
export function runNative(seconds: number, seed: number, targets = nativeTargets()): Outcome {
  const figures: Record<string, number> = {};
  const failures: string[] = [];
  for (const name of targets) {
    const program = join(BUILD, name), kept = join(BUILD, "kept"), corpus = join(BUILD, "corpus", name);
    if (!existsSync(program)) {
      failures.push(`${name}: ${program} is not there, expected it from make fuzz-build`);
      continue;
    }
    for (const folder of [kept, corpus]) mkdirSync(folder, { recursive: true });
    const fixtures = ["bad", "tiny", "typed", "many"].map((folder) => join(repository, "fixtures", folder));
    const { status, signal, stderr } = spawnSync(program, [
      seconds > 0 ? `-max_total_time=${Math.max(1, Math.round(seconds / targets.length))}` : "-runs=0",
      ...[`-seed=${seed + 1}`, `-max_len=${MOST_BYTES}`, "-timeout=1", `-rss_limit_mb=${MOST_MIB}`],
      ...["-print_funcs=0", "-print_final_stats=1", `-artifact_prefix=${kept}/${name}-`, corpus, ...fixtures],
    ], {
      encoding: "utf8",
      maxBuffer: 2 ** 30,
      env: { ...process.env, ASAN_OPTIONS: "quarantine_size_mb=8", UBSAN_OPTIONS: "print_stacktrace=1" },
    });
    const tried = /number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1] ??
      /Done (\d+) runs/.exec(stderr)?.[1];
    figures[`inputs to ${name}`] = Number(tried ?? 0);
    if (status !== 0) {
      const said = stderr.split("\n").filter((line) =>
        /ERROR|runtime error|broken promise|SUMMARY|written to|kept in/.test(line)
      );
      failures.push(`${name}: ${signal ?? `status ${status}`}: ${said.join("; ") || stderr.slice(-600)}`);
    }
  }
  return { figures, failures };
}

if (import.meta.main) {
  const { values: given } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: "0" },
      only: { type: "string", default: "" },
    },
  });
  const known = nativeTargets(), only = given.only.split(",").filter((name) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`--only: unknown target "${unknown}", expected some of ${known.join(", ")}`);
    process.exit(2);
  }
  const { figures, failures } = runNative(
    Number(given.seconds),
    Number(given.seed),
    only.length > 0 ? only : known,
  );
  for (const [name, count] of Object.entries(figures)) {
    console.log(`${count.toLocaleString("en-US")} ${name}`);
  }
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
