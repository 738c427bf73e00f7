/** Small texts that are read whole: logs, results, config files. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { isatty } from "node:tty";
import { type ErrorCode, GustError, systemText } from "../core/errors.ts";

/** The device number of /dev/null: 1, 3. */
const NULL_DEVICE = 0x103;

/** Whether it gives bytes without end: a device, apart from a terminal and the null device (as cu/host/parse_source.cpp). */
function isEndless(fd: number): boolean {
  const info = fstatSync(fd);
  return info.isBlockDevice() || (info.isCharacterDevice() && info.rdev !== NULL_DEVICE && !isatty(fd));
}

/**
 * The text of a file or a pipe.
 *
 * @param path  "-" is standard input.
 * @param label  what messages call it, e.g. a quoted file name.
 * @param whenMissing  the code of the error for a file that is not there.
 * @throws {GustError} (io) with the system's text, or for a device.
 */
export function readText(path: string, label: string, whenMissing: ErrorCode = "io"): string {
  try {
    const fd = path === "-" ? 0 : openSync(path, "r");
    try {
      if (isEndless(fd)) throw new Error("it is a device, expected a file or a pipe");
      return readFileSync(fd, "utf8");
    } finally {
      if (fd !== 0) closeSync(fd);
    }
  } catch (error) {
    const isMissing = (error as { code?: string }).code === "ENOENT";
    throw new GustError(isMissing ? whenMissing : "io", `Cannot read ${label}: ${systemText(error)}`);
  }
}
