/** Settings of the sparse kernels that gust bench --tune chose, in the user's cache folder; no result depends on them. */
import { mkdirSync, readFileSync } from "node:fs";
import { cpus, homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { GustError, systemText } from "../core/errors.ts";
import { replaceFile } from "../core/format/write.ts";
import { describeNative } from "../ffi/native.ts";
import { getTuning, setTuning } from "../ffi/native_tuning.ts";
import { writeAll } from "./_exit.ts";

/** By machine, since a home folder may be shared. */
const schema = z.record(
  z.string(),
  z.object({
    prefetchLevel: z.int().min(1).max(2),
    linesAhead: z.int().min(1).max(4096),
    tileBytes: z.int().min(0),
  }).strict(),
);

const machine = () => `${cpus()[0]?.model.trim() ?? "unknown"}, ${describeNative().isa}`;

/** The user's folder; null where there is none, or no absolute one: that would be a folder of the working folder. */
export function homeFolder(): string | null {
  try {
    return isAbsolute(homedir()) ? homedir() : null;
  } catch {
    return null; // no HOME, and a user without a name
  }
}

/** $XDG_CACHE_HOME/gust/tuning.json, or that of the user's folder; null where there is neither. */
function tuningFile(): string | null {
  const { XDG_CACHE_HOME: cache = "" } = process.env, home = homeFolder();
  if (isAbsolute(cache)) return join(cache, "gust", "tuning.json");
  return home && join(home, ".cache", "gust", "tuning.json");
}

/** A home that is not there, or another user's, has never been tuned. */
const NOT_THERE = ["ENOENT", "ENOTDIR", "EACCES"];

function read(path: string): z.infer<typeof schema> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (NOT_THERE.includes((error as { code?: string }).code ?? "")) return {};
    throw new GustError("io", `Cannot read "${path}": ${systemText(error)}`);
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new GustError(
      "data",
      `Cannot read "${path}": it does not hold settings of kernels by machine`,
      "delete it; gust bench --tune makes it anew",
    );
  }
}

/**
 * Use what was chosen for this machine, if anything was. The native library must be open.
 * @throws {GustError} (data) if the file is no such file.
 */
export function useTuning(): void {
  const path = tuningFile();
  if (path === null) return;
  const all = read(path), isTuned = Object.keys(all).length > 0, known = isTuned && all[machine()];
  if (known) setTuning(known);
}

/** Keep the settings that are in force for this machine. @throws {GustError} (io) if the user's folder cannot take them. */
export function keepTuning(): void {
  const path = tuningFile();
  if (path === null) {
    throw new GustError(
      "io",
      "Cannot keep the settings: there is no home folder",
      "set HOME or XDG_CACHE_HOME",
    );
  }
  const all = { ...read(path), [machine()]: getTuning() };
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw new GustError(
      "io",
      `Cannot keep the settings in "${path}": ${systemText(error)}`,
      "set XDG_CACHE_HOME to a folder of your own",
    );
  }
  replaceFile(path, (fd) => writeAll(fd, `${JSON.stringify(all, null, 2)}\n`));
}
