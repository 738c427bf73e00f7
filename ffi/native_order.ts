/** Orders of nodes, matrices with rows and columns in an order, and pictures of where their entries are. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, NativeArray } from "./native.ts";
import { checkPerNode } from "./native_partition.ts";
import { gatherIndptr } from "./native_rows.ts";

/** The orders that native code knows. Numbers as in gust.h. */
export const orderKinds = { partition: 0, bfs: 1, rcm: 2, degree: 3, "hub-cluster": 4, gorder: 5 } as const;
export type OrderKind = keyof typeof orderKinds;

export interface OrderParams {
  /** gorder: how many nodes before a node it should have neighbours among. */
  readonly window?: number;
  /** gorder: neighbours of a larger degree are not followed. */
  readonly most?: number;
}

/**
 * The nodes grouped by part, each part in the order `kind` of its undirected simple graph: [n], parts ascending.
 *
 * @param part  [n] parts below k; null: one part.
 * @throws {NativeError} (data) for ids or parts out of range.
 */
export function orderNodes(
  a: Csr,
  directed: boolean,
  kind: OrderKind,
  part: NativeArray<"I32"> | null,
  k: number,
  { window = 0, most = 0 }: OrderParams = {},
): NativeArray<"I64"> {
  checkPerNode("parts", part, a.numRows);
  const order = NativeArray.allocate("I64", a.numRows, false);
  call(
    "gust_order_nodes",
    a.numRows,
    a.indptr.address,
    a.indices.address,
    dtypes[a.indices.dtype].code,
    directed ? 1 : 0,
    orderKinds[kind],
    window,
    most,
    part?.address ?? 0,
    k,
    order.address,
  );
  return order;
}

/** place[order[i]] = i. @throws {NativeError} (data) where `order` is no permutation. */
export function placesOf(order: NativeArray<"I64">): NativeArray<"I64"> {
  const place = NativeArray.allocate("I64", order.length, false);
  call("gust_order_inverse", order.length, order.address, place.address);
  return place;
}

/** place[v] of every node of a list. @throws {NativeError} (data) for a node out of range. */
export function renumber(nodes: NativeArray<"I64">, place: NativeArray<"I64">): NativeArray<"I64"> {
  const out = NativeArray.allocate("I64", nodes.length, false);
  call("gust_order_renumber", nodes.length, nodes.address, place.length, place.address, out.address);
  return out;
}

/**
 * Rows `rows` of a square matrix with columns renumbered by `place`.
 *
 * @param sort  rows ascend by new column, equal ones as they were; false: as they were.
 * @param wantEdges  also where each entry was.
 */
export function permuteRows(
  a: Csr,
  rows: NativeArray<"I64">,
  place: NativeArray<"I64">,
  sort: boolean,
  wantEdges: boolean,
): { readonly indices: Csr["indices"]; readonly edges: NativeArray<"I64"> | null } {
  const { indptr, numEntries } = gatherIndptr(a, rows);
  const indices = NativeArray.allocate(a.indices.dtype, numEntries, false) as Csr["indices"];
  const edges = wantEdges ? NativeArray.allocate("I64", numEntries, false) : null;
  call(
    "gust_order_csr",
    rows.length,
    a.numCols,
    a.indptr.address,
    a.indices.address,
    dtypes[a.indices.dtype].code,
    rows.address,
    place.address,
    sort ? 1 : 0,
    indptr.address,
    indices.address,
    edges?.address ?? 0,
  );
  indptr.free();
  return { indices, edges };
}

/**
 * Entries in each of cells x cells equal squares of the matrix, row by row; rows and columns at `place` (null: as they
 * are). The row pointer must be sound. O(nnz).
 */
export function spyCounts(a: Csr, place: NativeArray<"I64"> | null, cells: number): number[] {
  const counts = NativeArray.allocate("I64", cells * cells);
  if (a.numRows === 0) return counts.toNumbers();
  call(
    "gust_order_spy",
    a.numRows,
    a.indptr.address,
    a.indices.address,
    dtypes[a.indices.dtype].code,
    place?.address ?? 0,
    cells,
    counts.address,
  );
  return counts.toNumbers();
}
