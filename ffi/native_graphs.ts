/** Batches of whole graphs of a disjoint union. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";

/** The union of some graphs. */
export interface GraphSlice {
  /** First row of each graph, and the number of rows. */
  readonly ptr: NativeArray<"I64">;
  /** Row of the whole union that each row is. */
  readonly nodes: NativeArray<"I64">;
  /** Columns count inside the slice. */
  readonly csr: Csr;
}

/**
 * The graphs `chosen` of a disjoint union, one after another, as a disjoint union. A graph may come several times.
 *
 * @param graphPtr  first row of each graph of the union, and the number of rows.
 * @throws {NativeError} (data) for a graph out of range, a pointer that does not rise, an arc that leaves its graph.
 */
export function sliceGraphs(csr: Csr, graphPtr: NativeArray<"I64">, chosen: NativeArray<"I64">): GraphSlice {
  const { indptr, indices, values } = csr, count = chosen.length;
  if (csr.numRows !== csr.numCols) {
    throw new RangeError(`graphs of a ${csr.numRows} x ${csr.numCols} matrix, expected a square one`);
  }
  const ptr = NativeArray.allocate("I64", count + 1, false);
  const [rows, entries] = callOut(
    2,
    "gust_graphs_sizes",
    count,
    chosen.address,
    graphPtr.length - 1,
    graphPtr.address,
    csr.numRows,
    indptr.address,
    indices.length,
    ptr.address,
  ) as [number, number];
  const nodes = NativeArray.allocate("I64", rows, false);
  const to = NativeArray.allocate("I64", rows + 1, false);
  const columns = NativeArray.allocate(indices.dtype, entries, false) as Csr["indices"];
  const weights = values ? NativeArray.allocate(values.dtype, entries, false) as Csr["values"] : null;
  call(
    "gust_graphs_gather",
    count,
    chosen.address,
    graphPtr.address,
    indptr.address,
    indices.address,
    dtypes[indices.dtype].code,
    values?.address ?? 0,
    values ? dtypes[values.dtype].size : 0,
    ptr.address,
    nodes.address,
    to.address,
    columns.address,
    weights?.address ?? 0,
  );
  return { ptr, nodes, csr: { numRows: rows, numCols: rows, indptr: to, indices: columns, values: weights } };
}
