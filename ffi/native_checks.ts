/** Checks of whole arrays: how many elements break a rule, and the first of them. */
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, type NativeArray, toNumber } from "./native.ts";
import type { Functions } from "./runtime.ts";
import type { SymbolName } from "./symbols.ts";

/** `count` places break the rule, the first at `place` with `value` (meaning: see each check), which may be any int64. */
export interface Found {
  readonly count: number;
  readonly place: number;
  readonly value: number | bigint;
}

type Ints = NativeArray<"I32"> | NativeArray<"I64"> | NativeArray<"U8"> | NativeArray<"BOOL">;
type Indices = NativeArray<"I32"> | NativeArray<"I64">;
export type Ordered = Indices | NativeArray<"F32"> | NativeArray<"F64">;

/** Call a check, whose last argument takes what it found. */
function find<N extends SymbolName>(
  name: N,
  ...args: Parameters<Functions[N]> extends [...infer Head, unknown] ? Head : never
): Found {
  const out = new BigInt64Array(3);
  call(name, ...([...(args as unknown[]), out] as unknown as Parameters<Functions[N]>));
  const [count, place, value] = out as unknown as [bigint, bigint, bigint];
  const isSafe = Number.isSafeInteger(Number(value));
  return { count: toNumber(count), place: toNumber(place), value: isSafe ? Number(value) : value };
}
const code = (array: NativeArray<DType>) => dtypes[array.dtype].code;

function needLength(what: string, array: NativeArray<DType>, length: number): void {
  if (array.length !== length) {
    throw new RangeError(`${what} has ${array.length} elements, expected ${length}`);
  }
}

/** Infinite or not-a-number elements. */
export function findNotFinite(
  array: NativeArray<"F64"> | NativeArray<"F32"> | NativeArray<"F16"> | NativeArray<"BF16">,
): Found {
  return find("gust_check_finite", code(array), array.address, array.length);
}

/** Elements outside low .. high, both included. */
export function findOutside(array: Ints, low: number, high: number): Found {
  return find("gust_check_range", code(array), array.address, array.length, low, high);
}

/** Elements below the one before (or equal to it, if strict). */
export function findDescent(array: Ordered, strict: boolean): Found {
  return find("gust_check_ascending", code(array), array.address, array.length, strict ? 1 : 0);
}

/** The same inside rows: `place` is the row, `value` the item. @throws {NativeError} (data) for an illegal indptr. */
export function findRowDescent(indptr: NativeArray<"I64">, values: Ordered, strict: boolean): Found {
  const rows = indptr.length - 1;
  return find(
    "gust_check_rows",
    indptr.address,
    rows,
    values.length,
    code(values),
    values.address,
    strict ? 1 : 0,
  );
}

/** Elements of segment s outside low[s] .. high[s] - 1. @throws {NativeError} (data) for illegal pointers. */
export function findOutsideSegments(
  ptr: NativeArray<"I64">,
  values: Ints,
  low: NativeArray<"I64">,
  high: NativeArray<"I64">,
): Found {
  const segments = ptr.length - 1;
  needLength("low", low, segments);
  needLength("high", high, segments);
  return find(
    "gust_check_bounded",
    ptr.address,
    segments,
    values.length,
    code(values),
    values.address,
    low.address,
    high.address,
  );
}

/** Elements that are outside 0 .. length-1 or come a second time. */
export function findNotPermuted(values: NativeArray<"I64">): Found {
  return find("gust_check_permutation", values.address, values.length);
}

/** Nodes of segment s of `order` whose group is not s. @throws {NativeError} (data) for illegal pointers. */
export function findMisgrouped(
  ptr: NativeArray<"I64">,
  order: NativeArray<"I64">,
  group: NativeArray<"I32">,
): Found {
  needLength("group", group, order.length);
  return find("gust_check_grouped", ptr.address, ptr.length - 1, order.address, group.address, order.length);
}

/** Places where two masks are both set. */
export function findBothSet(a: NativeArray<"BOOL">, b: NativeArray<"BOOL">): Found {
  needLength("b", b, a.length);
  return find("gust_check_disjoint", a.address, b.address, a.length);
}

/** Elements that two ascending lists share; `value` is the first. */
export function findCommon(a: NativeArray<"I64">, b: NativeArray<"I64">): Found {
  return find("gust_check_no_common", a.address, a.length, b.address, b.length);
}

/** Arcs without their reverse: `place` is the row, `value` the column. Rows must be sorted. */
export function findAsymmetric(indptr: NativeArray<"I64">, indices: Indices): Found {
  return find(
    "gust_check_symmetric",
    indptr.address,
    indptr.length - 1,
    indices.length,
    code(indices),
    indices.address,
  );
}

export interface GraphStats {
  readonly selfLoops: number;
  readonly duplicateEdges: number;
  /** Rows without entries: nodes without in-neighbours. */
  readonly emptyRows: number;
  readonly minDegree: number;
  readonly maxDegree: number;
}

/** Counts of a square CSR, rows in any order. */
export function graphStats(indptr: NativeArray<"I64">, indices: Indices): GraphStats {
  const out = callOut(
    5,
    "gust_graph_stats",
    indptr.address,
    indptr.length - 1,
    indices.length,
    code(indices),
    indices.address,
  );
  const [selfLoops, duplicateEdges, emptyRows, minDegree, maxDegree] = out as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { selfLoops, duplicateEdges, emptyRows, minDegree, maxDegree };
}
