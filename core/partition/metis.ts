/** METIS through its program: never linked into the process, where it would install signal handlers. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { levelParts, readMetisParts, writeMetisGraph } from "../../ffi/native_partition.ts";
import { GustError } from "../errors.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import { definePartitioner } from "./partitioner.ts";

const INSTALL = 'install it with "apt-get install metis", or use --method multilevel';

/** Run gpmetis on a .graph file; it writes FILE.part.K beside it. */
function runMetis(file: string, k: number, imbalance: number, seed: number): void {
  // gpmetis counts imbalance in thousandths above 1.
  const ufactor = Math.max(1, Math.round((imbalance - 1) * 1000));
  const args = [`-ufactor=${ufactor}`, `-seed=${seed % 2 ** 31}`, file, String(k)];
  const { error, status, signal, stdout, stderr } = spawnSync("gpmetis", args, { encoding: "utf8" });
  if ((error as { code?: string } | undefined)?.code === "ENOENT") {
    throw new GustError("unsupported", "Cannot run gpmetis: there is no such program on PATH", INSTALL);
  }
  if (error || status !== 0) {
    const said = `${stdout ?? ""}\n${stderr ?? ""}`.split("\n").map((line) => line.trim()).filter((line) =>
      line
    );
    const why = error?.message ?? (said.slice(-2).join(" ") || "it gave no reason");
    throw new GustError("io", `gpmetis failed with ${signal ?? `status ${status}`}: ${why}`);
  }
}

/** The parts that gpmetis has written beside a .graph file. */
function readParts(file: string, n: number, k: number): NativeArray<"I32"> {
  try {
    return readMetisParts(`${file}.part.${k}`, n, k);
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    throw new GustError(
      "io",
      `gpmetis ended well but wrote no partition that fits: ${error.message}`,
      INSTALL,
    );
  }
}

export const metis = definePartitioner({
  name: "metis",
  summary: "METIS k-way through its program gpmetis; parts that it leaves too heavy are levelled",
  source: "Karypis and Kumar 1998, METIS 5",
  partition({ csr, meta }, { k, imbalance, seed }) {
    if (k === 1) return NativeArray.allocate("I32", csr.numRows);
    const folder = new TemporaryFolder("gust-metis-");
    try {
      const file = join(folder.path, "graph");
      const edges = writeMetisGraph(csr, meta.directed, file);
      if (edges > 0) runMetis(file, k, imbalance, seed);
      // METIS refuses graphs without edges: any level parts are as good.
      const part = edges > 0 ? readParts(file, csr.numRows, k) : NativeArray.allocate("I32", csr.numRows);
      levelParts(csr, meta.directed, part, k, imbalance);
      return part;
    } finally {
      folder.close();
    }
  },
});
