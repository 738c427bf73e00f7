/** An ordinary run of every subcommand, for tests of what surrounds them: descriptors, folders, names, load. */
import { subcommands } from "../../cmd/_commands.ts";
import { gustOk } from "../helpers.ts";
import { type Folder, modelFolder } from "./_folder.ts";

/** A folder with what everydayRuns() reads: the graph `g`, its edges `e`, the model `m` and its log `l`. */
export function everydayFolder(): Folder {
  const here = modelFolder();
  gustOk(["train", "g", "--epochs", "3", "-o", "m", "--log", "l"], here);
  gustOk(["export", "g", "-o", "e", "-q"], here);
  return here;
}

export interface EverydayRun {
  readonly args: readonly string[];
  /** Whether the same run gives the same bytes; times are printed where not. */
  readonly isSteady: boolean;
  /** Whether -o takes what would go to standard output. */
  readonly takesOutput: boolean;
}

const words: Readonly<Record<string, readonly string[]>> = {
  import: ["e"],
  export: ["g", "--format", "mtx", "-q"],
  generate: ["rmat", "--scale", "6"],
  inspect: ["g"],
  split: ["g", "--method", "random"],
  partition: ["g", "-k", "4"],
  sample: ["g", "--method", "neighbor", "--fanout", "3,2"],
  cache: ["g", "--hops", "2"],
  train: ["g", "--epochs", "2"],
  eval: ["g", "m", "--json"],
  predict: ["g", "m"],
  smooth: ["g"],
  bench: ["spmm", "--nodes", "200", "--nnz", "1000", "--width", "8", "--runs", "3", "-q"],
  compare: ["m"],
  plot: ["l"],
  help: ["train"],
  completion: ["bash"],
};

/** One run of every subcommand in an everydayFolder(); each prints something or writes a document. */
export const everydayRuns: readonly EverydayRun[] = Object.keys(subcommands).map((name) => {
  if (!words[name]) throw new Error(`subcommand "${name}" has no everyday run`);
  return { args: [name, ...words[name]], isSteady: name !== "bench", takesOutput: name !== "completion" };
});
