/** Edge lists in native memory, the CSR built of one, and questions about a finished CSR graph. */
import type { Csr } from "../core/graph/csr.ts";
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, cString, NativeArray, toNumber } from "./native.ts";
import { convert, type Source } from "./native_source.ts";

const destroyed = new FinalizationRegistry<() => void>((destroy) => destroy());

/** How the lines of an edge list look. Columns count from 0. */
export interface Dialect {
  /** First byte of the lines: behind a header. */
  readonly begin: number;
  /** One character, or "" for runs of blanks. */
  readonly delimiter: string;
  /** Fields of every line. */
  readonly columns: number;
  readonly source: number;
  readonly target: number;
  /** null: no weights. */
  readonly weight: number | null;
  /** What the file calls node 0. */
  readonly indexBase: number;
  /** Ids, less the base, are below it; null: any. */
  readonly limit: number | null;
  /** Ids are names. */
  readonly named: boolean;
  /** What begins a line to leave out; "": any of # % //. */
  readonly comment: string;
  /** A letter in front of every line; the columns are counted behind it. */
  readonly tag?: string;
  /** Bytes that native buffers may hold before edges and build go to temporary files. @default {no bound} */
  readonly heldBytes?: number;
}

/** What the body of a METIS graph holds. */
export interface MetisFormat {
  /** First byte of the body. */
  readonly begin: number;
  /** First byte of the header, for messages. */
  readonly header: number;
  readonly numNodes: number;
  /** Weights per node. */
  readonly nodeWeights: number;
  readonly hasSizes: boolean;
  readonly hasEdgeWeights: boolean;
  readonly indexBase: number;
  /** As in Dialect. */
  readonly heldBytes?: number;
}

const OUT = 11;

/** Arcs (source, target) in the order of the file; freed when collected. */
export class EdgeList {
  readonly #handle: number;
  /** How many. */
  readonly count: number;
  /** Smallest and largest id (0, -1: no edges). */
  minId: number;
  maxId: number;
  /** Every weight is 1, or there are none. */
  hasUnitWeights: boolean;
  hasWeights: boolean;
  /** Comment and blank lines left out. */
  readonly comments: number;
  readonly blanks: number;
  /** Different names, where ids are names; else null. */
  readonly numNames: number | null;
  private readonly nameBytes: number;

  private constructor(out: readonly number[]) {
    const [handle, count, minId, maxId, unit, weights, comments, blanks, names, nameBytes] = out as [
      ...[number, number, number, number, number, number, number, number, number, number],
    ];
    this.#handle = handle;
    this.count = count;
    this.minId = minId;
    this.maxId = maxId;
    this.hasUnitWeights = unit === 1;
    this.hasWeights = weights === 1;
    this.comments = comments;
    this.blanks = blanks;
    this.numNames = names < 0 ? null : names;
    this.nameBytes = nameBytes;
    destroyed.register(this, () => call("gust_edges_destroy", handle));
  }

  /**
   * Parse text, in parallel.
   *
   * @throws {NativeError} (data) "LINE:COLUMN: what is wrong".
   */
  static parse(source: Source, d: Dialect): EdgeList {
    const dialect = [
      d.begin,
      d.delimiter === "" ? 0 : d.delimiter.charCodeAt(0),
      d.columns,
      d.source,
      d.target,
      d.weight ?? -1,
    ]
      .concat(d.indexBase, d.limit ?? -1, d.named ? 1 : 0, d.tag?.charCodeAt(0) ?? 0, d.heldBytes ?? -1);
    const words = BigInt64Array.from(dialect, BigInt);
    return new EdgeList(
      callOut(OUT, "gust_edges_parse", source.address, source.sizeBytes, words, cString(d.comment)),
    );
  }

  /**
   * Parse the body of a METIS graph. `nodeWeights` holds numNodes * format.nodeWeights elements, `sizes` numNodes.
   *
   * @throws {NativeError} (data) "LINE:COLUMN: what is wrong".
   */
  static parseMetis(
    source: Source,
    f: MetisFormat,
    nodeWeights: NativeArray<"I64"> | null,
    sizes: NativeArray<"I64"> | null,
  ): EdgeList {
    const format = [
      f.begin,
      f.header,
      f.numNodes,
      f.nodeWeights,
      f.hasSizes ? 1 : 0,
      f.hasEdgeWeights ? 1 : 0,
      f.indexBase,
      f.heldBytes ?? -1,
    ];
    const words = BigInt64Array.from(format, BigInt);
    return new EdgeList(
      callOut(
        OUT,
        "gust_edges_parse_metis",
        source.address,
        source.sizeBytes,
        words,
        nodeWeights?.address ?? 0,
        sizes?.address ?? 0,
      ),
    );
  }

  /** Edges (sources[i], targets[i]). @throws {NativeError} (invalid) for a negative id. */
  static fromArrays<D extends "I32" | "I64">(sources: NativeArray<D>, targets: NativeArray<D>): EdgeList {
    if (sources.length !== targets.length) {
      throw new RangeError(`${sources.length} sources, ${targets.length} targets`);
    }
    return new EdgeList(
      callOut(
        OUT,
        "gust_edges_from_pairs",
        sources.address,
        targets.address,
        1,
        dtypes[sources.dtype].code,
        sources.length,
      ),
    );
  }

  /** Edges (pairs[2i], pairs[2i + 1]). */
  static fromPairs(pairs: NativeArray<"I32"> | NativeArray<"I64">): EdgeList {
    const { size, code } = dtypes[pairs.dtype];
    return new EdgeList(
      callOut(OUT, "gust_edges_from_pairs", pairs.address, pairs.address + size, 2, code, pairs.length / 2),
    );
  }

  /** Entry (row, column) as edge row -> column. The caller has checked indptr and indices. */
  static fromCsr(a: Csr): EdgeList {
    const { indptr, indices, values } = a;
    return new EdgeList(
      callOut(
        OUT,
        "gust_edges_from_csr",
        a.numRows,
        indptr.address,
        indices.address,
        dtypes[indices.dtype].code,
        values?.address ?? 0,
        dtypes[values?.dtype ?? "F32"].code,
      ),
    );
  }

  /** Native buffers may hold so many bytes from now on, in the build too, before they go to temporary files. */
  setHeldBytes(bytes: number): void {
    call("gust_edges_set_limit", this.#handle, bytes);
  }

  /** Give a list made of arrays a weight per edge. */
  setWeights(weights: NativeArray<"F32"> | NativeArray<"F64">): void {
    if (weights.length !== this.count) {
      throw new RangeError(`${weights.length} weights for ${this.count} edges`);
    }
    const code = dtypes[weights.dtype].code;
    const out = callOut(OUT, "gust_edges_set_weights", this.#handle, weights.address, code);
    this.hasUnitWeights = out[4] === 1;
    this.hasWeights = out[5] === 1;
  }

  /** Number the ids that occur 0, 1, 2, ... in ascending order. @returns the id that each number had. */
  relabel(): NativeArray<"I64"> {
    const [count, ...rest] = callOut(OUT, "gust_edges_relabel", this.#handle) as [
      number,
      number,
      number,
      number,
    ];
    this.minId = rest[1];
    this.maxId = rest[2];
    const ids = NativeArray.allocate("I64", count, false);
    call("gust_edges_original_ids", this.#handle, ids.address);
    return ids;
  }

  /** The names of named ids, by number: UTF-8 bytes and where each begins. */
  names(): { bytes: NativeArray<"U8">; indptr: NativeArray<"I64"> } {
    if (this.numNames === null) throw new Error("names() of an edge list with integer ids");
    const bytes = NativeArray.allocate("U8", this.nameBytes, false);
    const indptr = NativeArray.allocate("I64", this.numNames + 1, false);
    call("gust_edges_names", this.#handle, bytes.address, indptr.address);
    return { bytes, indptr };
  }

  /**
   * The matrix of these edges, which are used up. Rows ascending, duplicates merged and their weights added.
   *
   * Cost: O(edges log(longest row)); two copies of the edges at most. The same bits for any thread count.
   * @throws {NativeError} (data) for weights that add up past float64.
   */
  build(numRows: number, numCols: number, options: BuildOptions = {}): Built {
    const out = new BigInt64Array(13);
    call("gust_build_create", this.#handle, numRows, numCols, flagsOf(options), out);
    return builtOf(out, numRows, numCols);
  }

  /**
   * The matrix of edges that have columns of their own; the edges are used up. Nothing is merged: every entry names the
   * listed edge that it came from, and a mirrored entry its edge too. Rows ascend by column, or by `times` (one per
   * listed edge), equal ones in the order of the list. Of options that add entries, symmetrize keeps a reverse where
   * the list has no arc that way (not with times), and mirror always.
   *
   * Cost as build(), with 8 bytes more per entry. The same bits for any thread count.
   */
  buildListed(
    numRows: number,
    numCols: number,
    options: Omit<BuildOptions, "selfLoops" | "weighted"> & { readonly mirror?: boolean } = {},
    times: NativeArray<"I64"> | NativeArray<"F64"> | null = null,
  ): ListedBuilt {
    if (times && times.length !== this.count) {
      throw new RangeError(`${times.length} times of ${this.count} edges`);
    }
    const out = new BigInt64Array(13);
    const flags = flagsOf(options) | (options.mirror ? 64 : 0);
    const dtype = dtypes[times?.dtype ?? "I64"].code;
    call("gust_build_listed", this.#handle, numRows, numCols, flags, times?.address ?? 0, dtype, out);
    const { csr, ...counts } = builtOf(out, numRows, numCols);
    return { ...counts, csr: { ...csr, values: null }, edges: csr.values as unknown as NativeArray<"I64"> };
  }

  /** Write the ids in the order of the list to `pairs` (count, 2), with a number added to each source and target. */
  writePairs(pairs: NativeArray<"I64">, addToSource = 0, addToTarget = 0): void {
    if (pairs.length !== 2 * this.count) {
      throw new RangeError(`${pairs.length} numbers for the ends of ${this.count} edges`);
    }
    call("gust_edges_pairs", this.#handle, addToSource, addToTarget, pairs.address);
  }

  /** The weights in the order of the list: float32, or float64 where some would lose by it; null: there are none. */
  weights(): NativeArray<"F32"> | NativeArray<"F64"> | null {
    if (!this.hasWeights) return null;
    const array = NativeArray.allocate("F64", this.count, false);
    const [wide] = callOut(1, "gust_edges_weights", this.#handle, array.address) as [number];
    return wide ? array : convert(array, "F32") as NativeArray<"F32">;
  }
}

const flagsOf = (o: BuildOptions) =>
  (o.rowIsSource ? 1 : 0) | (o.symmetrize ? 2 : 0) | (o.removeSelfLoops ? 4 : 0) | (o.selfLoops ? 8 : 0) |
  (o.weighted ? 16 : 0) | (o.wide ? 32 : 0);

/** The results of a native build, with owners for its arrays. */
function builtOf(out: BigInt64Array, numRows: number, numCols: number): Built {
  const [handle, nnz, indptr, indices, indicesType, values, valuesType, ...counts] = Array.from(
    out,
    toNumber,
  ) as [
    ...[number, number, number, number, number, number, number],
    ...number[],
  ];
  const [duplicates, arcsAdded, selfLoopsRemoved, selfLoopsAdded, selfLoops, weightConflicts] = counts as [
    ...[number, number, number, number, number, number],
  ];
  const owner = new BuiltOwner(handle);
  const dtypeOf = <D extends DType>(code: number, ...known: D[]) =>
    known.find((d) => dtypes[d].code === code)!;
  return {
    csr: {
      numRows,
      numCols,
      indptr: NativeArray.at("I64", numRows + 1, indptr, owner),
      indices: NativeArray.at(dtypeOf(indicesType, "I32", "I64"), nnz, indices, owner) as Csr["indices"],
      values: values === 0
        ? null
        : NativeArray.at(dtypeOf(valuesType, "F32", "F64", "I64"), nnz, values, owner) as Csr["values"],
    },
    duplicates,
    arcsAdded,
    selfLoopsRemoved,
    selfLoopsAdded,
    selfLoops,
    weightConflicts,
  };
}

export interface BuildOptions {
  /** Row = source (feature matrices); else row = destination. */
  readonly rowIsSource?: boolean;
  /** Add the missing reverse of every edge; where two weights disagree, the larger. */
  readonly symmetrize?: boolean;
  readonly removeSelfLoops?: boolean;
  /** Give a self-loop of weight 1 to every node without one. */
  readonly selfLoops?: boolean;
  /** Keep the weights. */
  readonly weighted?: boolean;
  /** 64-bit indices even where 32 would do. */
  readonly wide?: boolean;
}

/** A CSR and what was changed on the way. */
export interface Built {
  readonly csr: Csr;
  /** Arcs that another arc between the same nodes took in. */
  readonly duplicates: number;
  readonly arcsAdded: number;
  readonly selfLoopsRemoved: number;
  readonly selfLoopsAdded: number;
  /** In the result. */
  readonly selfLoops: number;
  /** Stored arcs whose two directions had different weights. */
  readonly weightConflicts: number;
}

/** The same where nothing was merged: `duplicates` counts parallel arcs, which stay. */
export interface ListedBuilt extends Built {
  /** Per stored arc: the number of its listed edge. */
  readonly edges: NativeArray<"I64">;
}

/** Keeps the arrays of a build alive. */
class BuiltOwner {
  constructor(handle: number) {
    destroyed.register(this, () => call("gust_build_destroy", handle));
  }
}

const arrays = (a: Csr) =>
  [a.numRows, a.indptr.address, a.indices.address, dtypes[a.indices.dtype].code] as const;

/** An entry that keeps a matrix from being symmetric. */
export interface Asymmetry {
  readonly row: number;
  readonly col: number;
  /** The mirror image is there, with another value. */
  readonly byValue: boolean;
}

/** The first entry whose mirror image is missing or has another value; null if the matrix is symmetric. O(nnz). */
export function findAsymmetry(a: Csr): Asymmetry | null {
  const [symmetric, row, col, byValue] = callOut(
    4,
    "gust_csr_asymmetry",
    ...arrays(a),
    a.values?.address ?? 0,
    dtypes[a.values?.dtype ?? "F32"].code,
  ) as [number, number, number, number];
  return symmetric ? null : { row, col, byValue: byValue === 1 };
}

/** Weakly connected components: the smallest node of each node's, how many there are, and the largest. */
export function components(
  a: Csr,
): { labels: NativeArray<"I64">; count: number; largest: number; largestSize: number } {
  const labels = NativeArray.allocate("I64", a.numRows, false);
  const [count, largest, largestSize] = callOut(3, "gust_csr_components", ...arrays(a), labels.address) as [
    number,
    number,
    number,
  ];
  return { labels, count, largest, largestSize };
}

/** The nodes of a component in ascending order, and each node's number among them (-1: not in it). */
export function componentRows(
  labels: NativeArray<"I64">,
  label: number,
  size: number,
): { rows: NativeArray<"I64">; map: NativeArray<"I64"> } {
  const rows = NativeArray.allocate("I64", size, false);
  const map = NativeArray.allocate("I64", labels.length, false);
  call("gust_rows_of_label", labels.address, labels.length, label, rows.address, map.address);
  return { rows, map };
}

/** Nodes without a neighbour in either direction; a self-loop is none. */
export function countIsolated(a: Csr): number {
  return callOut(1, "gust_csr_isolated", ...arrays(a))[0]!;
}

/** The given rows as a matrix; columns renumbered by `columnMap`, where there is one. */
export function selectCsrRows(
  a: Csr,
  rows: NativeArray<"I64">,
  columnMap: NativeArray<"I64"> | null,
  numCols: number,
): Csr {
  const indptr = NativeArray.allocate("I64", rows.length + 1, false);
  call("gust_csr_select_sizes", a.indptr.address, rows.address, rows.length, indptr.address);
  const nnz = indptr.at(rows.length);
  const indices = NativeArray.allocate(a.indices.dtype, nnz, false) as Csr["indices"];
  const values = a.values ? NativeArray.allocate(a.values.dtype, nnz, false) as Csr["values"] : null;
  call(
    "gust_csr_select",
    a.indptr.address,
    a.indices.address,
    dtypes[a.indices.dtype].code,
    a.values?.address ?? 0,
    a.values ? dtypes[a.values.dtype].size : 0,
    rows.address,
    rows.length,
    columnMap?.address ?? 0,
    indptr.address,
    indices.address,
    values?.address ?? 0,
  );
  return { numRows: rows.length, numCols, indptr, indices, values };
}
