/** Temporary files and folders, in the folder that TMPDIR names. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, openSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GustError, systemText } from "../errors.ts";

function inFolder<T>(what: string, body: (folder: string) => T): T {
  const folder = tmpdir();
  try {
    return body(folder);
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
    throw new GustError(
      "io",
      `Cannot make a temporary ${what} in "${folder}": ${systemText(error)}`,
      "set TMPDIR to a folder with room",
    );
  }
}

/**
 * A new file without a name, for its owner alone, as a descriptor to be closed.
 * @throws {GustError} (io) if the folder cannot take it.
 */
export function unnamedFile(): number {
  return inFolder("file", (folder) => {
    // Nobody can foresee the name; the files of a process that was killed do not stand in the way of another's.
    const path = join(folder, `gust-${randomBytes(12).toString("hex")}`);
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    return fd;
  });
}

/** A new empty folder, for its owner alone, to be removed by the caller. @throws {GustError} (io) as unnamedFile() does. */
export function temporaryFolder(): string {
  return inFolder("folder", (folder) => mkdtempSync(join(folder, "gust-")));
}
