/** The graphs that gust is measured and checked on, under short names: how each is made. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const repository = resolve(import.meta.dirname, "../..");
/** The folder of real graphs. */
export const data = process.env["GUST_DATA"] ?? join(repository, "../shared/data");
/** Where the graphs are, outside of what git keeps. */
export const folder = join(repository, "build/peers");

const imported = (name: string, ...more: string[]) => ["import", join(data, `${name}/${name}.npz`), ...more];
const undirected = ["--symmetrize", "--remove-self-loops"];

/** Words behind `gust`. */
export const graphs: Readonly<Record<string, readonly string[]>> = {
  u200k: ["generate", "erdos-renyi", "--nodes", "200000", "--edges", "5000000"],
  r18: ["generate", "rmat", "--scale", "18", "--edges", "5000000", "--permute"],
  m20: ["generate", "erdos-renyi", "--nodes", String(2 ** 20), "--edges", String(2 ** 24)]
    .concat(["--classes", "16", "--features", "64"]),
  c18: [
    "generate",
    "sbm",
    "--nodes",
    String(2 ** 18),
    "--degree",
    "16",
    "--features",
    "100",
    "--classes",
    "47",
  ]
    .concat(["--communities", "16", "--homophily", "0.8", "--closeness", "0.6", "--train-per-class", "2000"])
    .concat(["--val-per-class", "500"]),
  cora: imported("cora"),
  coauthor_cs: imported("coauthor_cs", ...undirected),
  amazon_computers: imported("amazon_computers", ...undirected),
};

/**
 * Run gust in the folder of the graphs.
 *
 * @returns its standard output.
 * @throws {Error} with what it said.
 */
export function gust(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(join(repository, "build/gust"), args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status === 0) return stdout;
  const lines = stderr.trim().split("\n");
  const said = lines.find((line) => line.startsWith("gust ")) ?? lines.at(-1) ?? "";
  throw new Error(said.replace(/^gust \S+: /, "") || `gust ${args[0]} ended with status ${status}`);
}

/** Make a graph that is not there yet. @throws {Error} with what gust said. */
export function makeGraph(name: string): void {
  if (!existsSync(join(folder, name))) gust([...graphs[name]!, "-o", name]);
}
