/** METIS through its program: never linked into the process, where it would install signal handlers. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { definePartitioner } from "./partitioner.ts";

/** Bytes of text per write. */
const PIECE = 2 ** 20;

/** Ascending distinct neighbours of every node, both directions, without self-loops. */
function undirectedRows(graph: Graph): number[][] {
  const { csr, numNodes } = graph;
  const indptr = csr.indptr.window(), indices = csr.indices.window();
  const rows: number[][] = Array.from({ length: numNodes }, () => []);
  for (let v = 0; v < numNodes; v++) {
    for (let e = Number(indptr[v]); e < Number(indptr[v + 1]); e++) {
      const u = Number(indices[e]);
      if (u === v) continue;
      rows[v]!.push(u);
      if (graph.meta.directed) rows[u]!.push(v);
    }
  }
  return rows.map((row) => [...new Set(row)].sort((a, b) => a - b));
}

function writeMetis(path: string, rows: readonly number[][]): void {
  const arcs = rows.reduce((sum, row) => sum + row.length, 0);
  const fd = openSync(path, "w");
  try {
    let text = `${rows.length} ${arcs / 2}\n`;
    for (const row of rows) {
      text += row.map((u) => u + 1).join(" ") + "\n";
      if (text.length > PIECE) {
        writeSync(fd, text);
        text = "";
      }
    }
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

export const metis = definePartitioner({
  name: "metis",
  summary: "METIS k-way through its program gpmetis; edge weights are not passed on",
  source: "Karypis and Kumar 1998, METIS 5",
  partition(graph, { k, imbalance, seed }) {
    if (k === 1) return NativeArray.allocate("I32", graph.numNodes);
    const folder = mkdtempSync(join(tmpdir(), "gust-metis-"));
    try {
      const file = join(folder, "graph");
      writeMetis(file, undirectedRows(graph));
      // gpmetis counts imbalance in thousandths above 1.
      const ufactor = Math.max(1, Math.round((imbalance - 1) * 1000));
      const run = spawnSync("gpmetis", [`-ufactor=${ufactor}`, `-seed=${seed}`, file, String(k)], { encoding: "utf8" });
      if ((run.error as { code?: string } | undefined)?.code === "ENOENT") {
        throw new GustError("unsupported", "gpmetis is not installed", 'install it with "apt-get install metis", or use --method multilevel');
      }
      if (run.status !== 0) {
        const why = (run.stderr || run.stdout || String(run.error)).trim().split("\n").slice(-3).join(" ");
        throw new GustError("io", `gpmetis failed with status ${run.status}: ${why}`);
      }
      const parts = readFileSync(`${file}.part.${k}`, "utf8").trim().split("\n");
      if (parts.length !== graph.numNodes) {
        throw new GustError("data", `gpmetis gave ${parts.length} parts, expected one for each of ${graph.numNodes} nodes`);
      }
      return NativeArray.from(Int32Array.from(parts, Number), "I32");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});
