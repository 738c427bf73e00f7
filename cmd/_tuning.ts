/** Settings of the sparse kernels that gust bench --tune chose, in the user's cache folder; no result depends on them. */
import { mkdirSync, readFileSync } from "node:fs";
import { cpus, homedir } from "node:os";
import { dirname, join } from "node:path";
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

/** $XDG_CACHE_HOME/gust/tuning.json */
export const tuningFile = () =>
  join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "gust", "tuning.json");

function read(path: string): z.infer<typeof schema> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return {}; // never tuned
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
  const all = read(tuningFile()), isTuned = Object.keys(all).length > 0, known = isTuned && all[machine()];
  if (known) setTuning(known);
}

/** Keep the settings that are in force for this machine. */
export function keepTuning(): void {
  const path = tuningFile(), all = { ...read(path), [machine()]: getTuning() };
  mkdirSync(dirname(path), { recursive: true });
  replaceFile(path, (fd) => writeAll(fd, `${JSON.stringify(all, null, 2)}\n`));
}
