/**
 * Cluster-GCN in whole processes of `gust train --sampler cluster`: epochs without scoring, and one exact scoring at the
 * end. Peers train the same model (two layers of a GCN) on batches of the same parts in their own loaders.
 */
import { join } from "node:path";
import { z } from "zod";
import { describeNative } from "../../ffi/native.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import { defineBenchmark, resultOf } from "./benchmark.ts";
import { partitionFile, parts, partsPerBatch } from "./parts.ts";
import { trainOnce } from "./train.ts";
import { inTurns } from "./turns.ts";

export const cluster = defineBenchmark({
  name: "cluster",
  summary:
    "Cluster-GCN as whole processes: an epoch over batches of parts, and the peak memory with exact scoring",
  source: "Chiang et al. 2019, arXiv:1905.07953, algorithm 1",
  params: z.object({
    parts,
    partsPerBatch,
    hidden: z.int().min(1).default(64).describe("width of the hidden layer"),
    epochs: z.int().min(3).max(100000).default(10).describe("epochs of each process"),
    runs: z.int().min(3).max(10000).default(3).describe("timed runs"),
  }).strict(),
  peers: {
    pyg: { script: "cluster_pyg.py" },
    dgl: { script: "cluster_dgl.py" },
    torch: { without: "it makes no batches of graphs" },
    triton: { without: "it is compared in spmm alone" },
  },
  generated: () => ({
    model: "sbm",
    params: { nodes: 20_000, degree: 10, communities: 50, closeness: 0.6, trainPerClass: 200 },
  }),
  async run(context, { parts, partsPerBatch, hidden, epochs, runs }) {
    const { graph, label } = context.graph(), { threads, device } = describeNative();
    const temporary = new TemporaryFolder("gust-bench-"), folder = temporary.path;
    const report = join(folder, "report.json");
    try {
      const file = await partitionFile(context, folder, parts);
      const words = [
        ...[...context.program, "train", context.file(), file, "--sampler", "cluster", "--model", "gcn"],
        ...[
          "--parts-per-batch",
          String(partsPerBatch),
          "--hidden",
          String(hidden),
          "--epochs",
          String(epochs),
        ],
        ...["--eval-every", String(epochs), "--inference", "layerwise", "--seed", String(context.seed)],
        ...["--split", graph.numSplits > 0 ? "file" : "random", "-@", String(threads), "--device", device],
        ...["-q", "-o", join(folder, "model"), "--force", `--json=${report}`],
      ];
      const ours = { isProcess: true, turn: () => trainOnce(words, report, threads) };
      const compared = await context.peers?.compare(
        ours,
        { hidden, epochs, parts: file, partsPerBatch },
        runs,
      );
      const stats = compared?.ours ?? (await inTurns([ours], runs))[0]!;
      const line = (value: string, name: string) =>
        resultOf({
          name: `cluster_${name}`,
          graph: label,
          width: hidden,
          dtype: "f32",
          stats: stats[value]!,
          peers: compared?.results(value),
        });
      return [
        line("epoch", "epoch"),
        { ...line("process", "process"), peak_memory_bytes: stats["bytes"]!.medianMs },
      ];
    } finally {
      temporary.close();
    }
  },
});
