/** Generated graphs: edges drawn as functions of a counter by the native library. */
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";
import { NativeHandle } from "./native_handle.ts";

/** Options of every model. */
export interface GenerateOptions {
  readonly seed: number;
  /** Edges become single arcs from the first end drawn to the second. @default {false} */
  readonly directed?: boolean;
  /** Labels 0 .. classes-1; 0 = none. */
  readonly classes: number;
}

/** Parts of a split, as assignSplit() numbers them. */
export const splitParts = { train: 1, val: 2, test: 3 } as const;

/** A probability as a multiple of 2^-32. @throws {RangeError} outside 0 .. 1. */
function outOf32(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`probability ${p}, expected 0 to 1`);
  return Math.round(p * 2 ** 32);
}

/**
 * A graph that is about to be generated. The same arguments give the same graph on any thread count and machine.
 * Freed when collected, or by close().
 */
export class GraphGenerator {
  /** Nodes of the graph. */
  readonly numNodes: number;
  /** Counters that edges are drawn for: edges asked for, or nodes of a grid. */
  readonly numItems: number;
  readonly #handle: NativeHandle;

  private constructor(handle: number) {
    this.#handle = new NativeHandle(this, "graph generator", "gust_generate_destroy", handle);
    [this.numNodes, this.numItems] = callOut(2, "gust_generate_sizes", handle) as [number, number];
  }

  /**
   * Stochastic block model; `homophily` = share of edges that stay in their class, `closeness` of those in one of the
   * class's `communities`; degrees follow a power law of exponent 2 + 1 / (`skew` - 1).
   */
  static sbm(
    o: GenerateOptions & {
      nodes: number;
      edges: number;
      homophily: number;
      communities: number;
      closeness: number;
      skew: number;
    },
  ): GraphGenerator {
    const made = callOut(
      1,
      "gust_generate_sbm",
      o.seed,
      o.nodes,
      o.classes,
      o.edges,
      outOf32(o.homophily),
      o.communities,
      outOf32(o.closeness),
      o.skew,
      o.directed ? 1 : 0,
    );
    return new GraphGenerator(made[0]!);
  }

  /** R-MAT on 2^scale nodes with quadrant probabilities a, b, c and 1 - a - b - c. */
  static rmat(
    o: GenerateOptions & { scale: number; edges: number; a: number; b: number; c: number; permute: boolean },
  ): GraphGenerator {
    const flags = [o.permute ? 1 : 0, o.directed ? 1 : 0] as const;
    const made = callOut(
      1,
      "gust_generate_rmat",
      o.seed,
      o.scale,
      o.edges,
      o.a,
      o.b,
      o.c,
      ...flags,
      o.classes,
    );
    return new GraphGenerator(made[0]!);
  }

  /** G(n, m): exactly `edges` distinct pairs. */
  static erdosRenyi(o: GenerateOptions & { nodes: number; edges: number }): GraphGenerator {
    const made = callOut(
      1,
      "gust_generate_erdos_renyi",
      o.seed,
      o.nodes,
      o.edges,
      o.directed ? 1 : 0,
      o.classes,
    );
    return new GraphGenerator(made[0]!);
  }

  /** Grid of rows x cols nodes. */
  static grid(
    o: Omit<GenerateOptions, "directed"> & { rows: number; cols: number; diagonal: boolean; torus: boolean },
  ): GraphGenerator {
    const flags = [o.diagonal ? 1 : 0, o.torus ? 1 : 0] as const;
    const made = callOut(1, "gust_generate_grid", o.seed, o.rows, o.cols, ...flags, o.classes);
    return new GraphGenerator(made[0]!);
  }

  /** Nodes on a torus of rows x cols: edges to the square around a node, or anywhere with probability `rewired`. */
  static smallWorld(
    o: GenerateOptions & { rows: number; cols: number; edges: number; reach: number; rewired: number },
  ): GraphGenerator {
    const made = callOut(
      1,
      "gust_generate_small_world",
      o.seed,
      o.rows,
      o.cols,
      o.edges,
      o.reach,
      outOf32(o.rewired),
      o.directed ? 1 : 0,
      o.classes,
    );
    return new GraphGenerator(made[0]!);
  }

  /**
   * The adjacency: rows ascending, no self-loops, no duplicates.
   *
   * @returns the arrays, the arcs that were duplicates and the drawn edges that were self-loops.
   * Memory: 8 (n + 1) + s a bytes for n nodes and a drawn arcs (two per undirected edge, duplicates included) of s = 4
   * bytes (8 from 2^31 nodes on), and about 0.01 % beside. Time: every edge is drawn twice.
   */
  csr(): {
    indptr: NativeArray<"I64">;
    indices: NativeArray<"I32"> | NativeArray<"I64">;
    duplicates: number;
    selfLoops: number;
  } {
    const indptr = NativeArray.allocate("I64", this.numNodes + 1);
    const [arcs, selfLoops] = callOut(2, "gust_generate_count", this.#handle.value, indptr.address) as [
      number,
      number,
    ];
    const dtype: "I32" | "I64" = this.numNodes <= 2 ** 31 - 1 ? "I32" : "I64";
    const indices: NativeArray<DType> = NativeArray.allocate(dtype, arcs, false);
    const { code } = dtypes[dtype];
    const [kept] = callOut(
      1,
      "gust_generate_fill",
      this.#handle.value,
      indptr.address,
      indices.address,
      code,
    ) as [
      number,
    ];
    const used = kept === arcs ? indices : indices.slice(0, kept);
    return {
      indptr,
      indices: used as NativeArray<"I32"> | NativeArray<"I64">,
      duplicates: arcs - kept,
      selfLoops,
    };
  }

  /** Bytes that `count` items take as text at most. */
  textSize(count: number): number {
    return callOut(1, "gust_generate_text_size", this.#handle.value, count)[0]!;
  }

  /** Edges of items begin .. end as lines "u v" in `buffer`; duplicates stay, self-loops do not come. */
  text(begin: number, end: number, buffer: NativeArray<"U8">): { text: NativeArray<"U8">; edges: number } {
    if (end > this.numItems || begin > end) {
      throw new RangeError(`items ${begin} .. ${end} of ${this.numItems}`);
    }
    if (buffer.length < this.textSize(end - begin)) throw new RangeError("the buffer is too small");
    const [size, edges] = callOut(
      2,
      "gust_generate_text",
      this.#handle.value,
      begin,
      end,
      buffer.address,
    ) as [
      number,
      number,
    ];
    return { text: buffer.slice(0, size), edges };
  }

  /** The class of every node, another one for a share of `wrong` of them, -1 for a share of `unlabelled`. */
  labels(unlabelled: number, wrong: number): NativeArray<"I32"> {
    const labels = NativeArray.allocate("I32", this.numNodes, false);
    call("gust_generate_labels", this.#handle.value, outOf32(unlabelled), outOf32(wrong), labels.address);
    return labels;
  }

  /** Feature rows begin .. end of `cols` columns: class centre + noise * deviate, or deviates where classes have none. */
  features(begin: number, end: number, cols: number, noise: number, out: NativeArray<"F32">): void {
    if (end > this.numNodes || begin > end) {
      throw new RangeError(`nodes ${begin} .. ${end} of ${this.numNodes}`);
    }
    if (out.length < (end - begin) * cols) throw new RangeError("the array is too small");
    call("gust_generate_features", this.#handle.value, begin, end, cols, noise, out.address);
  }

  /**
   * `count` labels per node, (nodes, count) of 0 and 1: label l is whether the mean of feature column
   * floor(l / (hops + 1)) over walks of l mod (hops + 1) steps is among the highest `share` of all nodes.
   * @param indices  with `indptr`, the adjacency that csr() gave.
   */
  walkLabels(
    { indptr, indices }: { indptr: NativeArray<"I64">; indices: NativeArray<"I32"> | NativeArray<"I64"> },
    o: { features: number; noise: number; count: number; hops: number; share: number },
  ): NativeArray<"U8"> {
    if (indptr.length !== this.numNodes + 1) {
      throw new RangeError(`indptr of ${indptr.length} elements, expected ${this.numNodes + 1}`);
    }
    const labels = NativeArray.allocate("U8", this.numNodes * o.count, false);
    call(
      "gust_generate_walk_labels",
      this.#handle.value,
      indptr.address,
      indices.address,
      dtypes[indices.dtype].code,
      o.features,
      o.noise,
      o.count,
      o.hops,
      outOf32(o.share),
      labels.address,
    );
    return labels;
  }

  /**
   * Draw a split: `train` and `val` labelled nodes of each class, all others test.
   * @returns the part of every node (see splitParts; 0 = unlabelled) and how many each part has.
   * @throws {NativeError} (data) if a class has too few nodes.
   */
  assignSplit(
    labels: NativeArray<"I32">,
    train: number,
    val: number,
  ): { part: NativeArray<"U8">; counts: readonly number[] } {
    if (labels.length !== this.numNodes) {
      throw new RangeError(`${labels.length} labels for ${this.numNodes} nodes`);
    }
    const part = NativeArray.allocate("U8", this.numNodes, false);
    const counts = callOut(
      4,
      "gust_generate_split",
      this.#handle.value,
      labels.address,
      train,
      val,
      part.address,
    );
    return { part, counts };
  }

  /** Free it now. */
  close(): void {
    this.#handle.close();
  }
}

/**
 * Ascending nodes of one part of a split, in pieces of at most `most` nodes looked at. A piece is valid until the next
 * one is asked for.
 */
export function* splitNodes(
  part: NativeArray<"U8">,
  which: number,
  most: number,
): Generator<NativeArray<"I64">> {
  const nodes = NativeArray.allocate("I64", Math.min(most, part.length), false);
  try {
    for (let begin = 0; begin < part.length; begin += most) {
      const range = [begin, Math.min(part.length, begin + most)] as const;
      const out = callOut(1, "gust_generate_split_nodes", part.address, ...range, which, nodes.address);
      if (out[0]! > 0) yield nodes.slice(0, out[0]!);
    }
  } finally {
    nodes.free();
  }
}
