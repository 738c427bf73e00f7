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

/** Cuts of gpmetis for k = 2, 4, 8, 16, 32, 64; 0: not measured. */
export const METIS_CUTS: Readonly<Record<string, readonly number[]>> = {
  "walshaw/add20.graph": [717, 1251, 1842, 2399, 2921, 3316],
  "walshaw/data.graph": [232, 445, 715, 1295, 2029, 3469],
  "walshaw/3elt.graph": [95, 208, 366, 629, 1048, 1655],
  "walshaw/uk.graph": [20, 51, 105, 168, 299, 477],
  "walshaw/add32.graph": [11, 34, 88, 145, 256, 540],
  "walshaw/whitaker3.graph": [135, 396, 691, 1181, 1773, 2695],
  "walshaw/crack.graph": [201, 387, 764, 1181, 1827, 2705],
  "walshaw/wing_nodal.graph": [1754, 3849, 6078, 8880, 12728, 17033],
  "walshaw/fe_4elt2.graph": [131, 357, 667, 1160, 1763, 2677],
  "walshaw/vibrobox.graph": [11704, 22186, 29271, 38656, 45259, 52710],
  "walshaw/bcsstk29.graph": [3060, 9491, 19544, 30232, 42673, 62082],
  "metis/4elt.graph": [142, 368, 636, 1034, 1737, 2739],
  "walshaw/cti.graph": [374, 982, 2135, 3252, 4752, 6529],
  "walshaw/cs4.graph": [416, 1098, 1751, 2466, 3439, 4601],
  "walshaw/fe_body.graph": [321, 643, 1163, 2153, 3219, 5522],
  "walshaw/t60k.graph": [95, 245, 502, 979, 1633, 2534],
  "walshaw/wing.graph": [940, 1934, 2928, 4563, 6658, 8843],
  "kahip/rgg_n_2_15_s0.graph": [253, 444, 1044, 1645, 2629, 3938],
  "edgelists/luxembourg_osm.mtx": [20, 0, 99, 0, 308, 455],
  "cora/cora.npz": [189, 0, 548, 0, 1008, 1629],
  "citeseer/citeseer.npz": [26, 0, 151, 0, 423, 617],
  "amazon_computers/amazon_computers.npz": [11785, 0, 56261, 0, 106906, 130467],
  "coauthor_cs/coauthor_cs.npz": [3538, 0, 12342, 0, 23338, 27854],
  "blogcatalog/blogcatalog.npz": [97285, 0, 227597, 0, 277514, 295967],
};
export const TABLE_KS = [2, 4, 8, 16, 32, 64];
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
