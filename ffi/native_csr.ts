/** Questions about and copies of CSR matrices in native memory. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";

const arrays = (a: Csr) =>
  [a.numRows, a.indptr.address, a.indices.address, dtypes[a.indices.dtype].code] as const;

/** Entries on the diagonal. O(nnz). */
export function countSelfLoops(a: Csr): number {
  return callOut(1, "gust_csr_count_self_loops", ...arrays(a))[0]!;
}

/** The matrix without its diagonal; the same arrays where there is none. */
export function withoutSelfLoops(a: Csr): Csr {
  const loops = countSelfLoops(a);
  if (loops === 0) return a;
  const kept = a.indices.length - loops;
  const indptr = NativeArray.allocate("I64", a.numRows + 1, false);
  const indices = NativeArray.allocate(a.indices.dtype, kept, false) as Csr["indices"];
  const values = a.values ? NativeArray.allocate(a.values.dtype, kept, false) as Csr["values"] : null;
  call(
    "gust_csr_without_self_loops",
    ...arrays(a),
    a.values?.address ?? 0,
    a.values ? dtypes[a.values.dtype].size : 0,
    indptr.address,
    indices.address,
    values?.address ?? 0,
  );
  return { numRows: a.numRows, numCols: a.numCols, indptr, indices, values };
}

/** The pattern, which has an empty diagonal, with a self-loop in every row, before the first larger column. Values are left out. */
export function withSelfLoops(a: Csr): Csr {
  if (a.numRows > a.numCols) throw new RangeError(`self-loops of a ${a.numRows} x ${a.numCols} matrix`);
  const indptr = NativeArray.allocate("I64", a.numRows + 1, false);
  const indices = NativeArray.allocate(
    a.indices.dtype,
    a.indices.length + a.numRows,
    false,
  ) as Csr["indices"];
  call("gust_csr_with_self_loops", ...arrays(a), indptr.address, indices.address);
  return { numRows: a.numRows, numCols: a.numCols, indptr, indices, values: null };
}

/**
 * Nodes exactly two hops away: neighbours of neighbours that are neither neighbours nor the node itself, ascending.
 * O(sum over edges of degrees) time, times the logarithm of a row's share of it.
 */
export function twoHops(a: Csr): Csr {
  if (a.numRows !== a.numCols) throw new RangeError(`two hops of a ${a.numRows} x ${a.numCols} matrix`);
  const indptr = NativeArray.allocate("I64", a.numRows + 1, false);
  call("gust_csr_two_hops", ...arrays(a), indptr.address, 0);
  // At least one element: address 0 would ask for sizes again.
  const count = indptr.at(a.numRows);
  const room = NativeArray.allocate(a.indices.dtype, Math.max(1, count), false);
  call("gust_csr_two_hops", ...arrays(a), indptr.address, room.address);
  const indices = room.slice(0, count) as Csr["indices"];
  return { numRows: a.numRows, numCols: a.numCols, indptr, indices, values: null };
}

/** Whether the pattern equals its transpose. Rows must be ascending. O(nnz log degree). */
export function isSymmetric(a: Csr): boolean {
  return a.numRows === a.numCols && callOut(1, "gust_csr_is_symmetric", ...arrays(a))[0] === 1;
}
