/**
 * The same bytes from 1, 2 and 4 threads, from every instruction set where that is promised, and from Bun and Deno: a
 * command per entry of every registry, as real processes.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeNative, openNative } from "../../ffi/native.ts";
import { deno } from "../_deno.ts";
import { freshDir, program, repository, run } from "../helpers.ts";
import { allCases, type Case, makeInputs } from "./determinism_cases.ts";
import type { Trial } from "./trial.ts";

/** One way of running a command. */
export interface Setting {
  readonly threads: number;
  readonly isa: string;
  readonly runtime: "bun" | "deno";
}

/** Instruction sets of this machine, the best one first. */
export function instructionSets(): string[] {
  const all = ["avx512", "avx2", "portable"];
  return all.slice(all.indexOf(describeNative().isa));
}

/** Settings that must give the same bytes, the one that others are compared with first. */
export function groups({ everywhere }: Case, isas: readonly string[]): Setting[][] {
  const of = (isa: string, ...threads: number[]) =>
    threads.map((count): Setting => ({ threads: count, isa, runtime: "bun" }));
  const [best, ...others] = isas as [string, ...string[]];
  const first: Setting[] = [...of(best, 1, 2, 4), { threads: 2, isa: best, runtime: "deno" }];
  return everywhere
    ? [[...first, ...others.flatMap((isa) => of(isa, 2))]]
    : [first, ...others.map((isa) => of(isa, 1, 4))];
}

/** SHA-256 of a file, or of all files of a folder with their names. */
function hashOf(path: string): string {
  const hash = createHash("sha256");
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path).sort()) hash.update(name + "\n" + hashOf(join(path, name)));
  } else hash.update(readFileSync(path));
  return hash.digest("hex");
}

/** What a command makes in a folder of inputs. @throws {Error} if it fails. */
export function made(command: string, { threads, isa, runtime }: Setting, cwd: string): string {
  const out = join(cwd, "out");
  rmSync(out, { recursive: true, force: true });
  const writes = command.startsWith("eval ") ? ["--json=out"] : ["-o", "out"];
  const words = [...command.split(" "), ...writes, "-q", `--threads=${threads}`];
  const start = runtime === "bun" ? program : [deno!, "run", "-A", join(repository, "cmd/gust.ts")];
  const { status, stderr } = run([...start, ...words], { cwd, env: { GUST_ISA: isa } });
  if (status !== 0) throw new Error(`exit status ${status}: ${stderr.trim()}`);
  return hashOf(out);
}

const show = ({ threads, isa, runtime }: Setting) => `${runtime} with ${threads} threads on ${isa}`;

/** Settings of a case that give other bytes than the first of their group, in words. */
export function differences(
  one: Case,
  isas: readonly string[],
  cwd: string,
): { runs: number; found: string[] } {
  let runs = 0;
  const found: string[] = [];
  for (const [first, ...others] of groups(one, isas)) {
    const differ = (setting: Setting, text: string) =>
      found.push(`gust ${one.command}: ${show(setting)}: ${text}`);
    let wanted: string;
    try {
      runs++;
      wanted = made(one.command, first!, cwd);
    } catch (error) {
      differ(first!, (error as Error).message);
      continue;
    }
    for (const setting of others) {
      runs++;
      try {
        if (made(one.command, setting, cwd) !== wanted) differ(setting, `other bytes than ${show(first!)}`);
      } catch (error) {
        differ(setting, (error as Error).message);
      }
    }
  }
  return { runs, found };
}

export const determinism: Trial = {
  name: "determinism",
  summary: "the same bytes for any threads, for instruction sets where promised, under Bun and Deno",
  weight: 1.5,
  async run(seconds, seed) {
    await openNative();
    const end = performance.now() + 1000 * seconds, cwd = freshDir();
    makeInputs(cwd);
    // On a busy machine the inputs may take the time that there is: half of it is for what is compared.
    const until = Math.max(end, performance.now() + 500 * seconds);
    const all = allCases(), isas = instructionSets(), failures: string[] = [];
    // One registry after another would leave the last ones out of a short run.
    const key = (one: Case) => createHash("sha256").update(`${seed} ${one.command}`).digest("hex");
    const cases = all.map((one) => ({ one, key: key(one) })).sort((a, b) => a.key < b.key ? -1 : 1);
    let compared = 0, runs = 0;
    for (const { one } of cases) {
      if (performance.now() > until) break;
      const result = differences(one, isas, cwd);
      compared++;
      runs += result.runs;
      failures.push(...result.found);
    }
    return {
      figures: {
        "commands compared": compared,
        runs,
        "instruction sets": isas.length,
        "commands in all": all.length,
      },
      failures,
    };
  },
};
