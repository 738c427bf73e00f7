/** How a run ends: exit statuses, error messages, signals. */
import { writeSync } from "node:fs";
import process from "node:process";
import { GustError, systemText } from "../core/errors.ts";
import { NativeError } from "../ffi/native.ts";

/** 0 done, 1 failed, 2 usage, 3 ran and the answer is no, 130 after Ctrl-C. */
export const EXIT = { ok: 0, failed: 1, usage: 2, no: 3, interrupted: 130 } as const;

/** The command ran and the answer is no: a threshold missed, a check failed. */
export class AnswerIsNo extends Error {
  override name = "AnswerIsNo";
}

/** The run was interrupted by the user, after its checkpoint was written. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/** A process that did our work failed or was interrupted, and its own words have been passed on. */
export class PassedOn extends Error {
  override name = "PassedOn";
  constructor(readonly status: number) {
    super("");
  }
}

/** Write all of `text` to a file descriptor; waits where a pipe is full, throws EPIPE where its reader has gone. */
export function writeAll(fd: number, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Write text or bytes; a failure names the output. */
export function writeNamed(fd: number, label: string, text: string | Uint8Array): void {
  try {
    writeAll(fd, text);
  } catch (error) {
    if (isClosedPipe(error)) throw error;
    throw new GustError(
      "io",
      `Cannot write ${label}: ${systemText(error)}`,
      (error as { code?: string }).code === "ENOSPC"
        ? "free some space, or write to another disk"
        : undefined,
    );
  }
}

/** Text with its control characters spelt out: names that come from files may hold some that a terminal obeys. */
export const visible = (text: string): string =>
  text.replace(/(?![\n\t])\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);

/** Words for a person on standard error. Work goes on where they are lost: outputs and the exit status tell how it went. */
export function talk(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // Its reader has gone, or its disk is full.
  }
}

/** The reader of our output has gone away: the quiet end of a pipe. */
export function isClosedPipe(error: unknown): boolean {
  return (error instanceof NativeError && error.code === "pipe") ||
    (error as { code?: string })?.code === "EPIPE";
}

function statusOf(error: unknown): number {
  if (error instanceof PassedOn) return error.status;
  if (error instanceof AnswerIsNo) return EXIT.no;
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof GustError && (error.code === "usage" || error.code === "missing")) return EXIT.usage;
  return EXIT.failed;
}

/** Print the error for a person and set the exit status. Never calls exit(): that would cut pending output. */
export function report(command: string, error: unknown): void {
  if (isClosedPipe(error)) return;
  process.exitCode = statusOf(error);
  const prefix = command ? `gust ${command}` : "gust";
  const message = error instanceof Error ? error.message : String(error);
  const lines: string[] = [];
  if (message !== "") lines.push(`${prefix}: ${message}`);
  // These two may have said it already.
  else if (!(error instanceof PassedOn || error instanceof AnswerIsNo)) {
    const name = error instanceof Error ? error.name : typeof error;
    lines.push(`${prefix}: ${name} without a message`, "hint: GUST_DEBUG=1 shows where it comes from");
  }
  if (error instanceof GustError && error.hint) lines.push(`hint: ${error.hint}`);
  if (process.env["GUST_DEBUG"] === "1" && error instanceof Error && error.stack) lines.push(error.stack);
  talk(visible(lines.map((line) => line + "\n").join("")));
}
