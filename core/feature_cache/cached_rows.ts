/**
 * Rows of dense features that lie in the graph's file: those that a policy holds are in memory, the others are read of
 * the file when a batch asks for them. What batches get is the same whatever is held.
 *
 * Memory: the held rows, their places and those of a batch's nodes (4 bytes per node each) and what the policy keeps; a
 * batch's rows are the step's.
 */
import { closeSync, openSync } from "node:fs";
import { dtypes } from "../../ffi/dtype.ts";
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { gatherRows, type Indices, putRows, readRows } from "../../ffi/native_rows.ts";
import { GustError, systemText } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { describeDocument } from "../format/provenance.ts";
import { readStream } from "../format/read.ts";
import { asFloats, type DenseFeatures, type RowStore } from "../graph/feature_store.ts";
import { CacheBound } from "./bound.ts";
import { DistinctNodes } from "./distinct.ts";
import type { CachePolicy } from "./policy.ts";

/** Rows that batches asked for, each once per batch: held or not, and the bytes that the others were read with. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  readonly hit_ratio: number;
  readonly bytes_read: number;
  readonly reads: number;
  /** Hit ratio of the best cache of that size, which knows all batches; absent: not asked for. */
  readonly belady?: number;
}

/** What a cache did in a run. */
export interface CacheReport extends CacheCounts {
  readonly policy: string;
  /** Rows that there is room for, and bytes of one. */
  readonly rows: number;
  readonly row_bytes: number;
  /** Bytes that were read before the first batch. */
  readonly initial_bytes: number;
  readonly epochs: readonly CacheCounts[];
  /** Hit ratio of the best choice of rows that never changes, over all epochs; absent: not asked for. */
  readonly best_static?: number;
}

/** The bytes of a tensor in the file of its document. */
export class TensorFile {
  private constructor(readonly fd: number, readonly offset: number, private readonly label: string) {}

  /**
   * @throws {GustError} (usage) if the document lies in no file, (mismatch) if the file holds another one by now, (io)
   * if it cannot be opened.
   */
  static open(document: Document, tensor: string): TensorFile {
    const { path, label } = document;
    if (path === null) {
      throw new GustError(
        "usage",
        `${label} came down a pipe, expected a file whose features can be read when they are needed`,
        "write it to a file with -o, and give that",
      );
    }
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      throw new GustError("io", `Cannot open ${label}: ${systemText(error)}`);
    }
    const now = readStream(fd, label).next().value as Document | undefined;
    if (now?.digest !== document.digest) {
      closeSync(fd);
      throw new GustError("mismatch", `${describeDocument(document)} was replaced while it was being read`);
    }
    return new TensorFile(fd, now.tensor(tensor).address - now.mapping!.address, label);
  }

  /** Run what reads the file. @throws {GustError} (io) with its name. */
  guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof NativeError) || (error.code !== "io" && error.code !== "eof")) throw error;
      throw new GustError("io", `Cannot read the features of ${this.label}: ${error.message}`);
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** `best`: hits of the best cache, where they are counted. */
const NO_COUNTS = { hits: 0, misses: 0, reads: 0, best: 0 };

export class CachedRows implements RowStore {
  readonly all = null;
  private readonly held: NativeArray;
  private readonly initialBytes: number;
  private readonly bound: CacheBound | null;
  private readonly distinct: DistinctNodes;
  private epoch = { ...NO_COUNTS };
  private readonly total = { ...NO_COUNTS };
  private readonly epochs: CacheCounts[] = [];

  /**
   * @param file  where the features are; closed by close().
   * @param most  rows that there is room for.
   * @param name  of the policy.
   * @param isBounded  whether the best hit ratios are computed too.
   * @throws {GustError} (io) where the first rows cannot be read.
   */
  constructor(
    private readonly engine: Engine,
    private readonly features: DenseFeatures,
    private readonly file: TensorFile,
    private readonly policy: CachePolicy,
    private readonly most: number,
    private readonly name: string,
    isBounded: boolean,
  ) {
    const { array: { dtype }, numFeatures } = features, { initial, place } = policy;
    this.held = NativeArray.allocate(dtype, most * numFeatures, false);
    this.bound = isBounded ? new CacheBound(place.length, [most]) : null;
    this.distinct = new DistinctNodes(place.length);
    this.initialBytes = initial.length * this.rowBytes;
    if (initial.length === 0) return;
    const nothing = NativeArray.allocate("I32", place.length, false);
    nothing.window().fill(-1);
    const room = this.held.slice(0, initial.length * numFeatures);
    file.guard(() => readRows(file, numFeatures, initial, nothing, this.held, room));
    nothing.free();
  }

  private get rowBytes(): number {
    return this.features.numFeatures * dtypes[this.features.array.dtype].size;
  }

  rows(to: Arena, nodes: Indices): TensorHandle {
    const { engine, features } = this, { numFeatures } = features, { once, place } = this.distinct.of(nodes);
    const rows = this.rowsOf(to, once);
    const stored = place
      ? gatherRows(rows, numFeatures, place, to.array(rows.dtype, nodes.length * numFeatures))
      : rows;
    return asFloats(engine, to, stored, nodes.length, features);
  }

  /** Rows of different nodes, as they are stored. */
  private rowsOf(to: Arena, nodes: Indices): NativeArray {
    const { features: { numFeatures }, file, policy, held, epoch, total } = this;
    const stored = to.array(held.dtype, nodes.length * numFeatures);
    const { rows, reads } = file.guard(() => readRows(file, numFeatures, nodes, policy.place, held, stored));
    for (const counts of [epoch, total]) {
      counts.hits += nodes.length - rows;
      counts.misses += rows;
      counts.reads += reads;
    }
    if (this.bound) {
      this.bound.add(nodes);
      const before = total.best;
      total.best = this.bound.best[0]!;
      epoch.best += total.best - before;
    }
    const admitted = policy.seen?.(nodes);
    if (admitted) putRows(stored, admitted.from, held, admitted.to, numFeatures);
    return stored;
  }

  private counts({ hits, misses, reads, best }: typeof NO_COUNTS): CacheCounts {
    const all = hits + misses;
    return {
      hits,
      misses,
      hit_ratio: all === 0 ? 0 : hits / all,
      bytes_read: misses * this.rowBytes,
      reads,
      ...(this.bound ? { belady: all === 0 ? 0 : best / all } : {}),
    };
  }

  /** An epoch has ended: what its batches read. */
  endEpoch(): CacheCounts {
    const counts = this.counts(this.epoch);
    this.epochs.push(counts);
    this.epoch = { ...NO_COUNTS };
    return counts;
  }

  /** What batches have read so far. */
  get report(): CacheReport {
    const { name: policy, most: rows, bound } = this;
    return {
      policy,
      rows,
      row_bytes: this.rowBytes,
      initial_bytes: this.initialBytes,
      ...this.counts(this.total),
      ...(bound ? { best_static: bound.reads === 0 ? 0 : bound.bestStatic[0]! / bound.reads } : {}),
      epochs: this.epochs,
    };
  }

  close(): void {
    this.file.close();
  }
}
