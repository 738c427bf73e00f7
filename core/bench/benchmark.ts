/** What a benchmark is, and what it reports. */
import { z } from "zod";
import type { Document } from "../format/document.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import type { CacheResult } from "./feature_cache.ts";
import type { Stats } from "./measure.ts";
import type { OutOfCore } from "./outofcore.ts";
import type { PeerResult, PeerSession, PeerUses } from "./peer.ts";
import type { ReorderResult } from "./reorder.ts";
import type { RscResult } from "./rsc.ts";
import type { RscProduct } from "./rsc_products.ts";
import type { TrafficResult } from "./traffic.ts";
import type { VarianceResult } from "./variance.ts";

export const benchDTypes = ["f32", "bf16", "f16", "u8"] as const;
export type BenchDType = (typeof benchDTypes)[number];

/** One line of a report; null where a number does not apply. Rates are of the median. */
export interface BenchResult {
  readonly name: string;
  readonly graph: string | null;
  readonly width: number | null;
  readonly dtype: BenchDType | null;
  readonly median_ms: number;
  readonly min_ms: number;
  readonly gflops: number | null;
  readonly gb_s: number | null;
  /** Fraction of the limit: its shortest time over the shortest one here. 1 for a limit itself. */
  readonly of_roofline: number | null;
  readonly runs: number;
  /** Distance between the quartiles of the times over their median. */
  readonly spread: number;
  /** Of imports: listed edges (millions) and bytes of the file (millions) per second, its bytes, peak memory. */
  readonly medges_s?: number;
  readonly mb_s?: number;
  readonly file_bytes?: number;
  readonly peak_memory_bytes?: number;
  /** Of steps that grow: native bytes that are held for it, what the formula says, and the fitted exponents. */
  readonly held_bytes?: number;
  readonly predicted_bytes?: number;
  readonly time_exponent?: number;
  readonly memory_exponent?: number;
  /** Of rows that are read over the bus: its lines of 128 bytes per row, if reads begin at lines, and at rows. */
  readonly lines_per_row?: number;
  readonly unaligned_lines_per_row?: number;
  /** Of kernels: lines missed in a simulated last-level cache, those of the dense matrix among them; entries whose row
   *  was pinned over all. */
  readonly llc_misses?: number;
  readonly llc_dense_misses?: number;
  readonly pinned_share?: number;
  /** Of traffic: what was counted and modelled. Its times above are those of the count. */
  readonly traffic?: TrafficResult;
  /** Of sampled backward products: what they cost, miss and reach. Its times above are those of an epoch. */
  readonly rsc?: RscResult;
  /** Of one backward product, exact or sampled: what the line is of, and what it gives. */
  readonly rsc_product?: RscProduct;
  /** Of a sampler's batches: how far their gradients are from the exact one. Its times above are those of a step. */
  readonly variance?: VarianceResult;
  /** Of a way to compute a layer's product: how it was predicted, and whether it is chosen. Times are of a step. */
  readonly reorder?: ReorderResult;
  /** Of out-of-core training: what was read and waited for. Its times above are those of a batch. */
  readonly outofcore?: OutOfCore;
  /** Of feature caches: what a policy found. Its times above are those of the policy, per epoch. */
  readonly cache?: CacheResult;
  /** What a reader needs to know of it, said once above the table. */
  readonly notes?: readonly string[];
  /** Other software in turn with ours, where it was asked for. */
  readonly peers?: readonly PeerResult[];
}

export interface BenchContext {
  /** The graph to measure on, and what to call it; opened or generated when first asked for. */
  graph(): { graph: Graph; label: string };
  /** A partition of the graph that was given; null: none was. */
  partition?(): Document | null;
  /** The same graph as a file that another program can open. */
  file(): string;
  /** The peers that were asked for; null where none was. */
  readonly peers: PeerSession | null;
  readonly seed: number;
  /** The words that run gust in a process of its own. */
  readonly program: readonly string[];
}

export interface Benchmark extends Entry {
  readonly params: z.ZodObject;
  /** Scripts that do the same in other software, or why there is none; absent: it is not compared. */
  readonly peers?: PeerUses;
  /** It makes graphs of several sizes, or needs none: none can be given. */
  readonly ownGraphs?: boolean;
  /** Options of `gust generate` for the graph that is made where none is given; absent: no graph is used. */
  generated?(params: Record<string, unknown>): { model: string; params: Record<string, unknown> };
  run(context: BenchContext, params: Record<string, unknown>): Promise<BenchResult[]> | BenchResult[];
}

/** Type helper: `export const spmm = defineBenchmark({...})`. */
export function defineBenchmark<P extends z.ZodObject>(
  entry: Omit<Benchmark, "params" | "generated" | "run"> & {
    params: P;
    generated?: (params: z.infer<P>) => { model: string; params: Record<string, unknown> };
    run: (context: BenchContext, params: z.infer<P>) => Promise<BenchResult[]> | BenchResult[];
  },
): Benchmark {
  return entry as unknown as Benchmark;
}

// ---- options that several benchmarks share ----------------------------------------------------------------------

export const widths = z.array(z.int().min(1).max(65536)).min(1).default([32, 64, 128]).describe(
  "columns of the dense matrix",
);
export const dtypeList = z.array(z.enum(benchDTypes)).min(1).default(["f32"]).describe(
  "how the dense matrix is stored: f32, bf16, f16, or u8 for gather; sums are float32",
);
/** For objects of parameters: products are of floating-point numbers. */
export const noBytes = [
  ({ dtype }: { dtype: readonly BenchDType[] }) => !dtype.includes("u8"),
  { path: ["dtype"] as PropertyKey[], error: "u8 is for bench gather alone" },
] as const;
export const runs = z.int().min(3).max(10000).default(10).describe("timed runs");
const nodes = z.int().min(1).max(2 ** 31 - 1).default(100000).describe("nodes of the generated graph");
const nnz = z.int().min(0).default(2000000).describe("arcs of the generated graph");
export const uniformShape = { nodes, nnz };

/** A uniform random graph of about nnz arcs: what has no locality. */
export function uniformGraph(params: { nodes: number; nnz: number }) {
  return { model: "erdos-renyi", params: { nodes: params.nodes, edges: Math.round(params.nnz / 2) } };
}

// ---- results ----------------------------------------------------------------------------------------------------

/** Where a result stands: what was measured, its times, its work and its limit. */
export interface Measured {
  readonly name: string;
  readonly graph?: string;
  readonly width?: number;
  readonly dtype: BenchDType | null;
  readonly stats: Stats;
  readonly flops?: number;
  readonly bytes?: number;
  /** The limit's times for the same work; "itself" for a limit; absent: none was measured. */
  readonly limit?: Stats | "itself";
  readonly peers?: readonly PeerResult[] | undefined;
}

export function resultOf(
  { name, graph, width, dtype, stats, flops, bytes, limit, peers }: Measured,
): BenchResult {
  const { medianMs, minMs, spread, runs } = stats;
  return {
    name,
    graph: graph ?? null,
    width: width ?? null,
    dtype,
    median_ms: medianMs,
    min_ms: minMs,
    gflops: flops === undefined ? null : flops / medianMs / 1e6,
    gb_s: bytes === undefined ? null : bytes / medianMs / 1e6,
    of_roofline: limit === undefined ? null : limit === "itself" ? 1 : limit.minMs / minMs,
    runs,
    spread,
    ...(peers?.length ? { peers } : {}),
  };
}

/** "spmm width 32 bf16", for messages. */
export function nameOf({ name, width, dtype }: BenchResult): string {
  return [name, width === null ? "" : `width ${width}`, dtype ?? ""].filter((part) => part).join(" ");
}
