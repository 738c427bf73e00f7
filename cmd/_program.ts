/** This program, for commands that start it again in processes of their own. */
import process from "node:process";

/** The words that run it: the executable, or the runtime with the entry point's sources. */
export function ownProgram(): string[] {
  const entry = process.argv[1] ?? "";
  if (entry.startsWith("/$bunfs/")) return [process.execPath];
  return "Bun" in globalThis ? [process.execPath, entry] : [process.execPath, "run", "-A", entry];
}

const parent = process.ppid;

/** Whether the process that started this one has ended. */
export const isOrphan = () => process.ppid !== parent;
