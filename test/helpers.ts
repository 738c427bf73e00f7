/**
 * For tests that run the real program in fresh folders, alone or in a shell pipeline, and for tests on real data.
 *
 * Environment: GUST_PROGRAM = the program to test (default: these sources), GUST_DATA = folder of real graphs (default:
 * ../shared/data beside the repository), GUST_REQUIRE_DATA=1 = tests without their data fail instead of being skipped.
 */
import { test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import process from "node:process";

/** The top folder of the source tree. */
export const repository = resolve(import.meta.dirname, "..");

/** Command words that run gust, for tests that start processes themselves. */
export const program: readonly string[] = process.env["GUST_PROGRAM"]
  ? [resolve(process.env["GUST_PROGRAM"])]
  : [process.execPath, join(repository, "cmd/gust.ts")];

// ---- folders --------------------------------------------------------------------------------------------------

let rootFolder: string | undefined;

/** One folder for all of this process; a waiting shell removes it once the process has ended, however it ended. */
function root(): string {
  if (rootFolder === undefined) {
    rootFolder = mkdtempSync(join(tmpdir(), "gust-test-"));
    const remover = spawn("sh", ["-c", 'read -r _; rm -rf "$1"', "sh", rootFolder], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    remover.unref();
  }
  return rootFolder;
}

/** A new empty folder, removed when the tests have ended. */
export function freshDir(): string {
  return mkdtempSync(join(root(), "dir-"));
}

// ---- the program ----------------------------------------------------------------------------------------------

export interface RunOptions {
  /** What standard input holds. @default {""} */
  readonly stdin?: string | Uint8Array;
  /** @default {a fresh folder} */
  readonly cwd?: string;
  /** Added to the environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A run that takes longer is ended, and the test fails. @default {60000} */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit status; 128 + N after signal N, as a shell says it. */
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
  /** stdout as text. */
  readonly text: string;
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
  SIGSYS: 31,
};

/**
 * Kernels and a BLAS core that every machine with AVX2 has: runs whose scores are held to narrow bounds give the same
 * bytes on all of them.
 */
export const anyMachine = { GUST_ISA: "avx2", OPENBLAS_CORETYPE: "Haswell" } as const;

/** Run a command and wait for it. */
export function run(command: readonly string[], options: RunOptions = {}): RunResult {
  const timeoutMs = options.timeoutMs ?? 60_000;
  // The make that runs the tests is not the one that a test runs.
  const outer = { MAKEFLAGS: undefined, MFLAGS: undefined, MAKELEVEL: undefined };
  const env: Record<string, string | undefined> = { ...process.env, ...outer, ...options.env };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const result = spawnSync(command[0]!, command.slice(1), {
    cwd: options.cwd ?? freshDir(),
    env,
    input: options.stdin ?? "",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 30,
  });
  const stderr = result.stderr?.toString() ?? "";
  if (result.error) {
    const code = (result.error as { code?: string }).code;
    // A program may end without reading all of its input.
    if (code !== "EPIPE" || result.status === null) {
      const why = code === "ETIMEDOUT" ? `took more than ${timeoutMs} ms` : result.error.message;
      throw new Error(`${command.join(" ")}: ${why}\n${stderr}`);
    }
  }
  const stdout = new Uint8Array(result.stdout ?? []);
  return {
    status: result.status ?? 128 + (SIGNALS[result.signal ?? ""] ?? 0),
    stdout,
    stderr,
    get text() {
      return new TextDecoder().decode(stdout);
    },
  };
}

/** Run gust: `gust(["inspect", file])`. */
export function gust(args: readonly string[], options?: RunOptions): RunResult {
  return run([...program, ...args], options);
}

/** Run gust and expect success: fails with what it said otherwise. */
export function gustOk(args: readonly string[], options?: RunOptions): RunResult {
  const result = gust(args, options);
  if (result.status !== 0) {
    throw new Error(`gust ${args.join(" ")}: exit status ${result.status}\n${result.stderr}`);
  }
  return result;
}

let binFolder: string | undefined;

/** A folder for PATH that holds `gust`. */
export function binDir(): string {
  if (binFolder === undefined) {
    binFolder = join(freshDir(), "bin");
    mkdirSync(binFolder);
    const words = program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    writeFileSync(join(binFolder, "gust"), `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(join(binFolder, "gust"), 0o755);
  }
  return binFolder;
}

/** Run a bash line in which `gust` is the program under test; a failure anywhere in a pipe is the line's status. */
export function pipeline(line: string, options: RunOptions = {}): RunResult {
  const path = `${binDir()}${delimiter}${options.env?.["PATH"] ?? process.env["PATH"] ?? ""}`;
  return run(["bash", "-o", "pipefail", "-c", line], { ...options, env: { ...options.env, PATH: path } });
}

// ---- real data ------------------------------------------------------------------------------------------------

const dataFolder = resolve(process.env["GUST_DATA"] ?? join(repository, "../shared/data"));

/** Whether the folder of real graphs is there. */
export const hasData = existsSync(dataFolder);

/** A file of the real graphs, e.g. `dataPath("cora/cora.npz")`. */
export function dataPath(name: string): string {
  return join(dataFolder, name);
}

/**
 * A test on real data. Without the data it is skipped, its name saying why; with GUST_REQUIRE_DATA=1 it runs and fails.
 */
export function dataTest(name: string, body: () => void | Promise<void>, timeoutMs?: number): void {
  const skipped = !hasData && process.env["GUST_REQUIRE_DATA"] !== "1";
  const reason = `no real graphs in "${dataFolder}", set GUST_DATA`;
  test.skipIf(skipped)(
    skipped ? `${name} (skipped: ${reason})` : name,
    () => {
      if (!hasData) throw new Error(`GUST_REQUIRE_DATA=1 and ${reason}`);
      return body();
    },
    timeoutMs,
  );
}
