/** Sampling alone, as `gust sample` draws a pass over all nodes, without writing it. */
import { rmSync } from "node:fs";
import { z } from "zod";
import { finishDevice } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { openFile } from "../format/read.ts";
import { temporaryFolder } from "../format/temporary.ts";
import { samplers } from "../sampling/mod.ts";
import { CHUNK_BYTES } from "../sampling/sample.ts";
import { defineBenchmark, resultOf, runs, uniformGraph, uniformShape } from "./benchmark.ts";
import { partitionFile, parts, partsPerBatch } from "./parts.ts";
import type { PeerName } from "./peer.ts";
import { inTurns, type Player } from "./turns.ts";

export const fanout = z.array(z.int().min(-1).max(65536)).min(1).max(64).default([15, 10]).describe(
  "in-neighbours per layer, last layer first; -1 = all",
);
export const batchSize = z.int().min(1).default(1024).describe("seeds per batch");

/** Samplers that draw, and go by no more than the graph and parts of it. */
const drawing = [...samplers].filter(({ name, isAdaptive }) => name !== "full" && !isAdaptive);

/** What a sampler calls the size of its batches: seeds, or what they are drawn by. */
const SIZES = ["batchSize", "nodesPerBatch", "edgesPerBatch", "roots"];

/** Other software that draws such batches. */
const PEERS: Readonly<Record<string, readonly PeerName[]>> = {
  neighbor: ["dgl", "pyg"],
  labor: ["dgl"],
  cluster: ["dgl", "pyg"],
  "saint-node": ["dgl", "pyg"],
  "saint-edge": ["dgl", "pyg"],
  "saint-walk": ["dgl", "pyg"],
};

export const sample = defineBenchmark({
  name: "sample",
  summary: "sampling of all nodes in batches: milliseconds per million sampled edges",
  source: "gust",
  params: z.object({
    method: z.enum(drawing.map(({ name }) => name)).default("neighbor").describe(
      "how batches are drawn; of what is not an option here, with the sampler's defaults",
    ),
    fanout,
    batchSize,
    parts,
    partsPerBatch,
    runs,
    ...uniformShape,
  }).strict(),
  peers: {
    dgl: { script: "sample_dgl.py" },
    torch: { without: "it samples no neighbours" },
    pyg: { script: "sample_pyg.py" },
    triton: { without: "it is compared in spmm alone" },
  },
  generated: uniformGraph,
  async run(context, { method, fanout, batchSize, parts, partsPerBatch, runs }) {
    const { seed, peers } = context;
    const unfit = (peers?.names ?? []).filter((name) => !PEERS[method]?.includes(name));
    if (unfit.length) {
      const who = Object.keys(PEERS).filter((name) => unfit.every((peer) => PEERS[name]!.includes(peer)));
      throw new GustError(
        "usage",
        `--method ${method} --peer ${unfit}: it has no such sampler, expected ${who.join(", ")}`,
      );
    }
    const { graph, label } = context.graph(), sampler = samplers.get(method);
    const sizes = Object.fromEntries(SIZES.map((key) => [key, batchSize]));
    const asked = Object.entries({ fanout, ...sizes, partsPerBatch, split: "all" });
    const known = asked.filter(([key]) => key in sampler.params!.shape);
    const params = sampler.params!.parse(Object.fromEntries(known)) as Record<string, unknown>;
    const folder = sampler.needsPartition ? temporaryFolder() : null;
    try {
      const file = folder && await partitionFile(context, folder, parts);
      const partition = file ? openFile(file) : null;
      let pass = 0, arcs = 0;
      const ours: Player = {
        turn(repeat) {
          const passes = Array.from(
            { length: repeat },
            () =>
              sampler.parts({ graph, partition, seed: seed + pass++ }, params, {
                chunkBytes: CHUNK_BYTES,
                reuse: true,
              }),
          );
          arcs = 0;
          const start = performance.now();
          for (const parts of passes) for (const { numArcs } of parts) arcs += numArcs;
          finishDevice();
          const ms = performance.now() - start;
          return { ms, per_million: repeat * ms / Math.max(arcs / 1e6, 1e-6) };
        },
      };
      const rest = file ? { parts: file, partsPerBatch } : {};
      const compared = await peers?.compare(ours, { method, fanout, batchSize, ...rest }, runs);
      const stats = (compared?.ours ?? (await inTurns([ours], runs))[0]!)["per_million"]!;
      const named = { name: `sample_${method.replace("-", "_")}`, graph: label, dtype: null, stats };
      return [{
        ...resultOf({ ...named, peers: compared?.results("per_million") }),
        medges_s: 1000 / stats.medianMs,
      }];
    } finally {
      if (folder) rmSync(folder, { recursive: true, force: true });
    }
  },
});
