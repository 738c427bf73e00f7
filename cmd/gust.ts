/** gust: entry point. Dispatch only; subcommands load when they are asked for. */
import process from "node:process";
import type { Subcommand } from "./_options.ts";

export const VERSION = "0.1.0";

type Loader = () => Promise<{ command: Subcommand }>;
const load = <M extends { command: unknown }>(promise: () => Promise<M>) => promise as unknown as Loader;

/** Subcommands in the order of the main job: summary for the help, and where it lives. */
export const subcommands: Record<string, { summary: string; load: Loader }> = {
  import: { summary: "read a graph in a common format and write a graph document", load: load(() => import("./import.ts")) },
  generate: { summary: "make a random or regular graph", load: load(() => import("./generate.ts")) },
  inspect: { summary: "show, check or list documents", load: load(() => import("./inspect.ts")) },
  partition: { summary: "split a graph into balanced parts with a small cut", load: load(() => import("./partition.ts")) },
  sample: { summary: "draw mini-batches from a graph", load: load(() => import("./sample.ts")) },
  cache: { summary: "compute or pack features ahead of training", load: load(() => import("./cache.ts")) },
  train: { summary: "train a model", load: load(() => import("./train.ts")) },
  eval: { summary: "score a model on a graph", load: load(() => import("./eval.ts")) },
  predict: { summary: "write a model's predictions", load: load(() => import("./predict.ts")) },
  bench: { summary: "measure kernels and training against the machine's limits", load: load(() => import("./bench.ts")) },
  completion: { summary: "print a shell completion script", load: load(() => import("./completion.ts")) },
};

function usage(): string {
  const width = Math.max(...Object.keys(subcommands).map((name) => name.length));
  const list = Object.entries(subcommands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `gust ${VERSION}: train graph neural networks from the shell

Usage: gust <subcommand> [options] [input ...] [-o output]

${list.join("\n")}

gust <subcommand> --help shows its options. Documents flow through pipes:
  gust generate sbm | gust partition -k 32 | gust sample --method cluster | gust train --model gcn | gust eval
`;
}

async function main(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-V") return void process.stdout.write(`gust ${VERSION}\n`);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(usage());
    if (name === undefined) process.exitCode = 2;
    return;
  }
  const { report, writeAll } = await import("./_exit.ts");
  try {
    const entry = subcommands[name];
    if (!Object.hasOwn(subcommands, name) || !entry) {
      const { GustError } = await import("../core/errors.ts");
      throw new GustError("usage", `Unknown subcommand "${name}", expected one of ${Object.keys(subcommands).join(", ")}`);
    }
    const { runCommand } = await import("./_options.ts");
    const { command } = await entry.load();
    await runCommand(command, rest, (text) => writeAll(1, text));
  } catch (error) {
    report(name in subcommands ? name : "", error);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
