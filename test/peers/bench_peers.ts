/**
 * gust beside other software, everything that it is held to, on the CPU (bars.ts) or a GPU (bars_cuda.ts):
 *
 *     make bench-peers [ONLY="spmm_r18 gat"]        (names, or how they begin; default: all)
 *     make bench-cuda [ONLY=...]
 *
 * Makes the graphs, runs each command in turn with its peers, and writes results/NAME.json (of a GPU
 * results/cuda/MODEL/NAME.json): command, commit, machine, lines. Then summary.json and summary.txt beside them: every
 * bar, what was measured, met or missed; and the page build/peers/report.html. A command that fails, or a peer that is
 * not installed, is told in the summary, and the rest goes on. GUST_PEERS names the folder of the peers' environments
 * (setup.sh), GUST_PEERS_PYTHON an interpreter that has all of them instead, GUST_DATA the folder of real graphs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { type BenchResult, resultOf } from "../../core/bench/benchmark.ts";
import { statsOf } from "../../core/bench/measure.ts";
import { type PeerName, pythonOf } from "../../core/bench/peer.ts";
import { type BenchReport, thisMachine } from "../../core/bench/report.ts";
import { describeNative, NativeError, openNative } from "../../ffi/native.ts";
import { judge, type PeerRun, tableOf } from "./bar.ts";
import * as cpu from "./bars.ts";
import * as cuda from "./bars_cuda.ts";
import { folder, graphs, gust, makeGraph } from "./graphs.ts";

const repository = resolve(import.meta.dirname, "../..");
const [device, ...only] = process.argv.slice(2);
if (device !== "cpu" && device !== "cuda") throw new Error("bench_peers.ts cpu|cuda [names]");
const { runs, bars } = { cpu, cuda }[device];
const environments = process.env["GUST_PEERS"] ??= join(homedir(), ".cache/gust-peers");
const python = process.env["GUST_PEERS_PYTHON"] || undefined;
const MODULES: Readonly<Record<PeerName, string>> = {
  torch: "torch",
  dgl: "dgl",
  pyg: "torch_geometric",
  triton: "triton",
};

try {
  await openNative({ kind: device, index: 0 });
} catch (error) {
  if (!(error instanceof NativeError)) throw error;
  console.error(`nothing is measured: ${error.message}`);
  process.exit(1);
}
/** "NVIDIA H100 80GB HBM3" as the name of a folder. */
const model = describeNative().gpu?.toLowerCase().replace(/[^a-z0-9]+/g, "-");
const results = join(import.meta.dirname, "results", ...(model === undefined ? [] : ["cuda", model]));

/** What a file of results holds. */
interface Stored {
  readonly command: string;
  readonly commit: string;
  readonly machine?: BenchReport["machine"];
  readonly results?: readonly BenchResult[];
  readonly error?: string;
  /** What peers said that failed. */
  readonly left_out?: readonly string[];
}

const isWanted = (name: string) => only.length === 0 || only.some((start) => name.startsWith(start));

/** What git says, or "unknown" outside of a repository. */
function git(...args: string[]): string {
  const { status, stdout } = spawnSync("git", ["-C", repository, ...args], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : "unknown";
}

const changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!test/peers/results");
const commit = git("rev-parse", "--short=12", "HEAD") + (changed === "" ? "" : " with changes");

const known = new Map<PeerName, boolean>();
/** Whether a peer's interpreter has it, and what the scripts read graphs with. */
function isInstalled(peer: PeerName): boolean {
  const words = ["-c", `import ${MODULES[peer]}, safetensors`];
  const there = known.get(peer) ?? spawnSync(pythonOf(peer, { environments, python }), words).status === 0;
  known.set(peer, there);
  return there;
}

/** The lines of a run. A peer that fails is left out, so that the others and ours are measured. */
function measured(run: PeerRun, peers = run.peers.filter(isInstalled)): Stored {
  const words = [...run.args, "--device", device!, ...(peers.length ? ["--peer", peers.join(",")] : [])];
  const about = { command: `gust ${words.join(" ")}`, commit };
  try {
    return { ...JSON.parse(gust([...words, "--json", "-q"])), ...about };
  } catch (error) {
    const { message } = error as Error;
    const others = peers.filter((peer) => !message.startsWith(`Peer "${peer}"`));
    if (others.length === peers.length) return { ...about, error: message };
    const rest = measured(run, others);
    return { ...rest, left_out: [message, ...rest.left_out ?? []] };
  }
}

/** Ten seeds in a row and side by side, in turn. */
function jobs(): Stored {
  const train = "train cora --hidden 16 --feat-norm row --repeat 10 --device cpu -q -o model".split(" ");
  const side = [...train, "--jobs", String(navigator.hardwareConcurrency)];
  const about = { command: `gust ${train.join(" ")}; gust ${side.join(" ")}`, commit };
  const time = (args: readonly string[]) => {
    const start = performance.now();
    gust(args);
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

mkdirSync(folder, { recursive: true });
mkdirSync(results, { recursive: true });
const plan = runs.map((run) => ({ name: run.name, graph: run.args[2]!, measure: () => measured(run) }));
if (device === "cpu") plan.push({ name: cpu.JOBS, graph: "cora", measure: jobs });
const wanted = plan.filter(({ name }) => isWanted(name));
for (const name of new Set(wanted.map(({ graph }) => graph))) {
  if (!(name in graphs)) continue;
  try {
    makeGraph(name);
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
  }
}
for (const { name, measure } of wanted) {
  const start = performance.now();
  const stored = measure();
  write(`${name}.json`, stored);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`${name}: ${stored.error ?? "measured"} (${seconds} s): ${stored.command}`);
  for (const problem of stored.left_out ?? []) console.log(`  without ${problem}`);
}

const stored = new Map(
  plan.flatMap(({ name }): [string, Stored][] => {
    const path = join(results, `${name}.json`);
    return existsSync(path) ? [[name, JSON.parse(readFileSync(path, "utf8"))]] : [];
  }),
);
const reasons = new Map(
  [...stored].flatMap(([name, { error, left_out }]) => {
    const reason = error ?? left_out?.[0];
    return reason === undefined ? [] : [[name, reason] as const];
  }),
);
const verdicts = judge(bars, (name) => stored.get(name)?.results ?? null, reasons);
write("summary.json", {
  commit,
  command: [`make bench-${device === "cpu" ? "peers" : device}`, ...only].join(" "),
  bars: verdicts,
});
writeFileSync(join(results, "summary.txt"), tableOf(verdicts));
console.log("\n" + tableOf(verdicts));
const files = readdirSync(results).filter((name) => stored.get(name.replace(/\.json$/, ""))?.results);
if (files.length > 0) {
  gust(["bench", "--report", join(folder, "report.html"), ...files.map((name) => join(results, name))]);
}
