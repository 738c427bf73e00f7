/**
 * Which feature rows are kept in memory while the others lie in a file. A policy chooses the rows that are held before
 * the first batch and may change them between batches; it never sees the rows themselves.
 */
import type { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import type { Indices } from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import type { Entry } from "../registry.ts";

/** Most nodes that are told apart: as many as one window of their places has room for. */
const MOST_NODES = 2 ** 28;

/** Rows of a batch that are put into the cache after it was read. */
export interface Admitted {
  /** Places in the batch, and the rows of the cache that they go to: different ones. */
  readonly from: NativeArray<"I32">;
  readonly to: NativeArray<"I32">;
}

export interface CachePolicy {
  /** Where each row is held, -1: nowhere. */
  readonly place: NativeArray<"I32">;
  /** Rows to be read before the first batch: row i of the cache each. */
  readonly initial: NativeArray<"I64">;
  /**
   * A batch was read: what is held from now on. Absent: what is held stays.
   * @param nodes  of the batch, each once.
   * @returns null: nothing came in.
   */
  seen?(nodes: Indices): Admitted | null;
}

/** What a policy may look at. */
export interface PolicyInput {
  readonly numNodes: number;
  /** Arcs from every node. */
  arcs(): Uint32Array;
  /** How many rows there is room for. */
  readonly most: number;
  /** The nodes of each batch of an epoch of the sample, each once, valid until the next. */
  batches(epoch: number): Iterable<Indices>;
}

export interface CachePolicyEntry extends Entry {
  create(input: PolicyInput, params: Record<string, unknown>): CachePolicy;
}

/** Type the `params` of an entry from its schema. */
export function definePolicy<S extends z.ZodObject>(
  entry: Omit<CachePolicyEntry, "params" | "create"> & {
    readonly params: S;
    create(input: PolicyInput, params: z.infer<S>): CachePolicy;
  },
): CachePolicyEntry {
  return entry as unknown as CachePolicyEntry;
}

/** Rows that there is room for. @throws {GustError} (unsupported) for more nodes than are told apart. */
export function roomFor(numNodes: number, rowBytes: number, bytes: number): number {
  if (numNodes > MOST_NODES) {
    throw new GustError(
      "unsupported",
      `A feature cache of ${numNodes} nodes, expected at most ${MOST_NODES}`,
    );
  }
  return Math.min(numNodes, rowBytes === 0 ? numNodes : Math.floor(bytes / rowBytes));
}

/** No row held: an I32 array of -1. */
export function nowhere(numNodes: number): NativeArray<"I32"> {
  const place = NativeArray.allocate("I32", numNodes, false);
  place.window().fill(-1);
  return place;
}
