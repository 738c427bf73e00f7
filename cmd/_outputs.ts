/**
 * The files that a command would write, looked at before any work is done: each has a folder that takes it, and none is
 * lost to another. An input is replaced by -o alone, whole.
 */
import { accessSync, constants, existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { GustError, problemsError, systemText } from "../core/errors.ts";
import { targetOf } from "../core/format/target.ts";

/** A file that an option names. */
export interface NamedFile {
  readonly flag: string;
  readonly path: string;
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** @throws {GustError} (io) where the folder of a file is not there or not writable. */
function checkFolder(path: string): void {
  try {
    if (!statSync(path).isFile()) return; // a folder, or a device that is written to: those say their own errors
  } catch {
    // Nothing there yet.
  }
  const folder = dirname(isLink(path) ? targetOf(path) : path);
  try {
    accessSync(`${folder}/.`, constants.W_OK);
  } catch (error) {
    const hint = existsSync(folder) ? undefined : `mkdir -p ${JSON.stringify(folder)}`;
    throw new GustError("io", `Cannot write "${path}": folder "${folder}": ${systemText(error)}`, hint);
  }
}

/** What tells a file from others, by whatever path it is reached; null: no file, such as a device. */
function identity(path: string): string | null {
  try {
    const stat = statSync(path, { bigint: true });
    return stat.isFile() ? `${stat.dev}:${stat.ino}` : null;
  } catch {
    const whole = targetOf(path);
    try {
      return join(realpathSync(dirname(whole)), basename(whole));
    } catch {
      return whole;
    }
  }
}

/**
 * @param inputs  operands, and files that options name to be read.
 * @param outputs  files that options name; "{seed}" and "{split}" in a name stand for numbers.
 * @throws {GustError} (usage) with every two that are the same file, (io) for a folder that takes no file.
 */
export function checkOutputs(inputs: readonly string[], outputs: readonly NamedFile[]): void {
  const flags = new Map<string, string>(), problems: string[] = [];
  const read = new Set(inputs.filter((path) => path !== "-").map(identity));
  for (const { flag, path } of outputs) {
    const file = identity(path);
    if (file === null) continue;
    const other = flags.get(file);
    if (other) problems.push(`${flag} and ${other} both name "${path}", expected a file each`);
    else if (flag !== "-o" && read.has(file)) {
      problems.push(`${flag} names the input "${path}", expected another file`);
    }
    flags.set(file, flag);
  }
  if (problems.length) throw problemsError("usage", "Files that would be lost", problems);
  for (const { path } of outputs) if (!dirname(path).includes("{")) checkFolder(path);
}
