/**
 * Files and folders that are there for a while. Their maker holds a lock on them, which the system takes away from a
 * process that ends, however it ends: what the next one finds unlocked was left by one that was killed, and goes.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { NativeError } from "../../ffi/native.ts";
import { tryLock, unnamedFile as openUnnamed } from "../../ffi/native_files.ts";
import { GustError, systemText } from "../errors.ts";

/** Lock what was opened; true too where the file system has no locks: nothing there is ever found abandoned. */
function lock(fd: number): boolean {
  try {
    return tryLock(fd);
  } catch (error) {
    if (error instanceof NativeError) return true;
    throw error;
  }
}

/** Remove a file or folder of ours that nobody holds any more; locked meanwhile, so that nobody takes it up. */
function removeIfAbandoned(path: string): void {
  let fd: number | null = null;
  try {
    const info = lstatSync(path);
    if (!info.isFile() && !info.isDirectory()) return;
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (tryLock(fd)) rmSync(path, { recursive: true, force: true });
  } catch {
    // Gone meanwhile, another user's, or on a file system without locks: it harms nobody.
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** What openTemporary() and mkdtempSync() put behind a prefix. */
const SUFFIX = /^(\d+(\.\d+)?|[A-Za-z0-9]{6})$/;

/** Remove what openTemporary() or a TemporaryFolder of this prefix left in a folder because the process was killed. */
export function removeAbandoned(folder: string, prefix: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // a folder that may be written to but not listed
  }
  for (const name of names) {
    if (name.startsWith(prefix) && SUFFIX.test(name.slice(prefix.length))) {
      removeIfAbandoned(join(folder, name));
    }
  }
}

/** Whether what was opened has been removed meanwhile, by somebody who found it before it was locked. */
const isRemoved = (fd: number) => fstatSync(fd).nlink === 0;

/** Make a new file in `folder` whose name begins with `prefix`, locked for as long as it is open. */
export function openTemporary(folder: string, prefix: string): { fd: number; path: string } {
  for (let i = 0;; i++) {
    const path = join(folder, `${prefix}${process.pid}${i === 0 ? "" : `.${i}`}`);
    let fd: number;
    try {
      fd = openSync(path, "wx+");
    } catch (error) {
      if ((error as { code?: string }).code === "EEXIST" && i < 1000) continue;
      throw error;
    }
    if (lock(fd) && !isRemoved(fd)) return { fd, path };
    closeSync(fd);
    rmSync(path, { force: true });
  }
}

const noRoom = (text: string) =>
  new GustError("io", `Cannot make a ${text}`, "set TMPDIR to a folder with room");

/**
 * A new file without a name in the folder TMPDIR, as a descriptor to be closed.
 * @throws {GustError} (io) if the folder cannot take it.
 */
export function unnamedFile(): number {
  try {
    return openUnnamed();
  } catch (error) {
    throw error instanceof NativeError ? noRoom(error.message) : error;
  }
}

function makeFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    throw noRoom(`temporary folder in "${tmpdir()}": ${systemText(error)}`);
  }
}

/** A new folder of the folder TMPDIR, removed by close(), or by the next one of this prefix if we are killed. */
export class TemporaryFolder {
  readonly path: string;
  private readonly fd: number;

  /** @throws {GustError} (io) if TMPDIR cannot take it. */
  constructor(prefix: string) {
    removeAbandoned(tmpdir(), prefix);
    for (;;) {
      this.path = makeFolder(prefix);
      this.fd = openSync(this.path, "r");
      if (lock(this.fd) && !isRemoved(this.fd)) return;
      closeSync(this.fd);
    }
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
    closeSync(this.fd);
  }
}
