/**
 * Arcs and what belongs to each of them. A list of plain edges is merged into a matrix; where edges have columns (times,
 * types, features), every listed edge stays an arc of its own and takes its row of each column along.
 */
import { NativeArray } from "../../ffi/native.ts";
import { type BuildOptions, type Built, type EdgeList, selectCsrRows } from "../../ffi/native_build.ts";
import { selectRows } from "../../ffi/native_source.ts";
import type { NewTensor } from "../format/document.ts";
import type { EdgeColumns } from "../readers/reader.ts";
import { type Csr, indexDType, nnz } from "./csr.ts";

/** A matrix with the columns of its arcs, in stored order. */
export interface Arcs {
  readonly csr: Csr;
  readonly columns: EdgeColumns | null;
}

export type BuiltArcs = Arcs & Omit<Built, "csr">;

export interface ArcOptions extends BuildOptions {
  /** Each listed edge stands for both directions. */
  readonly mirror?: boolean;
  readonly rowOrder?: "index" | "time";
}

/** Whether there is a column at all. */
export const hasColumns = (c: EdgeColumns | undefined): c is EdgeColumns =>
  !!(c?.time || c?.type || c?.feat || c?.id);

type Rows = NativeArray<"I64">;

/** One column, or a row-major matrix, gathered. */
function selectAny<A extends NativeArray>(array: A, width: number, rows: Rows): A {
  return selectRows(array, width, rows) as unknown as A;
}

function selectColumns({ time, type, feat, id }: EdgeColumns, rows: Rows): EdgeColumns {
  return {
    time: time && selectAny(time, 1, rows),
    type: type && selectAny(type, 1, rows),
    feat: feat && { ...feat, array: selectAny(feat.array, feat.columns, rows) },
    id: id && selectAny(id, 1, rows),
  };
}

function checkLengths({ time, type, feat, id }: EdgeColumns, count: number): void {
  const lengths = [time?.length, type?.length, feat && feat.array.length / feat.columns, id?.length];
  for (const length of lengths) {
    if (length !== undefined && length !== count) throw new RangeError(`${length} rows of ${count} edges`);
  }
}

/**
 * The matrix of a list, which is used up: row = destination. `mirror` and `symmetrize` need as many rows as columns.
 * Arcs without columns are merged as EdgeList.build() says; with columns, as EdgeList.buildListed() says.
 */
export function buildArcs(
  edges: EdgeList,
  numRows: number,
  numCols: number,
  columns: EdgeColumns | undefined,
  { mirror, rowOrder, ...options }: ArcOptions,
): BuiltArcs {
  if (!hasColumns(columns)) {
    const symmetrize = options.symmetrize || mirror;
    return { ...edges.build(numRows, numCols, { ...options, symmetrize }), columns: null };
  }
  checkLengths(columns, edges.count);
  const weights = options.weighted ? edges.weights() : null;
  const { weighted: _, selfLoops: __, symmetrize, ...kept } = options;
  const times = rowOrder === "time" ? columns.time! : null;
  const listed = edges.buildListed(
    numRows,
    numCols,
    { ...kept, mirror, symmetrize: symmetrize && !mirror },
    times,
  );
  const values = weights && selectAny<NonNullable<Csr["values"]>>(weights, 1, listed.edges);
  const { csr, edges: numbers, ...counts } = listed;
  return {
    ...counts,
    // Parallel arcs stay: nothing was merged.
    duplicates: 0,
    csr: { ...csr, values },
    columns: selectColumns(columns, numbers),
  };
}

/** 0, 1, 2, ... */
export function countUp(length: number): NativeArray<"I64"> {
  const array = NativeArray.allocate("I64", length, false);
  for (let at = 0; at < length;) {
    const window = array.window(at);
    for (let i = 0; i < window.length; i++) window[i] = BigInt(at + i);
    at += window.length;
  }
  return array;
}

/** The columns of the arcs of some rows. */
export function keepColumns(
  csr: Csr,
  columns: EdgeColumns | null,
  rows: NativeArray<"I64">,
): EdgeColumns | null {
  if (!columns) return null;
  const numbered = { ...csr, values: countUp(nnz(csr)) as unknown as Csr["values"] };
  const kept = selectCsrRows(numbered, rows, null, csr.numCols).values as unknown as NativeArray<"I64">;
  return selectColumns(columns, kept);
}

/** The tensors of arcs: `<prefix>indptr`, `<prefix>indices`, and a tensor per column. */
export function arcTensors(prefix: string, { csr, columns }: Arcs, wide = false): NewTensor[] {
  const count = nnz(csr);
  const tensors: NewTensor[] = [
    { name: `${prefix}indptr`, dtype: "I64", shape: [csr.numRows + 1], data: csr.indptr },
    {
      name: `${prefix}indices`,
      dtype: wide ? csr.indices.dtype : indexDType(csr.numCols),
      shape: [count],
      data: csr.indices,
    },
  ];
  const add = (name: string, data: NativeArray, ...shape: number[]) =>
    tensors.push({ name: prefix + name, dtype: data.dtype, shape: [count, ...shape], data });
  if (csr.values) add("edge_weight", csr.values);
  if (columns?.time) add("edge_time", columns.time);
  if (columns?.type) add("edge_type", columns.type);
  if (columns?.feat) add("edge_feat", columns.feat.array, columns.feat.columns);
  if (columns?.id) add("edge_ids", columns.id);
  return tensors;
}
