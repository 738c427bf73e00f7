/**
 * gust partition beside the gpmetis program, on real graphs (`make bench-partition`):
 *
 *     bun test/peers/partition_quality.ts [K,...] [SEEDS] [GRAPH,...]      (default: 2,4,8,16,32,64, 3 and all)
 *
 * Per graph and k: the mean cut over seeds 0 .. SEEDS-1 at default effort, the cut of seed 0 at best, gpmetis's (k-way,
 * 3 % imbalance, its own seed), our worst balance, and the least time over the seeds: ours from arrays in memory to parts,
 * gpmetis's as it reports it ("Partitioning"), in turns. The last lines give geometric means, of times over graphs of more
 * than 50,000 edges, where milliseconds mean something. The same goes to test/peers/results/partition_quality.json after
 * every graph. GUST_DATA names the folder of real graphs; r18 is generated and does not count towards the means.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openFile } from "../../core/format/read.ts";
import { Graph } from "../../core/graph/graph.ts";
import { describeNative, openNative } from "../../ffi/native.ts";
import { partitionMultilevel, partitionStatistics, writeMetisGraph } from "../../ffi/native_partition.ts";
import { dataPath, gustOk } from "../helpers.ts";
import { graphs } from "./graphs.ts";

/** Best known cuts for k = 2 without any imbalance (Walshaw's archive), where there are. */
const FILES: Readonly<Record<string, number | null>> = {
  "walshaw/add20.graph": 596,
  "walshaw/data.graph": 189,
  "walshaw/3elt.graph": 90,
  "walshaw/uk.graph": 19,
  "walshaw/add32.graph": 11,
  "walshaw/whitaker3.graph": 127,
  "walshaw/crack.graph": 184,
  "walshaw/wing_nodal.graph": 1707,
  "walshaw/fe_4elt2.graph": 130,
  "walshaw/vibrobox.graph": 10343,
  "walshaw/bcsstk29.graph": 2843,
  "metis/4elt.graph": 139,
  "walshaw/cti.graph": 334,
  "walshaw/cs4.graph": 369,
  "walshaw/fe_body.graph": 262,
  "walshaw/t60k.graph": 79,
  "walshaw/wing.graph": 789,
  "kahip/rgg_n_2_15_s0.graph": null,
  "edgelists/luxembourg_osm.mtx": null,
  "cora/cora.npz": null,
  "citeseer/citeseer.npz": null,
  "amazon_computers/amazon_computers.npz": null,
  "coauthor_cs/coauthor_cs.npz": null,
  "blogcatalog/blogcatalog.npz": null,
  "cnr-2000/cnr-2000.graph-txt.gz": null,
  r18: null,
};
const IMBALANCE = 1.03, TIMED_EDGES = 50_000;

const nameOf = (file: string) => file.replace(/.*\//, "").replace(/\..*/, "");
const ks = (process.argv[2] ?? "2,4,8,16,32,64").split(",").map(Number);
const seeds = [...Array(Number(process.argv[3] ?? 3)).keys()];
const only = process.argv[4]?.split(",");
const geometric = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

interface Run {
  readonly cut: number;
  readonly seconds: number;
}

/** One run of gpmetis. */
function runMetis(file: string, k: number): Run {
  const { error, stdout } = spawnSync("gpmetis", [file, String(k)], { encoding: "utf8" });
  if (error) throw new Error('Cannot run gpmetis: install it with "apt-get install metis"', { cause: error });
  const cut = /Edgecut: (\d+)/.exec(stdout), seconds = /Partitioning:\s+([\d.]+) sec/.exec(stdout);
  if (!cut || !seconds) throw new Error(`gpmetis ${file} ${k} said:\n${stdout}`);
  // It prints whole milliseconds.
  return { cut: Number(cut[1]), seconds: Math.max(0.001, Number(seconds[1])) };
}

function runGust(
  graph: Graph,
  k: number,
  effort: "default" | "best",
  seed: number,
): Run & { balance: number } {
  const { csr, meta: { directed } } = graph;
  const start = performance.now();
  const part = partitionMultilevel(csr, directed, k, {
    imbalance: IMBALANCE,
    effort,
    scheme: "kway",
    objective: "cut",
    seed,
  });
  const seconds = (performance.now() - start) / 1000;
  const sizes = new Float64Array(k);
  for (const p of part.toNumbers()) sizes[p]!++;
  const balance = Math.max(...sizes) / Math.ceil(graph.numNodes / k);
  return { cut: partitionStatistics(csr, directed, part, k).cut, seconds, balance };
}

interface Row {
  readonly graph: string;
  readonly edges: number;
  readonly k: number;
  readonly cut: number;
  readonly best_cut: number;
  readonly gpmetis_cut: number;
  /** For k = 2. */
  readonly best_known: number | null;
  readonly balance: number;
  readonly ms: number;
  readonly best_ms: number;
  readonly gpmetis_ms: number;
}

function measure(
  graph: Graph,
  name: string,
  edges: number,
  metisFile: string,
  k: number,
  known: number | null,
): Row {
  const ours = [], theirs = [];
  for (const seed of seeds) {
    ours.push(runGust(graph, k, "default", seed));
    theirs.push(runMetis(metisFile, k));
  }
  const best = runGust(graph, k, "best", 0);
  const least = (runs: readonly Run[]) => Math.min(...runs.map(({ seconds }) => seconds)) * 1000;
  return {
    graph: name,
    edges,
    k,
    cut: ours.reduce((sum, { cut }) => sum + cut, 0) / ours.length,
    best_cut: best.cut,
    gpmetis_cut: theirs[0]!.cut,
    best_known: k === 2 ? known : null,
    balance: Math.max(best.balance, ...ours.map(({ balance }) => balance)),
    ms: least(ours),
    best_ms: best.seconds * 1000,
    gpmetis_ms: least(theirs),
  };
}

const HEAD = [
  "graph",
  "k",
  "cut",
  "best",
  "gpmetis",
  "ratio",
  "best",
  "balance",
  "ms",
  "best ms",
  "gpmetis",
  "ratio",
];
const line = (cells: readonly string[]) =>
  cells.map((cell, i) => i === 0 ? cell.padEnd(18) : cell.padStart(i === 1 ? 3 : 9)).join(" ");
const lineOf = (r: Row) =>
  line([
    r.graph,
    String(r.k),
    ...[r.cut, r.best_cut, r.gpmetis_cut].map((cut) => cut.toFixed(0)),
    (r.cut / r.gpmetis_cut).toFixed(3),
    (r.best_cut / r.gpmetis_cut).toFixed(3),
    r.balance.toFixed(4),
    ...[r.ms, r.best_ms, r.gpmetis_ms].map((ms) => ms.toFixed(1)),
    (r.ms / r.gpmetis_ms).toFixed(2),
  ]);

/** Means over rows, as ratios to gpmetis. */
function meansOf(rows: readonly Row[]) {
  const cuts = rows.map((r) => r.cut / r.gpmetis_cut), timed = rows.filter((r) => r.edges > TIMED_EDGES);
  const known = rows.filter((r) => r.best_known !== null);
  return {
    rows: rows.length,
    cut: geometric(cuts),
    worst_cut: Math.max(...cuts),
    best_cut: geometric(rows.map((r) => r.best_cut / r.gpmetis_cut)),
    worst_balance: Math.max(...rows.map((r) => r.balance)),
    time: timed.length ? geometric(timed.map((r) => r.ms / r.gpmetis_ms)) : null,
    worst_over_best_known: known.length ? Math.max(...known.map((r) => r.best_cut / r.best_known!)) : null,
  };
}

const rows: Row[] = [];
const out = join(import.meta.dirname, "results");
mkdirSync(out, { recursive: true });
function save(): void {
  const { isa, cores } = describeNative();
  const counted = rows.filter(({ graph }) => graph !== "r18");
  const means = counted.length === 0 ? [] : [null, ...ks].map((k) => ({
    k,
    ...meansOf(counted.filter((row) => k === null || row.k === k)),
  }));
  const result = { machine: { isa, cores }, imbalance: IMBALANCE, seeds: seeds.length, means, rows };
  writeFileSync(join(out, "partition_quality.json"), JSON.stringify(result, null, 2) + "\n");
}

await openNative();
const folder = mkdtempSync(join(tmpdir(), "gust-peers-"));
console.log(line(HEAD));
try {
  for (const [file, known] of Object.entries(FILES)) {
    const name = nameOf(file);
    if (only && !only.includes(name)) continue;
    const made = graphs[file] ?? ["import", dataPath(file), "--symmetrize", "--remove-self-loops"];
    gustOk([...made, "-o", "graph", "--force"], { cwd: folder });
    const graph = new Graph(openFile(join(folder, "graph")));
    const metisFile = join(folder, name);
    const edges = writeMetisGraph(graph.csr, graph.meta.directed, metisFile);
    for (const k of ks) {
      const row = measure(graph, name, edges, metisFile, k, known);
      rows.push(row);
      console.log(lineOf(row));
    }
    save();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const counted = rows.filter(({ graph }) => graph !== "r18");
if (counted.length > 0) {
  for (const k of [null, ...ks]) {
    const m = meansOf(counted.filter((row) => k === null || row.k === k));
    console.log(
      `${k === null ? "all k" : `k = ${k}`}: geometric mean of ${m.rows}: cut ${
        m.cut.toFixed(3)
      } x gpmetis (worst ` +
        `${m.worst_cut.toFixed(3)}), best effort ${m.best_cut.toFixed(3)}, time ${
          m.time?.toFixed(2) ?? "-"
        }; ` +
        `worst balance ${m.worst_balance.toFixed(4)}` +
        (m.worst_over_best_known === null
          ? ""
          : `; best effort at most ${m.worst_over_best_known.toFixed(3)} x the best known cut`),
    );
  }
}
