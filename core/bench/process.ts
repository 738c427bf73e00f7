/** Whole processes: how long they take, what they say, and the most memory they held. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { GustError } from "../errors.ts";

/** Memory is looked at this often. */
const LOOK_MS = 5;
/** The end of what a failed process said. */
const LAST_WORDS = 1000;

/** Anonymous and shared resident bytes of a process now: mapped file pages are the kernel's. 0 once it is gone. */
export function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
    return 1024 * (kib("RssAnon") + kib("RssShmem"));
  } catch {
    return 0;
  }
}

/** The last line that says something: of a traceback, the exception; hints of gust's own are no answer. */
export function lastLine(text: string): string {
  const lines = text.trim().slice(-LAST_WORDS).split("\n");
  return lines.findLast((line) => line !== "" && !line.startsWith("hint: ")) ?? "it said nothing";
}

export interface ProcessRun {
  readonly ms: number;
  /** The most that was seen of residentBytes(). */
  readonly peakBytes: number;
  readonly stdout: string;
}

/** The environment of a process that is compared: threads of libraries follow `threads`. */
export const withThreads = (threads: number) => ({
  ...process.env,
  OMP_NUM_THREADS: String(threads),
  MKL_NUM_THREADS: String(threads),
  PYTHONWARNINGS: "ignore",
});

/** Collect the output of a process's stream as text. */
export function collect(stream: ChildProcess["stdout"], onText: (text: string) => void): void {
  stream!.setEncoding("utf8");
  stream!.on("data", onText);
}

/**
 * Run a program to its end.
 *
 * @param what  what it is, for messages.
 * @throws {GustError} (data) with the last line of its standard error if it fails.
 */
export function runProcess(what: string, words: readonly string[], threads: number): Promise<ProcessRun> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(words[0]!, words.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: withThreads(threads),
    });
    let stdout = "", stderr = "", peakBytes = 0, ms = 0;
    const look = setInterval(() => peakBytes = Math.max(peakBytes, residentBytes(child.pid!)), LOOK_MS);
    collect(child.stdout, (text) => stdout += text);
    collect(child.stderr, (text) => stderr += text);
    child.on("error", (error) => {
      clearInterval(look);
      reject(new GustError("io", `Cannot run ${what}: ${error.message}`));
    });
    child.on("exit", () => ms = performance.now() - start);
    child.on("close", (status) => {
      clearInterval(look);
      if (status === 0) resolve({ ms, peakBytes, stdout });
      else reject(new GustError("data", `${what} ended with status ${status}: ${lastLine(stderr)}`));
    });
  });
}
