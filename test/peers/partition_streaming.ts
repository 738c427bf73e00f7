/**
 * Partitioners of one sweep beside random parts and gpmetis, on real graphs:
 *
 *     bun test/peers/partition_streaming.ts [METHOD[:OPTION=VALUE]... ,...] [K,...]
 *
 * by default ldg, fennel, fennel in 10 passes and k = 2 .. 64. Per method and k: geometric means over the graphs of the
 * cut over that of random parts, of the cut over gpmetis's in the table (5.x, default options), the worst balance, and
 * the time of all graphs. The same goes to test/peers/results/partition_streaming.json. GUST_DATA names the folder of
 * real graphs.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openFile } from "../../core/format/read.ts";
import { Graph } from "../../core/graph/graph.ts";
import { partitioners } from "../../core/partition/mod.ts";
import { partitionStatistics } from "../../ffi/native_partition.ts";
import { describeNative, openNative } from "../../ffi/native.ts";
import { dataPath, gustOk } from "../helpers.ts";
import { METIS_CUTS, TABLE_KS } from "./partition_graphs.ts";

const IMBALANCE = 1.03;

const geometric = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

const methods = (process.argv[2] ?? "ldg,fennel,fennel:passes=10").split(",").map((text) => {
  const [name, ...options] = text.split(":") as [string, ...string[]];
  const given = options.map((option) => option.split("=") as [string, string]);
  const params = Object.fromEntries(
    given.map(([key, value]) => [key, Number.isNaN(Number(value)) ? value : Number(value)]),
  );
  const entry = partitioners.get(name);
  return { text, entry, params: entry.params?.parse(params) ?? {} };
});
const ks = process.argv[3]?.split(",").map(Number) ?? TABLE_KS;

await openNative();
interface Row {
  readonly graph: string;
  readonly method: string;
  readonly k: number;
  readonly cut: number;
  readonly random_cut: number;
  readonly table_cut: number | null;
  readonly balance: number;
  readonly ms: number;
}
const results: Row[] = [];
const folder = mkdtempSync(join(tmpdir(), "gust-peers-"));
try {
  for (const [file, cuts] of Object.entries(METIS_CUTS)) {
    gustOk(["import", dataPath(file), "-o", "graph", "--force"], { cwd: folder });
    const graph = new Graph(openFile(join(folder, "graph")));
    const cutOf = (part: Parameters<typeof partitionStatistics>[2], k: number) =>
      partitionStatistics(graph.csr, graph.meta.directed, part, k).cut;
    for (const k of ks) {
      const request = { k, imbalance: IMBALANCE, seed: 0 };
      const random = cutOf(partitioners.get("random").partition(graph, request, {}), k);
      for (const { text, entry, params } of methods) {
        const start = performance.now();
        const part = entry.partition(graph, request, params);
        const ms = performance.now() - start;
        const sizes = new Float64Array(k);
        for (const p of part.toNumbers()) sizes[p]!++;
        results.push({
          graph: file.replace(/.*\//, "").replace(/\..*/, ""),
          method: text,
          k,
          cut: cutOf(part, k),
          random_cut: random,
          table_cut: cuts[TABLE_KS.indexOf(k)] || null,
          balance: Math.max(...sizes) / Math.ceil(graph.numNodes / k),
          ms,
        });
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log("method                       k  x random  x gpmetis  worst x gpmetis  balance       ms");
const summary = methods.flatMap(({ text }) =>
  [...ks, 0].map((k) => {
    const rows = results.filter((row) => row.method === text && (k === 0 || row.k === k));
    const known = rows.flatMap(({ cut, table_cut }) => table_cut === null ? [] : [cut / table_cut]);
    const mean = {
      method: text,
      k: k === 0 ? "all" : k,
      random_ratio: geometric(rows.map(({ cut, random_cut }) => cut / random_cut)),
      gpmetis_ratio: known.length ? geometric(known) : null,
      worst_gpmetis_ratio: known.length ? Math.max(...known) : null,
      worst_balance: Math.max(...rows.map(({ balance }) => balance)),
      ms: rows.reduce((sum, { ms }) => sum + ms, 0),
    };
    console.log(
      [
        text.padEnd(24),
        String(mean.k).padStart(5),
        mean.random_ratio.toFixed(3).padStart(9),
        (mean.gpmetis_ratio?.toFixed(2) ?? "-").padStart(10),
        (mean.worst_gpmetis_ratio?.toFixed(1) ?? "-").padStart(16),
        mean.worst_balance.toFixed(4).padStart(8),
        mean.ms.toFixed(0).padStart(8),
      ].join(" "),
    );
    return mean;
  })
);
const { isa, cores } = describeNative();
writeFileSync(
  join(import.meta.dirname, "results", "partition_streaming.json"),
  JSON.stringify({ machine: { isa, cores }, imbalance: IMBALANCE, means: summary, results }, null, 2) + "\n",
);
