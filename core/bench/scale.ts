/**
 * How time and memory grow: a sparse product, a training epoch and a pass of neighbour sampling, while the edges between
 * the same nodes double, and while the width does. With the nodes the matrix stays as large, so that caches serve every
 * size alike; widths begin where the matrix is past the last-level cache. Each size is a process of its own. Exponents
 * are fitted to all sizes. Memory is what the native library holds for the step, graph included, and beside it stands
 * what the formula says.
 */
import { z } from "zod";
import { Engine } from "../../ffi/engine.ts";
import { currentDevice, describeNative, finishDevice } from "../../ffi/native.ts";
import { reductions } from "../../ffi/ops.ts";
import type { Graph } from "../graph/graph.ts";
import { neighbor } from "../sampling/neighbor.ts";
import { GROUP_BYTES } from "../sampling/assemble.ts";
import { CHUNK_BYTES } from "../sampling/sample.ts";
import { exponentOf } from "../statistics/fit.ts";
import { type BenchContext, type BenchResult, defineBenchmark, resultOf } from "./benchmark.ts";
import { heldNow, measure, type Stats, statsOf } from "./measure.ts";
import { runProcess } from "./process.ts";
import { randomTensor, recorded } from "./spmm.ts";
import { epochTimes } from "./train.ts";

const FEATURES = 32;
const CLASSES = 8;
const FANOUT = [5, 5];
const BATCH = 1024;
/** Epochs that record the step and warm the caches. */
const WARM_UP = 2;
/** The first block that a run takes from the system for small tensors, whatever the graph. */
const ARENA_BYTES = 8 * 2 ** 20;
/** Exponents that far from 1 are called linear. */
const LINEAR_WITHIN = 0.1;

const params = z.object({
  nodes: z.int().min(2).max(2 ** 31 - 1).default(2 ** 18).describe("nodes of the graphs"),
  nnz: z.int().min(2).default(2 ** 23).describe("arcs of the smallest graph"),
  hidden: z.int().min(1).default(64).describe("smallest width of dense matrices and hidden layers"),
  doublings: z.int().min(0).max(20).default(5).describe(
    "times that each is doubled; 0 = the smallest size alone",
  ),
  runs: z.int().min(3).max(10000).default(3).describe("timed runs"),
}).strict();
type Params = z.infer<typeof params>;

/** What one step took and held, and what it is expected to hold. */
interface Point {
  readonly name: string;
  readonly stats: Stats;
  readonly heldBytes: number;
  readonly predictedBytes: number;
}

/** A x with a weight per arc. Holds the weights, x and the product. */
function product({ csr, numNodes: n }: Graph, seed: number, width: number, runs: number): Point {
  const held = heldNow();
  const engine = new Engine(), arena = engine.arena();
  engine.setStep(seed, 0, 0);
  const args = {
    indptr: arena.bind(csr.indptr),
    indices: arena.bind(csr.indices),
    values: randomTensor(engine, arena, [csr.indices.length, 1], 1),
    x: randomTensor(engine, arena, [n, width], 0),
    out: arena.tensor("F32", [n, width]),
    reduce: reductions.sum,
  };
  const [stats] = measure([recorded(engine, () => engine.run("spmm", args))], runs);
  const heldBytes = heldNow() - held;
  engine.destroy();
  return {
    name: "spmm",
    stats: stats!,
    heldBytes,
    predictedBytes: 4 * csr.indices.length + 8 * n * width,
  };
}

/**
 * Epochs of a GCN with scoring. Holds at most the features that dropout left, three matrices of the hidden width and
 * four of the classes, and the degrees with one number per node for the loss.
 */
async function epoch(graph: Graph, seed: number, hidden: number, runs: number): Promise<Point> {
  const options = { model: "gcn", hidden, epochs: runs };
  const { stats, heldBytes } = await epochTimes(graph, seed, options, WARM_UP);
  const columns = FEATURES + 3 * hidden + 4 * CLASSES + 2;
  return { name: "train", stats, heldBytes, predictedBytes: 4 * graph.numNodes * columns + ARENA_BYTES };
}

/** A pass over all nodes. Holds the seeds, a chunk of batches and a group that is being drawn, both bounded. */
function pass(graph: Graph, seed: number, runs: number): Point {
  const held = heldNow();
  const options = { fanout: FANOUT, batchSize: BATCH, epochs: 1, split: "all", splitIndex: 0 };
  let most = 0;
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const input = { graph, partition: null, seed: seed + run };
    const start = performance.now();
    for (const _ of neighbor.parts(input, options, { chunkBytes: CHUNK_BYTES, reuse: true })) {
      most = Math.max(most, heldNow() - held);
    }
    finishDevice();
    times.push(performance.now() - start);
  }
  const predictedBytes = 8 * graph.numNodes + CHUNK_BYTES + GROUP_BYTES;
  return { name: "sample", stats: statsOf(times), heldBytes: most, predictedBytes };
}

/** The steps at one size, in this process; sampling last, as its buffers are freed when they are collected. */
async function pointsOf(
  { graph: open, seed }: BenchContext,
  { hidden, runs }: Params,
): Promise<BenchResult[]> {
  const { graph, label } = open();
  const topology = 8 * (graph.numNodes + 1) + 4 * graph.numEdges;
  const copies = currentDevice().kind === "cpu" ? 0 : 1;
  const points = [
    await epoch(graph, seed, hidden, runs),
    product(graph, seed, hidden, runs),
    pass(graph, seed, runs),
  ];
  return points.map(({ name, stats, heldBytes, predictedBytes }) => ({
    ...resultOf({ name, graph: label, width: name === "sample" ? undefined : hidden, dtype: "f32", stats }),
    held_bytes: topology + heldBytes,
    predicted_bytes: (1 + copies) * topology + predictedBytes,
  }));
}

/** The steps at one size, in a process of its own: what one size leaves behind does not count in the next. */
async function sizeOf(
  { program, seed }: BenchContext,
  size: Omit<Params, "doublings">,
): Promise<BenchResult[]> {
  const { threads, device } = describeNative();
  const options = Object.entries({ ...size, doublings: 0, seed, threads, device }).flatMap((
    [name, value],
  ) => [
    `--${name}`,
    String(value),
  ]);
  const words = [...program, "bench", "scale", ...options, "--json", "-q"];
  const { stdout } = await runProcess("gust bench scale", words, threads);
  return (JSON.parse(stdout) as { results: BenchResult[] }).results;
}

/** The lines of one step over all sizes; the last one has the exponents. */
export function fitted(name: string, sizes: readonly number[], lines: readonly BenchResult[]): BenchResult[] {
  const exponents = {
    time_exponent: exponentOf(sizes, lines.map(({ median_ms }) => median_ms)),
    memory_exponent: exponentOf(sizes, lines.map(({ held_bytes }) => held_bytes!)),
  };
  return lines.map((line, i) => ({ ...line, name, ...(i === lines.length - 1 ? exponents : {}) }));
}

/** "linear" within a tenth of 1. */
export function growth(exponent: number): string {
  if (Math.abs(exponent - 1) <= LINEAR_WITHIN) return "linear";
  return exponent < 1 ? "below linear" : "above linear";
}

export const scale = defineBenchmark({
  name: "scale",
  summary: "how time and memory grow with edges and width",
  source: "gust",
  params,
  ownGraphs: true,
  generated: ({ nodes, nnz }) => ({
    model: "erdos-renyi",
    params: { nodes, edges: Math.round(nnz / 2), classes: CLASSES, features: FEATURES },
  }),
  async run(context, options) {
    const { nodes, nnz, hidden, doublings, runs } = options;
    if (doublings === 0) return pointsOf(context, options);
    const factors = Array.from({ length: doublings + 1 }, (_, i) => 2 ** i);
    const byEdges: BenchResult[][] = [], byWidth: BenchResult[][] = [];
    for (const f of factors) {
      byEdges.push(await sizeOf(context, { nodes, nnz: nnz * f, hidden, runs }));
    }
    for (const f of factors) {
      byWidth.push(await sizeOf(context, { nodes, nnz, hidden: hidden * f, runs }));
    }
    const step = (points: readonly BenchResult[][], name: string) =>
      points.map((lines) => lines.find((line) => line.name === name)!);
    return [
      ...["spmm", "train", "sample"].map((name) => fitted(`${name} by edges`, factors, step(byEdges, name))),
      ...["spmm", "train"].map((name) => fitted(`${name} by width`, factors, step(byWidth, name))),
    ].flat();
  },
});
