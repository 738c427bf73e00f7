/**
 * gust partition --objective volume beside gpmetis -objtype=vol, on the real graphs of partition_graphs.ts:
 *
 *     bun test/peers/partition_volume.ts [K,...] [GRAPH,...]      (default: 8,32 and all)
 *
 * Per graph and k: the communication volume of both, of our parts by cut (the same seed) and of gpmetis's by cut, all
 * counted by gust, with the time of each, ours from arrays in memory to parts, gpmetis's as it reports it. The last lines
 * give geometric means of ratios. GUST_DATA names the folder of real graphs.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openFile } from "../../core/format/read.ts";
import { Graph } from "../../core/graph/graph.ts";
import { type NativeArray, openNative } from "../../ffi/native.ts";
import {
  efforts,
  objectives,
  partitionMultilevel,
  partitionStatistics,
  readMetisParts,
  writeMetisGraph,
} from "../../ffi/native_partition.ts";
import { dataPath, gustOk } from "../helpers.ts";
import { METIS_CUTS } from "./partition_graphs.ts";

const IMBALANCE = 1.03;
const ks = (process.argv[2] ?? "8,32").split(",").map(Number);
const only = process.argv[3]?.split(",");
const nameOf = (file: string) => file.replace(/.*\//, "").replace(/\..*/, "");
const geometric = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

interface Made {
  readonly volume: number;
  readonly ms: number;
}

type Way = (graph: Graph, k: number, file: string) => { part: NativeArray<"I32">; ms: number };

const ours =
  (objective: (typeof objectives)[number], effort: (typeof efforts)[number]): Way => (graph, k) => {
    const start = performance.now();
    const part = partitionMultilevel(graph.csr, graph.meta.directed, k, {
      imbalance: IMBALANCE,
      effort,
      scheme: "kway",
      objective,
      seed: 0,
    });
    return { part, ms: performance.now() - start };
  };

const metis = (type: "cut" | "vol"): Way => (graph, k, file) => {
  const { error, stdout } = spawnSync("gpmetis", [`-objtype=${type}`, file, String(k)], { encoding: "utf8" });
  if (error) throw new Error('Cannot run gpmetis: install it with "apt-get install metis"', { cause: error });
  const seconds = /Partitioning:\s+([\d.]+) sec/.exec(stdout);
  if (!seconds) throw new Error(`gpmetis ${file} ${k} said:\n${stdout}`);
  return { part: readMetisParts(`${file}.part.${k}`, graph.numNodes, k), ms: 1000 * Number(seconds[1]) };
};

const ways: Readonly<Record<string, Way>> = {
  "gpmetis vol": metis("vol"),
  "gpmetis cut": metis("cut"),
  cut: ours("cut", "default"),
  volume: ours("volume", "default"),
  "best cut": ours("cut", "best"),
  "best vol": ours("volume", "best"),
};
const names = Object.keys(ways);

await openNative();
const rows: { k: number; made: Record<string, Made> }[] = [];
const folder = mkdtempSync(join(tmpdir(), "gust-peers-"));
const line = (cells: readonly string[]) =>
  console.log(cells.map((cell, i) => i === 0 ? cell.padEnd(18) : cell.padStart(i === 1 ? 3 : 11)).join(" "));
line(["graph", "k", ...names, "ratio", ...names.map((name) => `${name} ms`)]);
try {
  for (const file of Object.keys(METIS_CUTS)) {
    const name = nameOf(file);
    if (only && !only.includes(name)) continue;
    gustOk(
      ["import", dataPath(file), "--symmetrize", "--remove-self-loops", "-o", "graph", "--force"],
      { cwd: folder },
    );
    const graph = new Graph(openFile(join(folder, "graph"))), { csr, meta: { directed } } = graph;
    const metisFile = join(folder, name);
    writeMetisGraph(csr, directed, metisFile);
    for (const k of ks) {
      const made = Object.fromEntries(names.map((way): [string, Made] => {
        const { part, ms } = ways[way]!(graph, k, metisFile);
        return [way, { volume: partitionStatistics(csr, directed, part, k).halo, ms }];
      }));
      rows.push({ k, made });
      line([
        name,
        String(k),
        ...names.map((way) => String(made[way]!.volume)),
        (made["volume"]!.volume / made["gpmetis vol"]!.volume).toFixed(3),
        ...names.map((way) => made[way]!.ms.toFixed(0)),
      ]);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (
  const [way, over] of [["volume", "gpmetis vol"], ["best vol", "gpmetis vol"], ["volume", "cut"]] as const
) {
  const ratios = (what: keyof Made) =>
    rows.map(({ made }) => Math.max(1, made[way]![what]) / Math.max(1, made[over]![what]));
  const volumes = ratios("volume");
  console.log(
    `${way} over ${over}, geometric means of ${rows.length}: volume ${geometric(volumes).toFixed(3)} ` +
      `(worst ${Math.max(...volumes).toFixed(3)}), time ${geometric(ratios("ms")).toFixed(2)}`,
  );
}
