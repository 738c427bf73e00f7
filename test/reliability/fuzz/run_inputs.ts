/** Mutated inputs to all targets of TypeScript, a process each: one that dies or hangs takes only itself along. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
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
  readonly tried?: number;
  readonly read?: number;
  readonly failure?: string;
  readonly kept?: string;
}

/** Put one target under fire for `seconds`; what breaks it is kept in `folder`. */
export async function runTarget(name: string, seconds: number, seed: number, folder: string) {
  const failures: string[] = [];
  let tried = 0, read = 0, hangs = false;
  rmSync(folder, { recursive: true, force: true });
  // At most so much memory, whatever an input announces.
  const command = `ulimit -v ${64 * 2 ** 20}; exec "$@"`;
  const child = spawn("bash", [
    "-c",
    command,
    "bash",
    process.execPath,
    SCRIPT,
    name,
    `${seconds}`,
    `${seed}`,
    folder,
  ], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (text) => errors = (errors + text).slice(-2000));
  const watch = () => setTimeout(() => (hangs = true, child.kill("SIGKILL")), SILENCE_MS);
  let timer = watch();
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(timer);
    timer = watch();
    const said = JSON.parse(line) as Said;
    tried = said.tried ?? tried;
    read = said.read ?? read;
    if (said.failure !== undefined) failures.push(`${name}: ${said.failure} (${said.kept ?? "no input"})`);
  }
  clearTimeout(timer);
  const status = child.exitCode ??
    await new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  if (status !== 0) {
    const kept = join(folder, "fatal");
    if (existsSync(join(folder, "at"))) cpSync(join(folder, "at"), kept, { recursive: true });
    failures.push(
      `${name}: the process ${hangs ? "hangs" : `died (${child.signalCode ?? status}): ${errors}`} (${kept})`,
    );
  }
  return { tried, read, failures };
}

/** Mutated inputs to every target in turn, `seconds` in all. */
export async function runInputs(
  seconds: number,
  seed: number,
  folder: string,
  only?: RegExp,
): Promise<Outcome> {
  const names = targetNames(folder).filter((name) => only?.test(name) ?? true);
  const failures: string[] = [];
  let tried = 0, read = 0;
  for (const name of names) {
    const done = await runTarget(name, seconds / names.length, seed, join(folder, name.replace(" ", "_")));
    tried += done.tried;
    read += done.read;
    failures.push(...done.failures);
    if (process.env["GUST_DEBUG"]) console.error(`${name}: ${done.tried} inputs, ${done.read} read`);
  }
  return { figures: { "mutated inputs": tried, "of them read": read, targets: names.length }, failures };
}

if (import.meta.main) {
  const [seconds = "60", seed = "0", only = ""] = process.argv.slice(2);
  const folder = join(repository, "build/fuzz/inputs");
  const { figures, failures } = await runInputs(Number(seconds), Number(seed), folder, new RegExp(only));
  console.log(JSON.stringify(figures));
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
