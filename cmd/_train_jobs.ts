/**
 * gust train --jobs: the runs are cut into as many parts as there are jobs, each of runs that follow one another, and
 * every part is trained by this program in a process of its own, from the same options and the same documents. What
 * the processes found is put together in the order of the runs, so that everything is as from runs in a row.
 *
 * Processes, not threads: a run is bound to one context and one thread count of the native library, and the system
 * shares the pages of a mapped graph between processes all the same.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { GustError } from "../core/errors.ts";
import type { Document } from "../core/format/document.ts";
import { openFile } from "../core/format/read.ts";
import { TemporaryFolder } from "../core/format/temporary.ts";
import { passOn, replaceFile } from "../core/format/write.ts";
import type { RunResult } from "../core/train/job.ts";
import { describeNative } from "../ffi/native.ts";
import { EXIT, PassedOn, talk, writeNamed } from "./_exit.ts";
import type { Io } from "./_io.ts";
import type { CommonOptions } from "./_options.ts";
import { ownProgram } from "./_program.ts";
import { checkpointPattern, isPerRun, type Options, options } from "./_train_settings.ts";
import { type EpochLog, watchInterrupt } from "./_train_talk.ts";

/** What a process of --jobs says of a run that ended: one line of JSON on stdout. */
export interface PartResult {
  readonly metric: string;
  readonly result: RunResult;
}

/** What came out of a part, in the order of its runs, and its best model where not each run has a file of its own. */
export interface PartDone {
  readonly runs: readonly PartResult[];
  readonly model: Document | null;
}

/** What the processes are made from. */
export interface Jobs {
  readonly io: Io;
  readonly options: Options;
  readonly common: CommonOptions;
  /** Options that were asked for. */
  readonly given: ReadonlySet<string>;
  readonly log: EpochLog;
  readonly numRuns: number;
  readonly numJobs: number;
}

/** Options that the processes get in another form, or not at all. */
const OWN = new Set(["jobs", "part", "log", "checkpoint", "profile", "profileFile"]);

/** `count` things cut into `parts` runs of neighbours, as equal as can be: [first, how many] of each. */
export function partsOf(count: number, parts: number): [number, number][] {
  const start = (p: number) => Math.floor(p * count / parts);
  return Array.from({ length: parts }, (_, p) => [start(p), start(p + 1) - start(p)]);
}

/** The inputs as files: those that came as bytes are written into `folder`. */
function inputFiles(documents: readonly Document[], folder: string): string[] {
  return documents.map((document, i) => {
    if (document.path !== null && document.mapping) return document.path;
    const path = join(folder, `input${i}`);
    replaceFile(path, (fd) => passOn(fd, document, true));
    return path;
  });
}

/** Where the processes keep interrupted runs: a file for every run. */
function checkpointPerRun(o: Options, output: string | undefined): string | undefined {
  const path = checkpointPattern(o, output);
  if (path === undefined) return undefined;
  const seed = o.repeat > 1 && !path.includes("{seed}") ? ".{seed}" : "";
  const split = o.allSplits && !path.includes("{split}") ? ".{split}" : "";
  return path + seed + split;
}

/** One process and what it says. */
class Part {
  readonly runs: PartResult[] = [];
  stderr = "";
  private stdout = "";
  private readonly child: ChildProcess;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | string>;

  /** @param onRun  called when a run has ended. */
  constructor(args: readonly string[], onRun: () => void) {
    const [program, ...words] = [...ownProgram(), ...args];
    // A group of its own: Ctrl-C reaches it through us, once.
    this.child = spawn(program!, words, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stderr!.on("data", (data) => this.stderr += data);
    this.child.stdout!.on("data", (data) => {
      const lines = (this.stdout + data).split("\n");
      this.stdout = lines.pop()!;
      for (const line of lines) {
        this.runs.push(JSON.parse(line));
        onRun();
      }
    });
    this.ended = new Promise((resolve) => {
      this.child.on("error", ({ message }) => resolve(message));
      this.child.on("close", (status, signal) => resolve(status ?? signal!));
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/**
 * Train all runs.
 *
 * @returns the parts in order.
 * @throws {PassedOn} if a process failed, after what it said has been passed on; the others are ended.
 */
export async function trainParts(jobs: Jobs): Promise<PartDone[]> {
  const { io, log, numRuns, numJobs } = jobs;
  const folder = new TemporaryFolder("gust-train-");
  const parts: Part[] = [];
  const interrupt = watchInterrupt(() => parts.forEach((part) => part.kill("SIGINT")));
  const name = (p: number, what: string) => join(folder.path, `${what}${p}`);
  let done = 0;
  const onRun = () => {
    done++;
    if (io.showsProgress) talk(`\r\x1b[K${done} of ${numRuns} runs${done === numRuns ? "\n" : ""}`);
  };
  try {
    const args = argumentsOf(jobs, folder.path);
    partsOf(numRuns, numJobs).forEach((range, p) => parts.push(new Part(args(range, p), onRun)));
    await allEnded(parts, interrupt.stopped);
    return parts.map(({ runs }, p) => ({
      runs,
      model: existsSync(name(p, "model")) ? openFile(name(p, "model")) : null,
    }));
  } finally {
    interrupt.release();
    parts.forEach((_, p) => existsSync(name(p, "log")) && log.append(name(p, "log")));
    folder.close();
  }
}

/** Wait for all parts, and end the others once one has failed; what an interrupted or failed one said is passed on. */
async function allEnded(parts: readonly Part[], isInterrupted: () => boolean): Promise<void> {
  const failed: { part: Part; status: number | string }[] = [];
  await Promise.all(parts.map(async (part) => {
    const status = await part.ended;
    if (status === 0) return;
    failed.push({ part, status });
    if (failed.length === 1 && !isInterrupted()) { for (const other of parts) other.kill("SIGKILL"); }
  }));
  if (failed.length === 0) return;
  if (isInterrupted()) {
    talk(parts.map(({ stderr }) => stderr).join(""));
    throw new PassedOn(EXIT.interrupted);
  }
  const { part, status } = failed[0]!;
  talk(part.stderr);
  if (typeof status === "number") throw new PassedOn(status);
  throw new GustError("io", `A process of --jobs was ended: ${status}`, "fewer --jobs need less memory");
}

/** The words after "gust" for a part: the same options, its own range of runs, files of its own in `folder`. */
function argumentsOf({ io, options: o, common, given, numJobs }: Jobs, folder: string) {
  const files = inputFiles(io.read, folder);
  const passed = [...given].filter((key) => key in options.shape && !OWN.has(key));
  const config = join(folder, "config.json");
  const settings = JSON.stringify(Object.fromEntries(passed.map((key) => [key, o[key as keyof Options]])));
  replaceFile(config, (fd) => writeNamed(fd, `"${config}"`, settings));
  const threads = Math.max(1, Math.floor(describeNative().threads / numJobs));
  const checkpoint = checkpointPerRun(o, common.output);
  return (range: readonly number[], p: number) => [
    "train",
    `--config=${config}`,
    `--part=${range}`,
    `--seed=${common.seed}`,
    `--threads=${threads}`,
    `--device=${common.device}`,
    ...(common.fast ? ["--fast"] : []),
    `--output=${isPerRun(common.output) ? common.output! : join(folder, `model${p}`)}`,
    ...(o.log === undefined ? [] : [`--log=${join(folder, `log${p}`)}`]),
    ...(checkpoint === undefined ? [] : [`--checkpoint=${checkpoint}`]),
    ...(common.force ? ["--force"] : []),
    ...(common.verify ? ["--verify"] : []),
    "--quiet",
    "--",
    ...files,
  ];
}
