/** Neighbour samples, induced subgraphs and shuffles. */
import type { Csr } from "../core/graph/csr.ts";
import { type DType, dtypes } from "./dtype.ts";
import { streamId } from "./engine.ts";
import { call, callOut, NativeArray } from "./native.ts";
import { NativeHandle } from "./native_handle.ts";
import type { Indices } from "./native_rows.ts";

const code = (array: NativeArray<DType>) => dtypes[array.dtype].code;

function needInteger(what: string, value: number, low = 0): void {
  if (!Number.isSafeInteger(value) || value < low) {
    throw new RangeError(`${what} ${value}, expected an integer of at least ${low}`);
  }
}

/**
 * Put `items` (below `numIds`) in a random order that depends on seed, stream, epoch and original ids alone.
 * @param key  `stream` names what the order is for. @default {"sample.shuffle"}
 * @throws {NativeError} (data) for an item out of range.
 */
export function shuffle(
  items: NativeArray<"I64">,
  numIds: number,
  ids: NativeArray<"I64"> | null,
  { seed, epoch, stream = "sample.shuffle" }: {
    readonly seed: number;
    readonly epoch: number;
    readonly stream?: string;
  },
): void {
  if (ids && ids.length !== numIds) throw new RangeError(`${ids.length} ids, expected ${numIds}`);
  const order = [seed, streamId(stream), epoch] as const;
  call("gust_sample_shuffle", items.length, items.address, numIds, ids?.address ?? 0, ...order);
}

/** Sizes of one sampled batch. */
export interface BatchSizes {
  /** Nodes within h hops, for h = 0 .. hops; one number for a square subgraph. */
  readonly levels: readonly number[];
  /** Arcs of each block. */
  readonly edges: readonly number[];
}

/** A group of batches in native memory; freed when collected, or by close(). */
export class NativeBatches {
  readonly sizes: readonly BatchSizes[];
  readonly #handle: NativeHandle;

  constructor(handle: number, count: number, private readonly hops: number) {
    this.#handle = new NativeHandle(this, "batches", "gust_batches_destroy", handle);
    const levels = hops + 1, width = levels + Math.max(hops, 1);
    const flat = new BigInt64Array(count * width);
    call("gust_batches_sizes", handle, flat);
    this.sizes = Array.from({ length: count }, (_, b) => {
      const row = Array.from(flat.subarray(b * width, (b + 1) * width), Number);
      return { levels: row.slice(0, levels), edges: row.slice(levels) };
    });
  }

  /** Copy the nodes of `count` batches from `first` on; `nodes` holds exactly them. */
  copyNodes(first: number, count: number, nodes: Indices): void {
    const total = this.sizes.slice(first, first + count).reduce((sum, { levels }) => sum + levels.at(-1)!, 0);
    if (nodes.length !== total) throw new RangeError(`room for ${nodes.length} nodes, expected ${total}`);
    call("gust_batches_copy_nodes", this.#handle.value, first, count, code(nodes), nodes.address);
  }

  /**
   * Copy block `hop` of the same batches: `indptr` has rows + 1 elements per batch, the others one per arc. `edges`
   * and `edgeWeight` need a sampler that keeps edges.
   */
  copyBlock(
    first: number,
    count: number,
    hop: number,
    to: {
      readonly indptr: NativeArray<"I64">;
      readonly indices: NativeArray<"I32">;
      readonly edges: NativeArray<"I64"> | null;
      readonly edgeWeight: NativeArray<"F32"> | null;
    },
    weights: NativeArray<"F32"> | NativeArray<"F64"> | null,
  ): void {
    const sizes = this.sizes.slice(first, first + count);
    const arcs = sizes.reduce((sum, { edges }) => sum + edges[hop]!, 0);
    const rows = sizes.reduce((sum, { levels }) => sum + levels[this.hops === 0 ? 0 : hop]! + 1, 0);
    for (
      const [array, wanted] of [[to.indptr, rows], [to.indices, arcs], [to.edges, arcs], [
        to.edgeWeight,
        arcs,
      ]] as const
    ) {
      if (array && array.length !== wanted) {
        throw new RangeError(`room for ${array.length} elements of block ${hop}, expected ${wanted}`);
      }
    }
    call(
      "gust_batches_copy_block",
      this.#handle.value,
      first,
      count,
      hop,
      to.indptr.address,
      to.indices.address,
      to.edges?.address ?? 0,
      weights?.address ?? 0,
      weights ? code(weights) : 0,
      weights ? to.edgeWeight?.address ?? 0 : 0,
    );
  }

  /**
   * Copy the arc weights of block `hop` of the same batches, one per arc.
   * @throws {NativeError} (usage) for batches without.
   */
  copyArcWeight(first: number, count: number, hop: number, to: NativeArray<"F32">): void {
    const arcs = this.sizes.slice(first, first + count).reduce((sum, { edges }) => sum + edges[hop]!, 0);
    if (to.length !== arcs) {
      throw new RangeError(`room for ${to.length} arc weights of block ${hop}, expected ${arcs}`);
    }
    call("gust_batches_copy_arc_weight", this.#handle.value, first, count, hop, to.address);
  }

  close(): void {
    this.#handle.close();
  }
}

/** What distinguishes the random numbers of a group of batches. */
export interface SampleKey {
  readonly seed: number;
  readonly epoch: number;
  /** Number in the epoch of the group's first batch. */
  readonly firstStep: number;
}

/** Times of arcs, and those of seeds, which arcs must be before. */
export interface ArcTimes {
  readonly ofArcs: NativeArray<"I64"> | NativeArray<"F64">;
  readonly before: NativeArray<"I64"> | NativeArray<"F64">;
}

/** Which nodes are near a seed (cu/host/sample_pagerank.h). */
export interface PageRankParams {
  /** Probability that a walk ends in a step. */
  readonly teleport: number;
  /** Residual per in-neighbour from which a node is pushed. */
  readonly epsilon: number;
  /** How many nodes count. */
  readonly topk: number;
}

/** Counts of in-neighbours for `hops` hops. */
function checkCounts(counts: readonly number[], least: number, hops = counts.length): void {
  for (const count of counts) needInteger("fanout", count, -1);
  if (hops < least || hops > 64) throw new RangeError(`${hops} hops, expected ${least} to 64`);
}

/** A graph being sampled. Keeps the graph's arrays alive. */
export class NativeSampler {
  readonly #handle: NativeHandle;

  /**
   * @param ids  original ids, or null where they are the node numbers.
   * @param byPosition  rows are sampled in stored order (rows sorted by time), not by original id.
   * @param keepEdges  batches keep arc numbers, which edge weights need.
   */
  constructor(
    readonly csr: Csr,
    readonly ids: NativeArray<"I64"> | null,
    { byPosition, keepEdges }: { readonly byPosition: boolean; readonly keepEdges: boolean },
  ) {
    if (csr.numRows !== csr.numCols) {
      throw new RangeError(`sampling from a ${csr.numRows} x ${csr.numCols} matrix, expected a square one`);
    }
    if (csr.indptr.length !== csr.numRows + 1) {
      throw new RangeError(`indptr has ${csr.indptr.length} elements, expected ${csr.numRows + 1}`);
    }
    if (csr.values && csr.values.length !== csr.indices.length) {
      throw new RangeError(`${csr.values.length} weights of ${csr.indices.length} arcs`);
    }
    if (ids && ids.length !== csr.numRows) throw new RangeError(`${ids.length} ids, expected ${csr.numRows}`);
    const [handle] = callOut(
      1,
      "gust_sampler_create",
      csr.numRows,
      csr.indptr.address,
      csr.indices.length,
      csr.indices.address,
      code(csr.indices),
      ids?.address ?? 0,
      byPosition ? 1 : 0,
      keepEdges ? 1 : 0,
    ) as [number];
    this.#handle = new NativeHandle(this, "sampler", "gust_sampler_destroy", handle, [csr, ids]);
  }

  /**
   * Sample neighbours for batches of seeds: batch b has seeds[ptr[b] .. ptr[b+1]). `fanout[h]` -1 takes all.
   *
   * @throws {NativeError} (data) for a node out of range or twice in a batch.
   */
  neighbors(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    fanout: readonly number[],
    key: SampleKey,
  ): NativeBatches {
    const keyed = [key.seed, key.epoch, key.firstStep] as const;
    return this.grown(
      seeds,
      ptr,
      fanout,
      (...batches) => callOut(1, "gust_sample_neighbors", ...batches, ...keyed),
    );
  }

  /**
   * The same by layer-neighbour sampling, with arc weights: about `fanout[h]` in-neighbours, -1 takes all.
   *
   * @param importance  iterations of the sources' probabilities.
   * @param dependent  every hop has the same random numbers.
   */
  labor(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    fanout: readonly number[],
    { importance, dependent }: { readonly importance: number; readonly dependent: boolean },
    key: SampleKey,
  ): NativeBatches {
    needInteger("importance", importance);
    const keyed = [key.seed, key.epoch, key.firstStep] as const;
    return this.grown(
      seeds,
      ptr,
      fanout,
      (...batches) => callOut(1, "gust_sample_labor", ...batches, importance, dependent ? 1 : 0, ...keyed),
    );
  }

  /**
   * Layer-wise samples of batches of seeds, with arc weights: hop h draws `sizes[h]` nodes for all its rows together.
   *
   * @param wholeGraph  with replacement by importance for all nodes, else without by that for the rows.
   * @param normalize  weighted rows keep the sum of their arcs.
   */
  layers(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    sizes: readonly number[],
    { wholeGraph, normalize }: { readonly wholeGraph: boolean; readonly normalize: boolean },
    key: SampleKey,
  ): NativeBatches {
    const flags = [wholeGraph ? 1 : 0, normalize ? 1 : 0] as const;
    const keyed = [key.seed, key.epoch, key.firstStep] as const;
    return this.grown(
      seeds,
      ptr,
      sizes,
      (...batches) => callOut(1, "gust_sample_layers", ...batches, ...this.weights(), ...flags, ...keyed),
    );
  }

  /**
   * The same as neighbors() with arc weights: with replacement, in proportion to the graph's weights, or both.
   * @throws {NativeError} (invalid) for a weight below 0 or above 1e300.
   */
  weighted(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    fanout: readonly number[],
    { byWeight, replace }: { readonly byWeight: boolean; readonly replace: boolean },
    key: SampleKey,
  ): NativeBatches {
    const weights = byWeight ? this.weights() : [0, 0] as const;
    const keyed = [key.seed, key.epoch, key.firstStep] as const;
    return this.grown(
      seeds,
      ptr,
      fanout,
      (...batches) => callOut(1, "gust_sample_weighted", ...batches, ...weights, replace ? 1 : 0, ...keyed),
    );
  }

  /**
   * Neighbour samples by kinds of arcs and times, with arc weights: hop h draws fanout[kind][h] in-neighbours of each kind.
   *
   * @param types  kind of each arc; null: all of kind 0.
   * @param times  of each arc, those of `before` for each seed: arcs of hops from a seed have a time below its own.
   * @param recent  the latest arcs instead of uniform ones.
   * @throws {NativeError} (data) for a kind that has no fanout.
   */
  byKind(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    fanout: readonly (readonly number[])[],
    { types, times, recent }: {
      readonly types: NativeArray<"I32"> | null;
      readonly times: ArcTimes | null;
      readonly recent: boolean;
    },
    key: SampleKey,
  ): NativeBatches {
    const hops = fanout[0]?.length ?? 0, arcs = this.csr.indices.length;
    if (fanout.some((own) => own.length !== hops)) throw new RangeError("kinds of different numbers of hops");
    for (const column of [types, times?.ofArcs]) {
      if (column && column.length !== arcs) {
        throw new RangeError(`a column of ${column.length} of ${arcs} arcs`);
      }
    }
    if (times && (times.before.length < ptr.at(-1)! || times.before.dtype !== times.ofArcs.dtype)) {
      throw new RangeError(`${times.before.length} ${times.before.dtype} times of ${ptr.at(-1)} seeds`);
    }
    const columns = times
      ? [times.ofArcs.address, code(times.ofArcs), times.before.address] as const
      : [0, dtypes.I64.code, 0] as const;
    const keyed = [recent ? 1 : 0, key.seed, key.epoch, key.firstStep] as const;
    const kinds = [fanout.length, types?.address ?? 0] as const;
    return this.grown(
      seeds,
      ptr,
      fanout.flat(),
      (...batches) => callOut(1, "gust_sample_by_kind", ...batches, ...kinds, ...columns, ...keyed),
      hops,
    );
  }

  /** Importance neighbours: hop h has the fanout[h] nodes (-1: all) that walks from each node reached visit most. */
  visits(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    fanout: readonly number[],
    { walks, length, stop, returnP, inOutQ }: {
      readonly walks: number;
      readonly length: number;
      /** Probability that a walk ends before a step, but the first. */
      readonly stop: number;
      readonly returnP: number;
      readonly inOutQ: number;
    },
    key: SampleKey,
  ): NativeBatches {
    needInteger("walks", walks, 1);
    needInteger("steps of a walk", length, 1);
    const asked = [walks, length, stop, returnP, inOutQ] as const;
    const keyed = [key.seed, key.epoch, key.firstStep] as const;
    return this.grown(
      seeds,
      ptr,
      fanout,
      (...batches) => callOut(1, "gust_sample_visits", ...batches, ...this.weights(), ...asked, ...keyed),
    );
  }

  /**
   * Induced subgraphs around seeds, which are their first nodes: within hops of drawn in-neighbours, or of the largest
   * personalised PageRank.
   *
   * @param apart  each seed has a subgraph of its own, of which a batch is the disjoint union.
   */
  around(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    extent: { readonly fanout: readonly number[] } | PageRankParams,
    apart: boolean,
    key: SampleKey,
  ): NativeBatches {
    this.checkGroup(seeds, ptr);
    const fanout = "fanout" in extent ? extent.fanout : [];
    const { teleport, epsilon, topk } = "fanout" in extent ? { teleport: 1, epsilon: 1, topk: 0 } : extent;
    checkCounts(fanout, "fanout" in extent ? 1 : 0);
    needInteger("topk", topk);
    const [handle] = callOut(
      1,
      "gust_sample_around",
      this.#handle.value,
      seeds.address,
      BigInt64Array.from(ptr, BigInt),
      ptr.length - 1,
      BigInt64Array.from(fanout.length > 0 ? fanout : [0], BigInt),
      fanout.length,
      teleport,
      epsilon,
      topk,
      apart ? 1 : 0,
      key.seed,
      key.epoch,
      key.firstStep,
    ) as [number];
    return new NativeBatches(handle, ptr.length - 1, 0);
  }

  /** The `topk` largest approximate personalised PageRanks of each seed, largest first: their nodes and scores. */
  pageRank(
    seeds: NativeArray<"I64">,
    { teleport, epsilon, topk }: PageRankParams,
  ): { readonly nodes: number[]; readonly scores: number[] }[] {
    needInteger("topk", topk);
    const nodes = NativeArray.allocate("I64", seeds.length * topk),
      scores = NativeArray.allocate("F64", seeds.length * topk),
      counts = NativeArray.allocate("I64", seeds.length);
    const found = [nodes.address, scores.address, counts.address] as const;
    const { length, address } = seeds;
    call("gust_sample_pagerank", this.#handle.value, length, address, teleport, epsilon, topk, ...found);
    return counts.toNumbers().map((count, i) => ({
      nodes: nodes.slice(i * topk, count).toNumbers(),
      scores: scores.slice(i * topk, count).toNumbers(),
    }));
  }

  /** Address and dtype of the graph's weights. */
  private weights(): readonly [address: number, dtype: number] {
    const { values } = this.csr;
    return values ? [values.address, code(values)] : [0, 0];
  }

  /** What all samplers of hops are told first, checked, and the batches of the handle that they give. */
  private grown(
    seeds: NativeArray<"I64">,
    ptr: readonly number[],
    counts: readonly number[],
    sample: (
      ...batches: [number, number, BigInt64Array<ArrayBuffer>, number, BigInt64Array<ArrayBuffer>, number]
    ) => number[],
    hops = counts.length,
  ): NativeBatches {
    this.checkGroup(seeds, ptr);
    checkCounts(counts, 1, hops);
    const numBatches = ptr.length - 1;
    const [pointer, perHop] = [BigInt64Array.from(ptr, BigInt), BigInt64Array.from(counts, BigInt)];
    const [handle] = sample(this.#handle.value, seeds.address, pointer, numBatches, perHop, hops);
    return new NativeBatches(handle!, numBatches, hops);
  }

  /** Induced subgraphs of batches of nodes. @throws as neighbors() does. */
  induced(nodes: NativeArray<"I64">, ptr: readonly number[]): NativeBatches {
    this.checkGroup(nodes, ptr);
    const [handle] = callOut(
      1,
      "gust_sample_induced",
      this.#handle.value,
      nodes.address,
      BigInt64Array.from(ptr, BigInt),
      ptr.length - 1,
    ) as [number];
    return new NativeBatches(handle, ptr.length - 1, 0);
  }

  private checkGroup(items: NativeArray<"I64">, ptr: readonly number[]): void {
    ptr.forEach((at, b) => needInteger("batch pointer", at, b === 0 ? 0 : ptr[b - 1]!));
    if (ptr.length === 0 || ptr.at(-1)! > items.length) {
      throw new RangeError(`batches end at ${ptr.at(-1)} of ${items.length} nodes`);
    }
  }

  close(): void {
    this.#handle.close();
  }
}

/** Whether a block's arrays are sound: indptr rises from 0 to the arcs, indices are below `numCols`. O(arcs). */
export function isSoundBlock(
  numCols: number,
  indptr: NativeArray<"I64">,
  indices: NativeArray<"I32">,
): boolean {
  return callOut(
    1,
    "gust_batch_check",
    indptr.length - 1,
    numCols,
    indices.length,
    indptr.address,
    indices.address,
  )[0] === 1;
}
