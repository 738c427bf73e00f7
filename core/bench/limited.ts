/** Processes whose memory, page cache included, the kernel bounds: a control group of their own. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { GustError } from "../errors.ts";

let count = 0;

/** The folder of this process's memory control group, and what its files are called. */
function ownGroup(): { folder: string; limit: string; reclaim: string } | null {
  const lines = readFileSync("/proc/self/cgroup", "utf8").split("\n").map((line) => line.split(":"));
  const first = lines.find(([, names]) => names?.split(",").includes("memory"));
  if (first) {
    return {
      folder: join("/sys/fs/cgroup/memory", first[2]!),
      limit: "memory.limit_in_bytes",
      reclaim: "memory.force_empty",
    };
  }
  const unified = lines.find(([id, names]) => id === "0" && names === "");
  return unified
    ? { folder: join("/sys/fs/cgroup", unified[2]!), limit: "memory.max", reclaim: "memory.reclaim" }
    : null;
}

/** A bound on the memory of processes that are started in it. */
export interface MemoryLimit {
  /** The words of a command as words that run it under the bound. */
  run(words: readonly string[]): string[];
  /** Where a process under the bound asks for its page cache to be dropped. */
  readonly reclaimFile: string;
  remove(): void;
}

/**
 * @returns null where this process may make no control groups.
 */
export function limitMemory(bytes: number): MemoryLimit | null {
  const own = ownGroup();
  if (!own) return null;
  const folder = join(own.folder, `gust-${process.pid}-${count++}`);
  try {
    mkdirSync(folder);
    if (!existsSync(join(folder, own.limit))) throw new Error("no memory controller");
    writeFileSync(join(folder, own.limit), String(bytes));
  } catch {
    if (existsSync(folder)) rmdirSync(folder);
    return null;
  }
  return {
    run: (words) => ["sh", "-c", 'echo $$ > "$0" && exec "$@"', join(folder, "cgroup.procs"), ...words],
    reclaimFile: join(folder, own.reclaim),
    remove: () => rmdirSync(folder),
  };
}

/** Drop the page cache of the group that `file` belongs to; what is in use stays. */
export function reclaim(file: string): void {
  try {
    writeFileSync(file, file.endsWith("memory.reclaim") ? "1T" : "0");
  } catch (error) {
    // The kernel says EAGAIN where it could not reclaim as much as was asked for: all that it could is gone.
    if (!["EAGAIN", "EBUSY"].includes((error as { code?: string }).code ?? "")) {
      throw new GustError("io", `Cannot drop the page cache by "${file}": ${(error as Error).message}`);
    }
  }
}
