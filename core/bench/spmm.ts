/** Sparse x dense, held against reading the same rows. */
import { z } from "zod";
import { dtypes } from "../../ffi/dtype.ts";
import {
  type Arena,
  Engine,
  type OpArgs,
  type Program,
  streamId,
  type TensorHandle,
} from "../../ffi/engine.ts";
import { pinRules } from "../../ffi/native_traffic.ts";
import { reductions } from "../../ffi/ops.ts";
import { checkArcs } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import {
  type BenchDType,
  type BenchResult,
  defineBenchmark,
  dtypeList,
  noBytes,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
  widths,
} from "./benchmark.ts";
import { rowGatherLimit } from "./limits.ts";
import { measureAgainst, type Subject } from "./measure.ts";
import type { PeerSession } from "./peer.ts";
import { benchKernels, checkKernels, type KernelOptions, kernels } from "./spmm_kernels.ts";
import { playerOf } from "./turns.ts";

export const storedDTypes = { f32: "F32", bf16: "BF16", f16: "F16", u8: "U8" } as const;
const weightKinds = ["values", "none", "norm"] as const;
type Weights = (typeof weightKinds)[number];

/** Ops as one recorded program, so that what is timed is native code and not the calls. */
export function recorded(engine: Engine, body: () => void): Subject {
  const programs = new Map<number, Program>();
  return {
    run(repeat) {
      let program = programs.get(repeat);
      if (!program) {
        program = engine.record(() => {
          for (let r = 0; r < repeat; r++) body();
        });
        programs.clear();
        programs.set(repeat, program);
        // A GPU makes a graph of what it has seen before: that is no part of what is timed.
        if (engine.isRemote) { for (let again = 0; again < 2; again++) program.replay(); }
      } else program.replay();
    },
  };
}

/** Uniform numbers in -1 .. 1. */
export function randomTensor(
  engine: Engine,
  arena: Arena,
  shape: readonly number[],
  layer: number,
): TensorHandle {
  const out = arena.tensor("F32", shape);
  engine.run("uniform", { out, low: -1, high: 1, stream: streamId("bench"), layer });
  return out;
}

function storedAs(engine: Engine, arena: Arena, x: TensorHandle, dtype: BenchDType): TensorHandle {
  if (dtype === "f32") return x;
  const out = arena.tensor(storedDTypes[dtype], [x.rows, x.cols]);
  engine.run("cast", { x, out });
  return out;
}

/** The factors of the product: a value per entry, nothing, or the two scales of a normalised adjacency. */
function factors(engine: Engine, arena: Arena, graph: Graph, weights: Weights): Partial<OpArgs<"spmm">> {
  const { csr, numNodes } = graph;
  if (weights === "none") return {};
  if (weights === "norm") {
    const scale = randomTensor(engine, arena, [numNodes], 1);
    return { left: scale, right: scale, diagonal: scale };
  }
  if (csr.values?.dtype === "F32") return { values: arena.bind(csr.values) };
  return { values: randomTensor(engine, arena, [csr.indices.length, 1], 1) };
}

export interface SpmmOptions {
  readonly width: readonly number[];
  readonly dtype: readonly BenchDType[];
  readonly weights: Weights;
  readonly runs: number;
  /** Report the limits as results of their own too. */
  readonly withLimits?: boolean;
  /** Other software to measure in turn with ours; its dense matrix is float32 whatever ours is stored as. */
  readonly peers?: PeerSession | null;
  /** Time these kernels in turn instead of the product and its limit. */
  readonly kernels?: KernelOptions | null;
}

/** Time A @ x for every width and stored type of x. */
export async function benchSpmm(
  graph: Graph,
  label: string,
  seed: number,
  options: SpmmOptions,
): Promise<BenchResult[]> {
  checkArcs(graph);
  const { csr, numNodes: n } = graph;
  const engine = new Engine();
  engine.setStep(seed, 0, 0);
  const results: BenchResult[] = [];
  const kept = engine.arena(), arena = engine.arena();
  const fixed = {
    indptr: kept.bind(csr.indptr),
    indices: kept.bind(csr.indices),
    ...factors(engine, kept, graph, options.weights),
    reduce: reductions.sum,
  };
  const name = options.weights === "values" ? "spmm" : `spmm_${options.weights}`;
  for (const width of options.width) {
    for (const dtype of options.dtype) {
      const x = storedAs(engine, arena, randomTensor(engine, arena, [n, width], 0), dtype);
      const out = arena.tensor("F32", [n, width]);
      const product = recorded(engine, () => engine.run("spmm", { ...fixed, x, out }));
      if (options.kernels) {
        results.push(
          ...benchKernels(graph, label, name, { factors: fixed, x, out, product }, options.kernels),
        );
        arena.reset();
        continue;
      }
      const rows = rowGatherLimit(csr, width * dtypes[storedDTypes[dtype]].size);
      const { stats, limit } = measureAgainst(product, rows, options.runs);
      const what = { graph: label, width, dtype, bytes: rows.bytes! };
      const { weights, runs } = options;
      const compared = await options.peers?.compare(playerOf(product), { width, weights }, runs);
      const peers = compared?.results("ms");
      if (options.withLimits) {
        results.push(resultOf({ ...what, name: "row_gather", stats: limit, limit: "itself" }));
      }
      results.push(
        resultOf({ ...what, name, stats, flops: 2 * csr.indices.length * width, limit, peers }),
      );
      arena.reset();
    }
  }
  engine.destroy();
  return results;
}

export const spmm = defineBenchmark({
  name: "spmm",
  summary: "sparse x dense, as a fraction of reading the same rows in the same order",
  source: "gust",
  params: z.object({
    width: widths,
    dtype: dtypeList,
    weights: z.enum(weightKinds).default("values").describe(
      "a value per arc, none, or the scales and diagonal of a normalised adjacency",
    ),
    kernel: z.array(z.enum(kernels)).min(1).optional().describe(
      "time kernels in turn, without a limit: product = as models multiply, in tiles of columns where x is large; " +
        "rowwise = whole rows of x; pinned = row by row, with the rows that a part uses most copied side by side",
    ),
    pin: z.enum(pinRules).default("columns").describe(
      "rows that a part pins: columns = most used in its rows, twice or more; members = of its own, most used at all",
    ),
    pinPerPart: z.int().min(0).optional().describe("rows that each part pins; by default what 512 KiB hold"),
    parts: z.int().min(1).optional().describe(
      "ranges of rows as parts; by default the graph's (gust partition --apply), else one per two pinned rows",
    ),
    misses: z.boolean().default(false).describe(
      "count what rowwise and pinned miss in a simulated last-level cache: some ten seconds per 10^9 lines",
    ),
    llcBytes: z.int().min(1024).optional().describe("bytes of that cache; by default of the machine's"),
    runs,
    ...uniformShape,
  }).strict().refine(...noBytes),
  peers: {
    torch: { script: "spmm_torch.py" },
    dgl: { script: "spmm_dgl.py" },
    pyg: { without: "its sparse products are those of torch" },
    triton: { script: "spmm_triton.py" },
  },
  generated: uniformGraph,
  run(context, params) {
    const { kernel, dtype } = params;
    if (kernel) {
      checkKernels({ dtype, isPeered: context.peers !== null, partition: context.partition?.() ?? null });
    }
    const { graph, label } = context.graph(), chosen = kernel ? { ...params, kernel } : null;
    return benchSpmm(graph, label, context.seed, { ...params, peers: context.peers, kernels: chosen });
  },
});
