/** Sampling alone, as `gust sample` draws a pass over all nodes, without writing it. */
import { z } from "zod";
import { finishDevice } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { openFile } from "../format/read.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import { samplers } from "../sampling/mod.ts";
import { drawnBy } from "../sampling/saint_node.ts";
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

/** Passes that are planned together. */
const EPOCHS = 256;

/** The items of `make(0)`, `make(1)`, ...: there is always a next one. */
function* endless<T>(make: (round: number) => Iterable<T>): Generator<T, never> {
  for (let round = 0;; round++) yield* make(round);
}

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
    drawnBy,
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
  async run(context, { method, fanout, batchSize, parts, partsPerBatch, drawnBy, runs }) {
    const { seed, peers } = context;
    const unfit = (peers?.names ?? []).filter((name) => !PEERS[method]?.includes(name));
    if (unfit.length) {
      const who = Object.keys(PEERS).filter((name) => unfit.every((peer) => PEERS[name]!.includes(peer)));
      throw new GustError(
        "usage",
        `--method ${method} --peer ${unfit}: it has no such sampler, expected ${who.join(", ")}`,
      );
    }
    if (peers && method === "saint-node" && drawnBy !== "degrees") {
      throw new GustError(
        "usage",
        `--peer: others draw nodes by their degrees alone, expected --drawn-by degrees`,
      );
    }
    const { graph, label } = context.graph(), sampler = samplers.get(method);
    const sizes = Object.fromEntries(SIZES.map((key) => [key, batchSize]));
    // What is counted before the first batch is not timed, and weights by few counts take as long as by many.
    const asked = Object.entries({ fanout, ...sizes, partsPerBatch, drawnBy, coverage: 1, split: "all" });
    const known = asked.filter(([key]) => key in sampler.params!.shape);
    const params = sampler.params!.parse(Object.fromEntries(known)) as Record<string, unknown>;
    const temporary = sampler.needsPartition ? new TemporaryFolder("gust-bench-") : null;
    try {
      const file = temporary && await partitionFile(context, temporary.path, parts);
      const partition = file ? openFile(file) : null;
      const drawn = (epochs: number, seed: number) =>
        sampler.parts({ graph, partition, seed }, { ...params, epochs }, {
          chunkBytes: CHUNK_BYTES,
          reuse: true,
        });
      let batches = 0;
      for (const { numBatches } of drawn(1, seed)) batches += numBatches;
      // Pass after pass, as training draws them: what was prepared for the first one serves all.
      const passes = endless((round) => drawn(EPOCHS, seed + round));
      const ours: Player = {
        turn(repeat) {
          let left = repeat * batches, arcs = 0, done = 0;
          const start = performance.now();
          while (left > 0) {
            const { numBatches, numArcs } = passes.next().value;
            left -= numBatches;
            done += numBatches;
            arcs += numArcs;
          }
          finishDevice();
          const elapsed = performance.now() - start;
          // Parts do not end with passes: the last one may have begun another.
          const ms = elapsed * repeat * batches / done;
          return { ms, per_million: repeat * elapsed / Math.max(arcs / 1e6, 1e-6) };
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
      temporary?.close();
    }
  },
});
