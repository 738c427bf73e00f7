/**
 * Sparse products before and after the nodes are ordered by a partition (`make bench-orders`):
 *
 *     bun test/peers/spmm_orders.ts [ROUNDS] [GRAPH,...] [FOLDER]      (default: 5, all and build/peers)
 *
 * Per graph, order, width and kernel: the median time over the rounds, in which the orders take turns, one process each,
 * and what the kernel misses in a simulated cache of this machine's last level (gust bench spmm --misses). The last
 * columns hold it against the product that models use, in natural order. Graphs are made in FOLDER where they are not
 * there; the community graph takes 0.6 GB per order there and 4 GB of memory. The same goes to
 * test/peers/results/spmm_orders.json after every graph.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import type { BenchReport } from "../../core/bench/report.ts";
import { statsOf } from "../../core/bench/measure.ts";
import { data, folder as usual, graphs } from "./graphs.ts";

const repository = resolve(import.meta.dirname, "../..");
const rounds = Number(process.argv[2] ?? 5), only = process.argv[3]?.split(",");
const folder = resolve(process.argv[4] ?? usual);
const WIDTHS = "64,128", KERNELS = "product,rowwise,pinned";

/** How each graph is made, and the parts that its ordered form has: of about 2,400 nodes each, one at least. */
const community = ["generate", "sbm", "--nodes", "2449029", "--degree", "54.7", "--classes", "47"]
  .concat(["--features", "0", "--communities", "320", "--homophily", "0.85", "--closeness", "0.7"]);
const cnr = ["import", join(data, "cnr-2000/cnr-2000.graph-txt.gz"), "--symmetrize", "--remove-self-loops"];
const made: Readonly<Record<string, { words: readonly string[]; k: number; effort: string }>> = {
  amazon_computers: { words: graphs["amazon_computers"]!, k: 6, effort: "default" },
  "cnr-2000": { words: cnr, k: 136, effort: "default" },
  r18: { words: graphs["r18"]!, k: 109, effort: "default" },
  community: { words: community, k: 1024, effort: "fast" },
};

function gust(args: readonly string[]): string {
  const program = join(repository, "build/gust");
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`gust ${args.join(" ")}: status ${status}\n${stderr}`);
  return stdout;
}

/** A graph in its orders: as it comes, of parts, and, where it comes in an order with locality, of random parts. */
function ordersOf(name: string): Record<string, string> {
  const { words, k, effort } = made[name]!, of = (order: string) => `${name}.${order}`;
  const make = (file: string, words: readonly string[]) => {
    if (!existsSync(join(folder, file))) gust([...words, "-o", file]);
    return file;
  };
  const natural = make(of("natural"), words), by = ["-k", String(k), "--apply"];
  const partition = make(of("partition"), ["partition", natural, ...by, "--effort", effort]);
  if (name !== "cnr-2000") return { natural, partition };
  return {
    natural,
    random: make(of("random"), ["partition", natural, ...by, "--method", "random"]),
    partition,
  };
}

interface Line {
  readonly graph: string;
  readonly order: string;
  readonly width: number;
  readonly kernel: string;
  readonly rounds: number;
  /** Of the rounds' medians. */
  readonly median_ms: number;
  readonly min_ms: number;
  readonly pinned_share: number | null;
  readonly llc_misses: number | null;
  /** Times that the product in natural order takes as long, in medians. */
  readonly speed: number;
}

const file = join(import.meta.dirname, "results/spmm_orders.json");
const lines: Line[] = [];
let machine: BenchReport["machine"] | null = null;

function measure(graph: string): Line[] {
  const orders = Object.entries(ordersOf(graph)), times = new Map<string, number[]>();
  const first = new Map<string, BenchReport["results"][number]>();
  for (let round = 0; round < rounds; round++) {
    for (const [order, path] of orders) {
      const args = ["bench", "spmm", path, "--weights", "none", "--width", WIDTHS, "--kernel", KERNELS];
      const report: BenchReport = JSON.parse(
        gust([...args, "--runs", "3", "--json", "-q", ...(round === 0 ? ["--misses"] : [])]),
      );
      machine ??= report.machine;
      for (const result of report.results) {
        const key = `${order} ${result.width} ${
          result.name.replace("spmm_none_", "").replace("spmm_none", "product")
        }`;
        times.set(key, [...times.get(key) ?? [], result.median_ms]);
        if (round === 0) first.set(key, result);
      }
    }
  }
  return [...times].map(([key, list]) => {
    const [order, width, kernel] = key.split(" ") as [string, string, string], { medianMs } = statsOf(list);
    const base = statsOf(times.get(`natural ${width} product`)!).medianMs,
      { llc_misses, pinned_share } = first.get(key)!;
    return {
      graph,
      order,
      width: Number(width),
      kernel,
      rounds,
      median_ms: medianMs,
      min_ms: Math.min(...list),
      pinned_share: pinned_share ?? null,
      llc_misses: llc_misses ?? null,
      speed: base / medianMs,
    };
  }).sort((a, b) => a.width - b.width);
}

/** What an earlier run found for graphs that this one leaves out. */
function earlier(): Line[] {
  if (!existsSync(file)) return [];
  const { results } = JSON.parse(readFileSync(file, "utf8")) as { results: Line[] };
  return results.filter(({ graph }) => !lines.some((line) => line.graph === graph));
}

const text = (cells: readonly (string | number)[]) => cells.map((cell) => String(cell).padStart(13)).join("");
mkdirSync(folder, { recursive: true });
console.log(text(["graph", "order", "width", "kernel", "median ms", "M misses", "pinned", "speed"]));
for (const name of only ?? Object.keys(made)) {
  if (!made[name]) throw new RangeError(`graph "${name}", expected ${Object.keys(made).join(", ")}`);
  for (const line of measure(name)) {
    lines.push(line);
    const { graph, order, width, kernel, median_ms, llc_misses, pinned_share, speed } = line;
    const missed = llc_misses === null ? "-" : (llc_misses / 1e6).toFixed(3);
    const cells = [median_ms.toFixed(2), missed, pinned_share?.toFixed(3) ?? "-", speed.toFixed(2)];
    console.log(text([graph, order, width, kernel, ...cells]));
  }
  const git = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: repository, encoding: "utf8" });
  const head = { command: `make bench-orders`, commit: git.stdout.trim(), machine };
  writeFileSync(file, JSON.stringify({ ...head, results: [...earlier(), ...lines] }, null, 2) + "\n");
}
