/** What a row-wise sparse product reads of its right operand, and what tiles of its left operand hold: exact counts. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { callOut, type NativeArray } from "./native.ts";

/** Nodes in the order their rows are walked; null: by number. */
export type RowOrder = NativeArray<"I64"> | null;

function arrays(a: Csr, order: RowOrder) {
  if (a.numRows !== a.numCols) throw new RangeError(`traffic of a ${a.numRows} x ${a.numCols} matrix`);
  if (order && order.length !== a.numRows) {
    throw new RangeError(`order of ${order.length} of ${a.numRows} nodes`);
  }
  const { indptr, indices } = a;
  return [
    a.numRows,
    indptr.address,
    indices.address,
    dtypes[indices.dtype].code,
    order?.address ?? 0,
  ] as const;
}

/** Columns that find their row among the `rows` different ones used last. @throws {NativeError} (data) for a bad order. */
export function recentHits(a: Csr, order: RowOrder, rows: number): number {
  return callOut(1, "gust_traffic_recent", ...arrays(a, order), rows)[0]!;
}

export const pinRules = ["members", "columns"] as const;
export type PinRule = (typeof pinRules)[number];

/** Nodes order[ptr[c] .. ptr[c + 1]) are cluster c. */
export interface Clusters {
  readonly order: RowOrder;
  readonly ptr: NativeArray<"I64">;
}

/**
 * Each cluster holds `rows` rows while its own are walked: of the members that are columns most often in the matrix, or
 * of any nodes that are columns most often, at least twice, in the cluster's rows.
 *
 * @returns pinned: rows held, of all clusters; hits: columns that find their row held.
 * @throws {NativeError} (data) for a bad order, or clusters that do not cover it.
 */
export function pinnedHits(
  a: Csr,
  { order, ptr }: Clusters,
  rows: number,
  rule: PinRule,
): { pinned: number; hits: number } {
  const by = rule === "columns" ? 1 : 0;
  const args = [...arrays(a, order), ptr.address, ptr.length - 1, rows, by] as const;
  const [pinned, hits] = callOut(2, "gust_traffic_pinned", ...args) as [number, number];
  return { pinned, hits };
}

export interface TileCounts {
  /** Tiles with entries, and of them those with one or two. */
  readonly tiles: number;
  readonly sparse: number;
  /** Bytes that are fetched, each tile's rounded up to whole bursts. */
  readonly bytes: number;
}

/** Tiles of side x side entries of entryBytes each. @throws {NativeError} (data) for a bad order. */
export function tileCounts(
  a: Csr,
  order: RowOrder,
  { side, entryBytes, burst }: { readonly side: number; readonly entryBytes: number; readonly burst: number },
): TileCounts {
  const args = [...arrays(a, order), side, entryBytes, burst] as const;
  const [tiles, sparse, bytes] = callOut(3, "gust_traffic_tiles", ...args) as [number, number, number];
  return { tiles, sparse, bytes };
}
