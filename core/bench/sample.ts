/** Sampling alone, as `gust sample` draws a pass over all nodes, without writing it. */
import { z } from "zod";
import { GustError } from "../errors.ts";
import { samplers } from "../sampling/mod.ts";
import { CHUNK_BYTES } from "../sampling/sample.ts";
import { defineBenchmark, resultOf, runs, uniformGraph, uniformShape } from "./benchmark.ts";
import { type Subject, timeOf } from "./measure.ts";
import { inTurns, type Player } from "./turns.ts";

export const fanout = z.array(z.int().min(-1).max(65536)).min(1).max(64).default([15, 10]).describe(
  "in-neighbours per layer, last layer first; -1 = all",
);
export const batchSize = z.int().min(1).default(1024).describe("seeds per batch");

/** Samplers that draw, from a graph alone. */
const drawing = [...samplers].filter(({ name, needsPartition, isAdaptive }) =>
  name !== "full" && !needsPartition && !isAdaptive
);

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
  async run({ graph: open, seed, peers }, { method, fanout, batchSize, runs }) {
    if (peers && method !== "neighbor") {
      throw new GustError("usage", `--method ${method}: other software is measured with neighbor alone`);
    }
    const { graph, label } = open(), sampler = samplers.get(method);
    const asked = Object.entries({ fanout, batchSize, split: "all" });
    const known = asked.filter(([key]) => key in sampler.params!.shape);
    const params = sampler.params!.parse(Object.fromEntries(known)) as Record<string, unknown>;
    let pass = 0, arcs = 0;
    const passes: Subject = {
      run(repeat) {
        for (let r = 0; r < repeat; r++) {
          const input = { graph, partition: null, seed: seed + pass++ };
          for (const part of sampler.parts(input, params, { chunkBytes: CHUNK_BYTES, reuse: true })) {
            arcs += part.numArcs;
          }
        }
      },
    };
    const ours: Player = {
      turn(repeat) {
        arcs = 0;
        const ms = timeOf(passes, repeat);
        return { ms, per_million: repeat * ms / Math.max(arcs / 1e6, 1e-6) };
      },
    };
    const compared = await peers?.compare(ours, { fanout, batchSize }, runs);
    const stats = (compared?.ours ?? (await inTurns([ours], runs))[0]!)["per_million"]!;
    const rest = { name: `sample_${method.replace("-", "_")}`, graph: label, dtype: null, stats };
    return [{
      ...resultOf({ ...rest, peers: compared?.results("per_million") }),
      medges_s: 1000 / stats.medianMs,
      ...(method === "saint-walk"
        ? { notes: ["sample_saint_walk draws the subgraphs it counts ahead as well"] }
        : {}),
    }];
  },
});
