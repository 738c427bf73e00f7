/**
 * gust partition beside the gpmetis program and a table of its cuts, on real graphs:
 *
 *     bun test/peers/partition_quality.ts [K,...] [SEEDS]       (default: 8,32 and 3)
 *
 * Per graph and k: our cut (mean over seeds 0 .. SEEDS-1), gpmetis's now and in the table (5.x, default options: k-way,
 * 3 % imbalance), our worst balance, and the least time of each over the seeds: ours from arrays in memory to parts,
 * gpmetis's as it reports it ("Partitioning"), in turns. The last lines give geometric means. The same goes to
 * test/peers/results/partition_quality.json. GUST_DATA names the folder of real graphs.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openFile } from "../../core/format/read.ts";
import { Graph } from "../../core/graph/graph.ts";
import { partitionMultilevel, partitionStatistics, writeMetisGraph } from "../../ffi/native_partition.ts";
import { describeNative, openNative } from "../../ffi/native.ts";
import { dataPath, gustOk } from "../helpers.ts";

/** Cuts of gpmetis for k = 8 and 32; rows of `more` do not count towards the means. */
const TABLE: readonly {
  readonly file: string;
  readonly cuts: readonly [number, number];
  readonly more?: true;
}[] = [
  { file: "walshaw/add20.graph", cuts: [1842, 2921] },
  { file: "walshaw/data.graph", cuts: [715, 2029] },
  { file: "walshaw/3elt.graph", cuts: [366, 1048] },
  { file: "walshaw/uk.graph", cuts: [105, 299] },
  { file: "walshaw/add32.graph", cuts: [88, 256] },
  { file: "walshaw/whitaker3.graph", cuts: [691, 1773] },
  { file: "walshaw/crack.graph", cuts: [764, 1827] },
  { file: "walshaw/wing_nodal.graph", cuts: [6078, 12728] },
  { file: "walshaw/fe_4elt2.graph", cuts: [667, 1763] },
  { file: "walshaw/vibrobox.graph", cuts: [29271, 45259] },
  { file: "walshaw/bcsstk29.graph", cuts: [19544, 42673] },
  { file: "metis/4elt.graph", cuts: [636, 1737] },
  { file: "walshaw/cti.graph", cuts: [2135, 4752] },
  { file: "walshaw/cs4.graph", cuts: [1751, 3439] },
  { file: "walshaw/fe_body.graph", cuts: [1163, 3219] },
  { file: "walshaw/t60k.graph", cuts: [502, 1633] },
  { file: "walshaw/wing.graph", cuts: [2928, 6658] },
  { file: "kahip/rgg_n_2_15_s0.graph", cuts: [1044, 2629] },
  { file: "cora/cora.npz", cuts: [548, 1008] },
  { file: "citeseer/citeseer.npz", cuts: [151, 423] },
  { file: "amazon_computers/amazon_computers.npz", cuts: [56261, 106906] },
  { file: "coauthor_cs/coauthor_cs.npz", cuts: [12342, 23338] },
  { file: "blogcatalog/blogcatalog.npz", cuts: [227597, 277514], more: true },
];
const TABLE_KS = [8, 32];
const IMBALANCE = 1.03;

const ks = (process.argv[2] ?? "8,32").split(",").map(Number);
const seeds = [...Array(Number(process.argv[3] ?? 3)).keys()];
const geometric = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

/** Cut and seconds of one run of gpmetis; null where the program is missing. */
function runMetis(file: string, k: number): { cut: number; seconds: number } | null {
  const { error, stdout } = spawnSync("gpmetis", [file, String(k)], { encoding: "utf8" });
  if (error) return null;
  const cut = /Edgecut: (\d+)/.exec(stdout), seconds = /Partitioning:\s+([\d.]+) sec/.exec(stdout);
  if (!cut || !seconds) throw new Error(`gpmetis ${file} ${k} said:\n${stdout}`);
  // It prints whole milliseconds.
  return { cut: Number(cut[1]), seconds: Math.max(0.001, Number(seconds[1])) };
}

await openNative();
const folder = mkdtempSync(join(tmpdir(), "gust-peers-"));
interface Row {
  readonly graph: string;
  readonly k: number;
  readonly cut: number;
  readonly gpmetis_cut: number | null;
  readonly table_cut: number | null;
  readonly ratio: number | null;
  readonly balance: number;
  readonly ms: number;
  readonly gpmetis_ms: number | null;
  /** Whether it counts towards the means. */
  readonly counts: boolean;
}
const results: Row[] = [];
console.log("graph                     k   cut  gpmetis    table   ratio  balance       ms   x gpmetis");
try {
  for (const { file, cuts, more } of TABLE) {
    const name = file.replace(/.*\//, "").replace(/\..*/, "");
    gustOk(["import", dataPath(file), "-o", "graph", "--force"], { cwd: folder });
    const graph = new Graph(openFile(join(folder, "graph")));
    const metisFile = join(folder, name);
    writeMetisGraph(graph.csr, graph.meta.directed, metisFile);
    for (const k of ks) {
      let cut = 0, balance = 0, seconds = Infinity;
      const runs: { cut: number; seconds: number }[] = [];
      for (const seed of seeds) {
        const start = performance.now();
        const part = partitionMultilevel(graph.csr, graph.meta.directed, k, {
          imbalance: IMBALANCE,
          effort: "default",
          scheme: "kway",
          seed,
        });
        seconds = Math.min(seconds, (performance.now() - start) / 1000);
        cut += partitionStatistics(graph.csr, graph.meta.directed, part, k).cut / seeds.length;
        const sizes = new Float64Array(k);
        for (const p of part.toNumbers()) sizes[p]!++;
        balance = Math.max(balance, Math.max(...sizes) / Math.ceil(graph.numNodes / k));
        const run = runMetis(metisFile, k);
        if (run) runs.push(run);
      }
      const metis = runs.length === 0
        ? null
        : { cut: runs[0]!.cut, seconds: Math.min(...runs.map((run) => run.seconds)) };
      const table = cuts[TABLE_KS.indexOf(k)] ?? null;
      const reference = table ?? metis?.cut ?? null;
      const row: Row = {
        graph: name,
        k,
        cut,
        gpmetis_cut: metis?.cut ?? null,
        table_cut: table,
        ratio: reference === null ? null : cut / reference,
        balance,
        ms: seconds * 1000,
        gpmetis_ms: metis ? metis.seconds * 1000 : null,
        counts: !more,
      };
      results.push(row);
      const cells = [
        name.padEnd(22),
        String(k).padStart(4),
        cut.toFixed(0).padStart(7),
        String(row.gpmetis_cut ?? "-").padStart(8),
        String(table ?? "-").padStart(8),
        (row.ratio?.toFixed(3) ?? "-").padStart(7),
        balance.toFixed(4).padStart(8),
        row.ms.toFixed(1).padStart(8),
        (row.gpmetis_ms === null ? "-" : (row.ms / row.gpmetis_ms).toFixed(1)).padStart(8),
      ];
      console.log(cells.join(" "));
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const means = ks.map((k) => {
  const rows = results.filter((row) => row.k === k && row.counts);
  const ratios = rows.flatMap(({ ratio }) => ratio ?? []);
  const timed = rows.filter(({ gpmetis_ms }) => gpmetis_ms !== null);
  return {
    k,
    graphs: rows.length,
    cut_ratio: ratios.length ? geometric(ratios) : null,
    worst_ratio: ratios.length ? Math.max(...ratios) : null,
    worst_balance: Math.max(...rows.map(({ balance }) => balance)),
    time_ratio: timed.length ? geometric(timed.map(({ ms, gpmetis_ms }) => ms / gpmetis_ms!)) : null,
  };
});
for (const { k, graphs, cut_ratio, worst_ratio, worst_balance, time_ratio } of means) {
  console.log(
    `k = ${k}: geometric mean over ${graphs} graphs: cut ${cut_ratio?.toFixed(3)} x METIS (worst ${
      worst_ratio?.toFixed(3)
    }), ` +
      `time ${time_ratio?.toFixed(2) ?? "-"} x gpmetis; worst balance ${worst_balance.toFixed(4)}`,
  );
}
const out = join(import.meta.dirname, "results");
mkdirSync(out, { recursive: true });
const { isa, cores } = describeNative();
writeFileSync(
  join(out, "partition_quality.json"),
  JSON.stringify(
    { machine: { isa, cores }, imbalance: IMBALANCE, seeds: seeds.length, means, results },
    null,
    2,
  ) + "\n",
);
