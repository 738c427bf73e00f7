/** Mutated inputs to all targets of TypeScript, in a process of their own: one that dies or hangs is known and left behind. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { repository } from "../../helpers.ts";
import type { Outcome } from "../trial.ts";

const SCRIPT = join(repository, "test/reliability/fuzz/inputs.ts");
/** A process that has not said anything for so long hangs: a batch takes a fraction of a second. */
const SILENCE_MS = 30_000;

export function targetNames(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const { stdout, stderr, status } = spawnSync(process.execPath, [SCRIPT, "--list", folder], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${SCRIPT} --list: ${stderr}`);
  return stdout.trim().split("\n");
}

interface Said {
  readonly target?: string;
  readonly tried?: number;
  readonly read?: number;
  readonly failure?: string;
  readonly kept?: string;
}

/** What became of each target that was begun, in order. */
interface Done {
  readonly name: string;
  tried: number;
  read: number;
}

/** Put targets under fire for `seconds` each, until the process ends by itself or by what it met. */
async function runProcess(names: readonly string[], seconds: number, seed: number, folder: string) {
  const failures: string[] = [], done: Done[] = [];
  let hangs = false;
  // In memory, where it can be: files on a disk take longer than to be read.
  const scratch = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "fuzz-gust-"));
  // At most so much memory, whatever an input announces.
  const words = [process.execPath, SCRIPT, names.join(","), `${seconds}`, `${seed}`, folder, scratch];
  const child = spawn("bash", ["-c", `ulimit -v ${64 * 2 ** 20}; exec "$@"`, "bash", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (text) => errors = (errors + text).slice(-2000));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const watch = () => setTimeout(() => (hangs = true, child.kill("SIGKILL")), SILENCE_MS);
  let timer = watch();
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(timer);
    timer = watch();
    const { target, tried, read, failure, kept } = JSON.parse(line) as Said;
    if (target !== undefined) done.push({ name: target, tried: 0, read: 0 });
    const now = done.at(-1)!;
    now.tried = tried ?? now.tried;
    now.read = read ?? now.read;
    if (failure !== undefined) failures.push(`${now.name}: ${failure} (${kept ?? "no input"})`);
  }
  clearTimeout(timer);
  const status = await ended;
  if (status !== 0) {
    const name = done.at(-1)?.name ?? names[0]!, kept = join(folder, `${name.replace(" ", "_")}_fatal`);
    if (existsSync(join(scratch, "at"))) cpSync(join(scratch, "at"), kept, { recursive: true });
    const how = hangs ? "hangs" : `died (${child.signalCode ?? status}): ${errors}`;
    failures.push(`${name}: the process ${how} (${kept})`);
  }
  rmSync(scratch, { recursive: true, force: true });
  return { done, failures, died: status !== 0 };
}

/** Mutated inputs to every target in turn, `seconds` in all. */
export async function runInputs(
  seconds: number,
  seed: number,
  folder: string,
  only?: RegExp,
): Promise<Outcome> {
  rmSync(folder, { recursive: true, force: true });
  const names = targetNames(folder).filter((name) => only?.test(name) ?? true);
  const failures: string[] = [], done: Done[] = [];
  for (let left = names; left.length > 0;) {
    const part = await runProcess(left, seconds / names.length, seed, folder);
    done.push(...part.done);
    failures.push(...part.failures);
    left = part.died ? left.slice(Math.max(1, part.done.length)) : [];
  }
  if (process.env["GUST_DEBUG"] === "1") {
    for (const d of done) console.error(`${d.name}: ${d.tried} inputs, ${d.read} read`);
  }
  const sum = (of: "tried" | "read") => done.reduce((total, d) => total + d[of], 0);
  return {
    figures: { "mutated inputs": sum("tried"), "of them read": sum("read"), targets: done.length },
    failures,
  };
}

if (import.meta.main) {
  const [seconds = "60", seed = "0", only = ""] = process.argv.slice(2);
  const folder = join(repository, "build/fuzz/inputs");
  const { figures, failures } = await runInputs(Number(seconds), Number(seed), folder, new RegExp(only));
  console.log(JSON.stringify(figures));
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
