/** Partitions of a CSR matrix's edges. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";
import { checkPerNode } from "./native_partition.ts";

const arrays = (a: Csr, directed: boolean) =>
  [a.numRows, a.indptr.address, a.indices.address, dtypes[a.indices.dtype].code, directed ? 1 : 0] as const;

export interface EdgeRequest {
  readonly k: number;
  readonly seed: number;
  /** High-degree replicated first, with this weight of balance and limit; without it degree-based hashing. */
  readonly hdrf?: { readonly lambda: number; readonly imbalance: number };
}

/**
 * [e] part of each stored arc; both copies of an undirected edge are in one.
 *
 * @param ids  [n] original node ids, for draws; null: node numbers.
 * @throws {NativeError} (data) naming the arc, for an undirected matrix that lacks its reverse.
 */
export function partitionEdges(
  a: Csr,
  directed: boolean,
  ids: NativeArray<"I64"> | null,
  { k, seed, hdrf }: EdgeRequest,
): NativeArray<"I32"> {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`${k} parts of edges, expected at least 1`);
  checkPerNode("ids", ids, a.numRows);
  const part = NativeArray.allocate("I32", a.indices.length, false);
  call(
    "gust_partition_edges",
    ...arrays(a, directed),
    ids?.address ?? 0,
    k,
    hdrf ? 1 : 0,
    hdrf?.lambda ?? 0,
    hdrf?.imbalance ?? 1,
    seed,
    part.address,
  );
  return part;
}

/** What a partition of edges is, in numbers. */
export interface EdgeCounts {
  /** [k] edges of each part, an undirected one once. */
  readonly edges: Float64Array;
  /** [k] nodes that each part's edges touch. */
  readonly nodes: Float64Array;
  /** Nodes with edges, and those with edges in several parts. */
  readonly touched: number;
  readonly cut: number;
}

/**
 * Count a partition of edges.
 * @param part  [e] parts below k of the stored arcs.
 * @throws {NativeError} (data) for parts out of range, for an undirected edge whose arcs are in two parts, and for one
 *   that lacks an arc.
 */
export function edgeStatistics(a: Csr, directed: boolean, part: NativeArray<"I32">, k: number): EdgeCounts {
  if (part.length !== a.indices.length) {
    throw new RangeError(`${part.length} parts of ${a.indices.length} arcs`);
  }
  const sizes = NativeArray.allocate("I64", 2 * k);
  const out = callOut(
    2,
    "gust_partition_edge_statistics",
    ...arrays(a, directed),
    part.address,
    k,
    sizes.address,
  );
  const [touched, cut] = out as [number, number], all = Float64Array.from(sizes.toNumbers());
  return { edges: all.slice(0, k), nodes: all.slice(k), touched, cut };
}
