/**
 * The table of subcommands. It is apart from the entry point, which nothing may import: the entry awaits the command it
 * runs, and a command that imported it would wait for itself.
 */
import { VERSION } from "../core/version.ts";
import type { Subcommand } from "./_options.ts";

export { VERSION };

type Loader = () => Promise<{ command: Subcommand }>;
const load = <M extends { command: unknown }>(promise: () => Promise<M>) => promise as unknown as Loader;

/** Subcommands in the order of the main job: summary for the help, and where it lives. */
export const subcommands: Record<string, { summary: string; load: Loader }> = {
  import: {
    summary: "read a graph in a common format and write a graph document",
    load: load(() => import("./import.ts")),
  },
  export: {
    summary: "write a graph in a common format",
    load: load(() => import("./export.ts")),
  },
  generate: { summary: "make a random or regular graph", load: load(() => import("./generate.ts")) },
  inspect: { summary: "show, check or list documents", load: load(() => import("./inspect.ts")) },
  split: { summary: "choose what trains, validates and tests", load: load(() => import("./split.ts")) },
  partition: {
    summary: "split a graph into balanced parts with a small cut",
    load: load(() => import("./partition.ts")),
  },
  sample: { summary: "draw mini-batches from a graph", load: load(() => import("./sample.ts")) },
  cache: { summary: "compute or pack features ahead of training", load: load(() => import("./cache.ts")) },
  train: { summary: "train a model", load: load(() => import("./train.ts")) },
  eval: { summary: "score a model on a graph", load: load(() => import("./eval.ts")) },
  predict: { summary: "write a model's predictions", load: load(() => import("./predict.ts")) },
  smooth: {
    summary: "spread labels or predictions along the edges",
    load: load(() => import("./smooth.ts")),
  },
  bench: {
    summary: "measure kernels and training against the machine's limits",
    load: load(() => import("./bench.ts")),
  },
  compare: {
    summary: "table models and test their differences over seeds",
    load: load(() => import("./compare.ts")),
  },
  plot: { summary: "draw training logs as curves", load: load(() => import("./plot.ts")) },
  help: {
    summary: "explain a command, or an entry of a registry; write man pages",
    load: load(() => import("./help.ts")),
  },
  completion: { summary: "print a shell completion script", load: load(() => import("./completion.ts")) },
};

/** What gust says without a command. */
export function usage(): string {
  const width = Math.max(...Object.keys(subcommands).map((name) => name.length));
  const list = Object.entries(subcommands).map(([name, { summary }]) =>
    `  ${name.padEnd(width)}  ${summary}`
  );
  return `gust ${VERSION}: train graph neural networks from the shell

Usage: gust <subcommand> [options] [input ...] [-o output]

${list.join("\n")}

gust help COMMAND shows its options, gust help NAME what a model, sampler, ... does. Documents flow through pipes:
  gust generate sbm | gust partition -k 32 | gust sample --method cluster | gust train --model gcn | gust eval
`;
}
