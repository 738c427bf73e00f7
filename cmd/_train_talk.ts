/** What a training run says while it goes: a log, a progress line; and how it hears Ctrl-C. */
import { closeSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { GustError, systemText } from "../core/errors.ts";
import type { EpochRecord } from "../core/train/run.ts";
import { talk, writeNamed } from "./_exit.ts";
import type { Io } from "./_io.ts";

/** One JSON line per epoch in a file, if one was asked for. */
export class EpochLog {
  private readonly fd: number | null;
  constructor(private readonly path: string | undefined, append: boolean) {
    try {
      this.fd = path === undefined ? null : openSync(path, append ? "a" : "w");
    } catch (error) {
      throw new GustError("io", `Cannot write the log "${path}": ${systemText(error)}`);
    }
  }
  /** `split`: its number where a run goes over several; else null. */
  add(seed: number, split: number | null, record: EpochRecord): void {
    if (this.fd === null) return;
    writeNamed(
      this.fd,
      `the log "${this.path}"`,
      JSON.stringify({
        seed,
        ...(split === null ? {} : { split }),
        ...record,
        ms: Number(record.ms.toFixed(3)),
      }) + "\n",
    );
  }
  /** Append the log of another process. */
  append(path: string): void {
    if (this.fd !== null) writeNamed(this.fd, `the log "${this.path}"`, readFileSync(path));
  }
  close(): void {
    if (this.fd !== null) closeSync(this.fd);
  }
}

/**
 * Ctrl-C asks the run to stop at the end of its epoch; a second one ends the process at once.
 * @param heard  called when it comes.
 */
export function watchInterrupt(heard = () => {}): { stopped: () => boolean; release: () => void } {
  let hit = false;
  const onSignal = () => {
    hit = true;
    heard();
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    stopped: () => hit,
    release: () => {
      process.removeListener("SIGINT", onSignal);
      process.removeListener("SIGTERM", onSignal);
    },
  };
}

const showScore = (x: number) => Number.isNaN(x) ? "-" : (100 * x).toFixed(1);

/** What an epoch was, in a line; "-" for what there is none of: a score, the loss where every batch was empty. */
export function progressText(seed: number, r: EpochRecord, total: number): string {
  const loss = Number.isNaN(r.loss) ? "-" : r.loss.toFixed(4);
  return `seed ${seed} epoch ${r.epoch}/${total} loss ${loss} train ${showScore(r.train)} val ${
    showScore(r.val)
  } ${r.ms.toFixed(1)} ms`;
}

/** The line of progress, redrawn ten times a second. */
export function progressLine(io: Io, total: number) {
  let last = 0;
  return (seed: number, r: EpochRecord) => {
    if (!io.showsProgress || (performance.now() - last < 100 && r.epoch < total)) return;
    last = performance.now();
    talk(`\r\x1b[K${progressText(seed, r, total)}${r.epoch === total ? "\n" : ""}`);
  };
}
