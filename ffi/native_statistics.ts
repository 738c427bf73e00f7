/** Exact counts of whole arrays: distributions, components, homophily, values. */
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";

export type Indices = NativeArray<"I32"> | NativeArray<"I64">;
export type Numbers = Indices | NativeArray<"F32"> | NativeArray<"F64">;

/** Least, greatest, and counts on a logarithmic scale: of zeros, then of 2^(b-1) .. 2^b - 1. Trailing zeros are cut. */
export interface Distribution {
  readonly least: number;
  readonly greatest: number;
  readonly bins: readonly number[];
}

const LOG_BINS = 65;
const code = (array: NativeArray<DType>) => dtypes[array.dtype].code;

function withoutTail(bins: readonly number[]): number[] {
  return bins.slice(0, bins.findLastIndex((count) => count > 0) + 1);
}
const distribution = ([least, greatest, ...bins]: number[]): Distribution => ({
  least: least!,
  greatest: greatest!,
  bins: withoutTail(bins),
});

/** Distribution of the row lengths of a pointer. @throws {NativeError} (data) for an illegal pointer. */
export function lengthDistribution(ptr: NativeArray<"I64">, items: number): Distribution {
  return distribution(callOut(2 + LOG_BINS, "gust_stats_lengths", ptr.address, ptr.length - 1, items));
}

/** Distribution of how often each of 0 .. n-1 is among the values. @throws {NativeError} (data) for other values. */
export function occurrenceDistribution(n: number, values: Indices): Distribution {
  return distribution(
    callOut(2 + LOG_BINS, "gust_stats_occurrences", n, values.length, code(values), values.address),
  );
}

export interface ComponentSizes {
  readonly count: number;
  readonly largest: number;
  /** Components of one node. */
  readonly single: number;
  /** Their sizes, binned as in Distribution. */
  readonly bins: readonly number[];
}

/** Weakly connected components of n nodes, of one CSR or of many. */
export class Components {
  private readonly parent: NativeArray<"I64">;
  constructor(private readonly n: number) {
    this.parent = NativeArray.allocate("I64", n, false);
    call("gust_components_begin", this.parent.address, n);
  }

  /** Join the ends of the arcs of a CSR whose row r is node firstRow + r and whose column c is node firstColumn + c. */
  join(
    csr: { readonly indptr: NativeArray<"I64">; readonly indices: Indices },
    firstRow = 0,
    firstColumn = 0,
    numColumns = this.n,
  ): void {
    const { indptr, indices } = csr;
    call(
      "gust_components_join",
      this.parent.address,
      this.n,
      firstRow,
      indptr.length - 1,
      firstColumn,
      numColumns,
      indptr.address,
      indices.length,
      code(indices),
      indices.address,
    );
  }

  sizes(): ComponentSizes {
    const [count, largest, single, ...bins] = callOut(
      3 + LOG_BINS,
      "gust_components_count",
      this.parent.address,
      this.n,
    );
    return { count: count!, largest: largest!, single: single!, bins: withoutTail(bins) };
  }
}

/** Arcs between labelled nodes, self-loops left out. */
export interface LabelledArcs {
  /** Per class: arcs into its nodes, from its nodes, and both. */
  readonly into: readonly number[];
  readonly from: readonly number[];
  readonly inside: readonly number[];
  /** Sum over `nodes` of the share of a node's labelled in-neighbours that have its class. */
  readonly shares: number;
  /** Labelled nodes with a labelled in-neighbour. */
  readonly nodes: number;
}

/** @throws {NativeError} (data) for labels at or above `classes`, or illegal pointers and indices. */
export function labelledArcs(
  indptr: NativeArray<"I64">,
  indices: Indices,
  label: NativeArray<"I32">,
  classes: number,
): LabelledArcs {
  const n = indptr.length - 1;
  needLength("label", label, n);
  const counts = NativeArray.allocate("I64", 3 * classes);
  const sums = new Float64Array(2);
  call(
    "gust_stats_homophily",
    n,
    indptr.address,
    indices.length,
    code(indices),
    indices.address,
    label.address,
    classes,
    counts.address,
    sums,
  );
  const all = counts.toNumbers();
  const part = (i: number) => all.slice(i * classes, (i + 1) * classes);
  return { into: part(0), from: part(1), inside: part(2), shares: sums[0]!, nodes: sums[1]! };
}

function needLength(what: string, array: NativeArray<DType>, length: number): void {
  if (array.length !== length) {
    throw new RangeError(`${what} has ${array.length} elements, expected ${length}`);
  }
}

/** How often each class is among the values, and how many are negative. */
export interface ClassCounts {
  readonly counts: readonly number[];
  readonly negative: number;
}
const classCounts = (counts: NativeArray<"I64">): ClassCounts => {
  const all = counts.toNumbers();
  return { counts: all.slice(0, -1), negative: all.at(-1)! };
};

/** @param mask  chooses values (none: all). @throws {NativeError} (data) for a value >= classes. */
export function countClasses(
  values: NativeArray<"I32">,
  classes: number,
  mask?: NativeArray<"BOOL">,
): ClassCounts {
  if (mask) needLength("mask", mask, values.length);
  const counts = NativeArray.allocate("I64", classes + 1);
  const { length, address } = values;
  call("gust_stats_values", length, address, mask?.address ?? 0, classes, counts.address);
  return classCounts(counts);
}

/** Cells that are not 0 in each column of a matrix, over the rows that a mask chooses. */
export function countColumns(
  values: NativeArray<"U8">,
  columns: number,
  mask?: NativeArray<"BOOL">,
): number[] {
  const rows = columns === 0 ? 0 : values.length / columns;
  if (mask) needLength("mask", mask, rows);
  const counts = NativeArray.allocate("I64", columns);
  call("gust_stats_columns", rows, columns, values.address, mask?.address ?? 0, counts.address);
  return counts.toNumbers();
}

/** Elements that are 0 or -0. */
export function countZeros(array: NativeArray<DType>): number {
  return callOut(1, "gust_stats_zeros", code(array), array.address, array.length)[0]!;
}

/** Least and greatest value, NaN left out; null where there is none. Integers past 2^53 are rounded. */
export function rangeOf(values: Numbers): { least: number; greatest: number } | null {
  if (values.length === 0) return null;
  const real = new Float64Array(2);
  call("gust_stats_range", code(values), values.address, values.length, real);
  return real[0]! <= real[1]! ? { least: real[0]!, greatest: real[1]! } : null;
}

/** Counts of the values in equal bins from low to high. */
export function histogram(values: Numbers, low: number, high: number, bins: number): number[] {
  const counts = NativeArray.allocate("I64", bins);
  call("gust_stats_histogram", code(values), values.address, values.length, low, high, bins, counts.address);
  return counts.toNumbers();
}
