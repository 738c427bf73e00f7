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

/**
 * edges: an undirected one once; largest: of a part; replicas: sum over nodes of the parts that their edges are in; nodes:
 * those with edges. @throws {NativeError} (data) for parts out of range.
 */
export function edgeStatistics(
  a: Csr,
  directed: boolean,
  part: NativeArray<"I32">,
  k: number,
): { edges: number; largest: number; replicas: number; nodes: number } {
  if (part.length !== a.indices.length) {
    throw new RangeError(`${part.length} parts of ${a.indices.length} arcs`);
  }
  const out = callOut(4, "gust_partition_edge_statistics", ...arrays(a, directed), part.address, k);
  const [edges, largest, replicas, nodes] = out as [number, number, number, number];
  return { edges, largest, replicas, nodes };
}
