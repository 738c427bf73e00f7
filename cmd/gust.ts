/** gust: entry point. Dispatch only; subcommands load when they are asked for. */
import process from "node:process";
import { subcommands, usage, VERSION } from "./_commands.ts";

async function main(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-V") return void process.stdout.write(`gust ${VERSION}\n`);
  if (name === undefined || name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    process.stdout.write(usage());
    if (name === undefined) process.exitCode = 2;
    return;
  }
  const { report, writeAll } = await import("./_exit.ts");
  try {
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
    await runCommand(command, rest, (text) => writeAll(1, text));
  } catch (error) {
    report(name in subcommands ? name : "", error);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
