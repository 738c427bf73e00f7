/** gust: entry point. Dispatch only; subcommands load when they are asked for. */
import { closeSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { subcommands, usage, VERSION } from "./_commands.ts";

/**
 * Bun opens /dev/null in place of a standard output that is closed, and what goes there would be lost with status 0. It is
 * told from a /dev/null that was given by its flag O_CLOEXEC, which nothing that is handed on can have; opened for reading
 * alone, it lets every write fail as it should.
 */
function keepClosed(): void {
  let flags = 0;
  try {
    flags = parseInt(
      /^flags:\s*([0-7]+)$/m.exec(readFileSync("/proc/self/fdinfo/1", "latin1"))?.[1] ?? "0",
      8,
    );
  } catch {
    // No Linux, or no /proc.
  }
  if (!(flags & 0o2000000)) return;
  closeSync(1);
  openSync("/dev/null", "r"); // the lowest free number: 1
}

/**
 * Bytes of an argument that are no UTF-8 come as U+FFFD, which is another name, and the same one for many.
 * @throws {GustError} (usage) for such an argument.
 */
async function refuseBrokenText(argv: readonly string[]): Promise<void> {
  const broken = argv.find((arg) => arg.includes("\ufffd"));
  if (broken === undefined) return;
  const { isUtf8 } = await import("node:buffer");
  let given: Uint8Array;
  try {
    given = readFileSync("/proc/self/cmdline");
  } catch {
    return; // no Linux, or no /proc
  }
  if (isUtf8(given)) return;
  const { GustError } = await import("../core/errors.ts");
  throw new GustError(
    "usage",
    `Argument ${JSON.stringify(broken)} is no UTF-8`,
    "rename the file: mv takes any bytes",
  );
}

async function main(argv: readonly string[]): Promise<void> {
  keepClosed();
  const [name, ...rest] = argv;
  const { report, writeNamed } = await import("./_exit.ts");
  const print = (text: string) => writeNamed(1, "standard output", text);
  try {
    await refuseBrokenText(argv);
    if (name === "--version" || name === "-V") return print(`gust ${VERSION}\n`);
    if (name === undefined || name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
      print(usage());
      if (name === undefined) process.exitCode = 2;
      return;
    }
    const entry = subcommands[name];
    if (!Object.hasOwn(subcommands, name) || !entry) {
      const { GustError } = await import("../core/errors.ts");
      throw new GustError(
        "usage",
        `Unknown subcommand "${name}", expected one of ${Object.keys(subcommands).join(", ")}`,
      );
    }
    const { runCommand } = await import("./_options.ts");
    const { command } = await entry.load();
    await runCommand(command, rest, print);
  } catch (error) {
    report(name !== undefined && Object.hasOwn(subcommands, name) ? name : "", error);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
