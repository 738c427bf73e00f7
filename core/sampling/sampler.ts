/** What a sampler is: batches of seeds in an order, and how a batch grows into blocks. */
import type { z } from "zod";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import type { NativeBatches } from "../../ffi/native_sample.ts";
import type { FlatSubgraphs } from "../../ffi/native_walks.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import { type Part, type PartOptions, partsOf } from "./assemble.ts";

/** What batches are drawn from. */
export interface SampleInput {
  readonly graph: Graph;
  /** A partition of this graph, where the sampler needs one and the graph is not stored part by part. */
  readonly partition: Document | null;
  readonly seed: number;
  /** The training nodes, where they are not those of a stored split: what is drawn from, or the seeds. */
  readonly trainNodes?: BigInt64Array;
  /** [num_nodes] what an adaptive sampler draws by. */
  readonly scores?: Float64Array;
}

/** The seeds of an epoch: batch b has nodes[ptr[b] .. ptr[b+1]). */
export interface EpochSeeds {
  readonly nodes: NativeArray<"I64">;
  readonly ptr: readonly number[];
}

/**
 * What nodes and arcs of square subgraphs count, so that sums over a subgraph stand for the whole graph: a node 1 / P(v) in
 * the loss, an arc P(v) / P(u and v) in the row of v, P being the probability that a batch has them.
 */
export interface BatchWeights {
  /** Whether it reads the arcs' numbers in the graph, which the plan's batches have then. */
  readonly readsEdges: boolean;
  /** `arcWeight` is there where the plan's batches have arc weights; else each arc counts 1, with the degrees inside. */
  fill(
    batches: FlatSubgraphs,
    to: { readonly nodeWeight: NativeArray<"F32">; readonly arcWeight: NativeArray<"F32"> | null },
  ): void;
}

/** How one set of params samples one graph. */
export interface BatchPlan {
  readonly epochs: number;
  /** Blocks per batch; 0 = one square subgraph that every layer uses. */
  readonly hops: number;
  /** Whether batches have arc weights: those of `weights`, or without it those that they are drawn with. @default {false} */
  readonly hasArcWeights?: boolean;
  /** Whether arcs of batches are none of the graph's, and have no numbers in it. @default {false} */
  readonly hasOwnArcs?: boolean;
  /** Whether seeds are the first nodes of square subgraphs, and the only ones in the loss. @default {false} */
  readonly seedsFirst?: boolean;
  /** The seeds of an epoch, in order; valid until the next call. */
  seeds(epoch: number): EpochSeeds;
  /** Grow some batches of an epoch; `firstStep` is the number of the first one. */
  expand(seeds: EpochSeeds, epoch: number, firstStep: number): NativeBatches;
  /** Arcs that a batch of `count` seeds may have, roughly. */
  estimateArcs(count: number): number;
  /** Absent: every node and arc counts 1. */
  readonly weights?: BatchWeights;
}

export interface SamplerEntry extends Entry {
  readonly needsPartition: boolean;
  /** Whether batches can be drawn as training goes, which sets `epochs` and the seeds. */
  readonly inTraining?: boolean;
  /**
   * Whether it goes by what training finds out (scores, rows of earlier passes): in training it is a batch source of its
   * own (core/train/adaptive.ts); elsewhere a file stands for that.
   */
  readonly isAdaptive?: boolean;
  /** No file can stand for that: it draws nothing elsewhere. */
  readonly onlyInTraining?: boolean;
  /** Its options in training, where those are others. */
  readonly trainParams?: z.ZodObject;
  /** Number of blocks and of epochs for these params. */
  shape(params: Record<string, unknown>): { hops: number; epochs: number };
  /** The batches in pieces. */
  parts(input: SampleInput, params: Record<string, unknown>, options: PartOptions): Iterable<Part>;
}

/** What `body` gives; what native code does not accept of the graph's data is said of its document. */
function* ofGraph<T>({ document }: Graph, body: () => Iterable<T>): Generator<T> {
  try {
    yield* body();
  } catch (error) {
    if (!(error instanceof NativeError && error.code === "data")) throw error;
    throw new GustError(
      "data",
      `Cannot sample ${document.label}: ${error.message}`,
      "gust inspect --check lists every problem",
    );
  }
}

/** A sampler that draws batch by batch; its params are typed by its schema. */
export function defineSampler<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  readonly needsPartition: boolean;
  readonly inTraining?: boolean;
  readonly isAdaptive?: boolean;
  readonly trainParams?: z.ZodObject;
  idle?: SamplerEntry["idle"];
  shape(params: z.infer<S>): { hops: number; epochs: number };
  plan(input: SampleInput, params: z.infer<S>): BatchPlan;
}): SamplerEntry {
  const { plan, idle, ...rest } = entry;
  return {
    ...rest as unknown as Omit<SamplerEntry, "parts">,
    idle: (given) => ({
      ...(given["split"] === "all" ? { splitIndex: "with --split all" } : {}),
      ...idle?.(given),
    }),
    parts: (input, params, options) =>
      ofGraph(input.graph, () => partsOf(plan(input, params as z.infer<S>), input.graph, options)),
  };
}

/** Write first, first + 1, ... */
export function putRange(array: NativeArray<"I64">, first: number): void {
  for (let at = 0; at < array.length;) {
    const { buffer, byteOffset, length } = array.window(at);
    // As pairs of 32 bits: bigints are slow.
    const words = new Int32Array(buffer, byteOffset, 2 * length);
    for (let i = 0; i < length; i++) {
      words[2 * i] = first + at + i;
      words[2 * i + 1] = Math.floor((first + at + i) / 2 ** 32);
    }
    at += length;
  }
}

/** 0, 1, 2, ... count - 1. */
export function iota(count: number): NativeArray<"I64"> {
  const array = NativeArray.allocate("I64", count, false);
  putRange(array, 0);
  return array;
}

/** Boundaries of batches of `size` out of `count`; the last one may be short. */
export function batchPointer(count: number, size: number): number[] {
  return Array.from({ length: Math.ceil(count / size) + 1 }, (_, b) => Math.min(b * size, count));
}
