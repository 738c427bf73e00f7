/**
 * gust beside other software, everything that it is held to (bars.ts):
 *
 *     make bench-peers [ONLY="spmm_r18 gat"]        (names, or how they begin; default: all)
 *
 * Makes the graphs, runs each command in turn with its peers, and writes results/NAME.json: command, commit, machine,
 * lines. Then results/summary.json and summary.txt: every bar, what was measured, met or missed; and the page
 * build/peers/report.html. A command that fails, or a peer that is not installed, is told in the summary, and the rest
 * goes on. GUST_PEERS names the folder of the peers' environments (setup.sh), GUST_DATA that of real graphs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { type BenchResult, resultOf } from "../../core/bench/benchmark.ts";
import { statsOf } from "../../core/bench/measure.ts";
import { type BenchReport, thisMachine } from "../../core/bench/report.ts";
import { openNative } from "../../ffi/native.ts";
import { bars, JOBS, judge, type PeerRun, runs, tableOf } from "./bars.ts";

const repository = resolve(import.meta.dirname, "../..");
const gust = join(repository, "build/gust");
const results = join(import.meta.dirname, "results");
/** Graphs, under the short names that the commands use. */
const folder = join(repository, "build/peers");
const environments = process.env["GUST_PEERS"] ?? join(homedir(), ".cache/gust-peers");
const data = process.env["GUST_DATA"] ?? join(repository, "../shared/data");

/** What a file of results holds. */
interface Stored {
  readonly command: string;
  readonly commit: string;
  readonly machine?: BenchReport["machine"];
  readonly results?: readonly BenchResult[];
  readonly error?: string;
}

const GRAPHS: Readonly<Record<string, readonly string[]>> = {
  u200k: ["generate", "erdos-renyi", "--nodes", "200000", "--edges", "5000000"],
  r18: ["generate", "rmat", "--scale", "18", "--edges", "5000000", "--permute"],
  cora: ["import", join(data, "cora/cora.npz")],
  coauthor_cs: [
    "import",
    join(data, "coauthor_cs/coauthor_cs.npz"),
    "--symmetrize",
    "--remove-self-loops",
  ],
  amazon_computers: [
    "import",
    join(data, "amazon_computers/amazon_computers.npz"),
    "--symmetrize",
    "--remove-self-loops",
  ],
};

const only = process.argv.slice(2);
const isWanted = (name: string) => only.length === 0 || only.some((start) => name.startsWith(start));

/** What git says, or "unknown" outside of a repository. */
function git(...args: string[]): string {
  const { status, stdout } = spawnSync("git", ["-C", repository, ...args], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : "unknown";
}

const changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!test/peers/results");
const commit = git("rev-parse", "--short=12", "HEAD") + (changed === "" ? "" : " with changes");

/** Run gust in the folder of the graphs; its standard output, or an error with what it said. */
function run(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(gust, args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: { ...process.env, GUST_PEERS: environments },
  });
  if (status === 0) return stdout;
  const lines = stderr.trim().split("\n");
  const said = lines.find((line) => line.startsWith("gust ")) ?? lines.at(-1) ?? "";
  throw new Error(said.replace(/^gust \S+: /, "") || `gust ${args[0]} ended with status ${status}`);
}

const isInstalled = (peer: string) =>
  existsSync(join(environments, peer === "dgl" ? "dgl" : "torch", "bin/python"));

function measured({ args, peers }: PeerRun): Stored {
  const there = peers.filter(isInstalled);
  const words = [...args, ...(there.length ? ["--peer", there.join(",")] : [])];
  const about = { command: `gust ${words.join(" ")}`, commit };
  if (peers.length > 0 && there.length === 0) {
    return { ...about, error: `${peers.join(", ")} not installed (test/peers/setup.sh)` };
  }
  try {
    return { ...JSON.parse(run([...words, "--json", "-q"])), ...about };
  } catch (error) {
    return { ...about, error: (error as Error).message };
  }
}

/** Ten seeds in a row and side by side, in turn. */
function jobs(): Stored {
  const train = "train cora --hidden 16 --feat-norm row --repeat 10 -q -o model".split(" ");
  const side = [...train, "--jobs", String(navigator.hardwareConcurrency)];
  const about = { command: `gust ${train.join(" ")}; gust ${side.join(" ")}`, commit };
  const time = (args: readonly string[]) => {
    const start = performance.now();
    run(args);
    return performance.now() - start;
  };
  try {
    const pairs = Array.from({ length: 5 }, () => [time(train), time(side)] as const);
    const line = (name: string, times: readonly number[]) =>
      resultOf({ name, graph: "cora", dtype: "f32", stats: statsOf(times) });
    return {
      ...about,
      machine: thisMachine(),
      results: [
        line("in_a_row", pairs.map(([row]) => row)),
        line("side_by_side", pairs.map(([, side]) => side)),
      ],
    };
  } catch (error) {
    return { ...about, error: (error as Error).message };
  }
}

function write(name: string, value: unknown): void {
  writeFileSync(join(results, name), JSON.stringify(value, null, 2) + "\n");
}

await openNative();
mkdirSync(folder, { recursive: true });
mkdirSync(results, { recursive: true });
for (const [name, args] of Object.entries(GRAPHS)) {
  if (existsSync(join(folder, name))) continue;
  try {
    run([...args, "-o", name]);
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
  }
}
const plan = [...runs.map((r) => ({ name: r.name, measure: () => measured(r) })), {
  name: JOBS,
  measure: jobs,
}];
for (const { name, measure } of plan.filter((r) => isWanted(r.name))) {
  const start = performance.now();
  const stored = measure();
  write(`${name}.json`, stored);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`${name}: ${stored.error ?? "measured"} (${seconds} s): ${stored.command}`);
}

const stored = new Map(
  plan.flatMap(({ name }): [string, Stored][] => {
    const path = join(results, `${name}.json`);
    return existsSync(path) ? [[name, JSON.parse(readFileSync(path, "utf8"))]] : [];
  }),
);
const reasons = new Map([...stored].flatMap(([name, { error }]) => error ? [[name, error] as const] : []));
const verdicts = judge(bars, (name) => stored.get(name)?.results ?? null, reasons);
write("summary.json", { commit, command: ["make bench-peers", ...only].join(" "), bars: verdicts });
writeFileSync(join(results, "summary.txt"), tableOf(verdicts));
console.log("\n" + tableOf(verdicts));
const files = readdirSync(results).filter((name) => stored.get(name.replace(/\.json$/, ""))?.results);
if (files.length > 0) {
  run(["bench", "--report", join(folder, "report.html"), ...files.map((name) => join(results, name))]);
}
