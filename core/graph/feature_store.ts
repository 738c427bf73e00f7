/**
 * Where the rows of dense features are kept, and how a batch gets its own: the results are the same, what differs is
 * which memory holds the matrix and what crosses the bus.
 *
 * Source: Min et al. 2021, arXiv:2103.03330 (zero-copy gathers, aligned to the lines of the bus).
 */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { dtypes } from "../../ffi/dtype.ts";
import { callOut, describeNative, NativeArray } from "../../ffi/native.ts";
import { gatherRows, type Indices } from "../../ffi/native_rows.ts";
import type { Features } from "./graph.ts";
import { type TopRows, topRows } from "./hot_rows.ts";

/**
 * gpu: the matrix is memory of the device. host-zerocopy: the device reads rows where they are, over the bus.
 * host-staged: the CPU gathers rows into a buffer, which is copied. tiered: rows of many arcs are memory of the device,
 * the others are read over the bus. auto: gpu where the matrix takes at most half of its free memory, else host-zerocopy.
 */
export const featureStores = ["auto", "gpu", "host-zerocopy", "host-staged", "tiered"] as const;
export type StoreKind = (typeof featureStores)[number];

/** Rows that batches got, their bytes, and the 128-byte lines that reading them from the host's memory touched. */
export interface FeatureReads {
  readonly store: Exclude<StoreKind, "auto">;
  readonly rows: number;
  readonly bytes: number;
  readonly hot_rows: number;
  readonly lines: number;
  /** The same if reads began where rows do instead of at a line. */
  readonly unaligned_lines: number;
}

export type DenseFeatures = Features & { readonly kind: "dense" };

/** Rows that the device keeps of a tiered store. */
export interface HotRows {
  /** Memory of the device for them. */
  readonly bytes: number;
  /** How many arcs lead to rows that ask for each: those of most are kept. */
  arcs(): Uint32Array;
}

/** The rows of most arcs that fit; place[v] is the place of row v, or -1. */
export function hotRows({ bytes, arcs }: HotRows, rowBytes: number): TopRows {
  const score = arcs(), n = score.length;
  return topRows(score, Math.min(n, rowBytes === 0 ? n : Math.floor(bytes / rowBytes)));
}

/** Lines of 128 bytes that reading rows `index` of a matrix touches: with reads that begin at lines, and at rows. */
export function linesOf(array: NativeArray, rowBytes: number, index: Indices) {
  const [aligned, naive] = callOut(
    2,
    "gust_rows_lines",
    index.length,
    index.address,
    dtypes[index.dtype].code,
    rowBytes,
    array.address,
  ) as [number, number];
  return { aligned, naive };
}

/** Where batches get their rows from. */
export interface RowStore {
  /** All rows where ops read them, as they are stored; null: nowhere. */
  readonly all: TensorHandle | null;
  /** Rows `nodes` as float32 in `to`, times the features' scale. */
  rows(to: Arena, nodes: Indices): TensorHandle;
}

/** `numRows` rows in memory, as they are stored, as float32 in `to` and times the features' scale. */
export function asFloats(
  engine: Engine,
  to: Arena,
  stored: NativeArray,
  numRows: number,
  { numFeatures, scale }: DenseFeatures,
): TensorHandle {
  const shape = [numRows, numFeatures];
  let x = to.bind(stored, shape);
  if (x.dtype !== "F32") {
    const out = to.tensor("F32", shape);
    engine.run("cast", { x, out });
    x = out;
  }
  if (scale) engine.run("column_affine", { x, scale: to.bind(scale), out: x });
  return x;
}

export class FeatureStore implements RowStore {
  private readonly kind: FeatureReads["store"];
  private readonly stored: NativeArray;
  /** All rows, as they are stored: where ops read them. */
  readonly all: TensorHandle;
  private readonly hot:
    | { readonly rows: TensorHandle; readonly place: NativeArray<"I32">; at: TensorHandle }
    | null;
  private reads = { rows: 0, bytes: 0, lines: 0, naive: 0 };

  /**
   * @param arena  holds what outlives batches.
   * @throws {NativeError} (io) where memory cannot be page-locked, (memory) where the device's is too small.
   */
  constructor(
    private readonly engine: Engine,
    arena: Arena,
    private readonly features: DenseFeatures,
    kind: StoreKind,
    rows: number,
    hot: HotRows,
  ) {
    const { array, numFeatures } = features;
    this.kind = kind === "auto" ? usualStore(engine, array, rows * numFeatures) : kind;
    this.stored = this.kind === "gpu" ? array : array.reachable();
    this.all = arena.bind(this.stored, [rows, numFeatures]);
    this.hot = null;
    if (this.kind === "tiered") {
      const chosen = hotRows(hot, this.rowBytes);
      this.hot = {
        rows: arena.bind(gatherRows(this.stored, numFeatures, chosen.rows), [
          chosen.rows.length,
          numFeatures,
        ]),
        place: chosen.place,
        at: arena.bind(chosen.place),
      };
    }
  }

  private get rowBytes(): number {
    return this.features.numFeatures * dtypes[this.stored.dtype].size;
  }

  /** Rows `nodes` as float32 in `to`, times the features' scale. */
  rows(to: Arena, nodes: Indices): TensorHandle {
    this.count(nodes);
    const { engine, features } = this, { scale } = features;
    if (this.kind === "host-staged") {
      return asFloats(engine, to, this.staged(to, nodes), nodes.length, features);
    }
    const x = this.gathered(to, nodes);
    if (scale) engine.run("column_affine", { x, scale: to.bind(scale), out: x });
    return x;
  }

  /** Rows that the CPU gathers, in memory of their own. */
  private staged(to: Arena, nodes: Indices): NativeArray {
    const { features: { numFeatures }, stored } = this;
    return gatherRows(stored, numFeatures, nodes, to.array(stored.dtype, nodes.length * numFeatures));
  }

  /** Rows that the device gathers, from wherever they are. */
  private gathered(to: Arena, nodes: Indices): TensorHandle {
    const { engine, features: { numFeatures }, hot } = this;
    const out = to.tensor("F32", [nodes.length, numFeatures]), index = to.bind(nodes as NativeArray);
    engine.run("gather", { x: this.all, index, out, hot: hot?.rows ?? null, place: hot?.at ?? null });
    return out;
  }

  private count(nodes: Indices): void {
    const { reads, rowBytes, stored, kind, hot } = this;
    reads.rows += nodes.length;
    reads.bytes += nodes.length * rowBytes;
    if (kind !== "host-zerocopy" && kind !== "tiered") return;
    const { aligned, naive } = linesOf(stored, rowBytes, hot ? coldOf(nodes, hot.place) : nodes);
    reads.lines += aligned;
    reads.naive += naive;
  }

  /** What batches have read so far. */
  get counts(): FeatureReads {
    const { kind: store, reads: { rows, bytes, lines, naive }, hot } = this;
    return { store, rows, bytes, hot_rows: hot?.rows.rows ?? 0, lines, unaligned_lines: naive };
  }
}

function usualStore(engine: Engine, array: NativeArray, size: number): FeatureReads["store"] {
  if (!engine.isRemote) return "gpu";
  // Scoring all rows at once takes them as float32.
  const bytes = array.sizeBytes + (array.dtype === "F32" ? 0 : 4 * size);
  return bytes <= (describeNative().gpu_memory_free ?? 0) / 2 ? "gpu" : "host-zerocopy";
}

/** The nodes, -1 where they are hot. */
function coldOf(nodes: Indices, place: NativeArray<"I32">): Indices {
  const places = place.window(), list = nodes.read();
  const isHot = (v: number | bigint) => places[Number(v)]! >= 0;
  if (list instanceof Int32Array) return NativeArray.from<"I32">(list.map((v) => isHot(v) ? -1 : v));
  // As pairs of 32 bits: places fewer than 2^31 have the number in the lower one, and bigints are slow.
  const words = new Int32Array(list.buffer);
  for (let i = 0; i < words.length; i += 2) if (isHot(words[i]!)) words[i] = words[i + 1] = -1;
  return NativeArray.from<"I64">(list);
}
