/** Splits of edges and times in native memory. Parts: see splitParts of native_generate.ts. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, callOut, NativeArray } from "./native.ts";

/** Where a graph's arcs lie; the caller has checked them. */
type Arcs = Pick<Csr, "numRows" | "indptr" | "indices">;
/** Times of nodes or arcs, without NaN. */
export type Times = NativeArray<"I64"> | NativeArray<"F64">;
/** Arcs (or items) of part 0, 1, 2, 3. */
export type PartCounts = readonly [number, number, number, number];

const arrays = ({ numRows, indptr, indices }: Arcs) =>
  [numRows, indptr.address, indices.address, dtypes[indices.dtype].code] as const;

function needParts(part: NativeArray<"U8">, count: number): void {
  if (part.length !== count) throw new RangeError(`${part.length} parts, expected ${count}`);
}

/** Bits of the elements at some places of the sorted times. O(count), without a copy. */
export function timesAtRanks(times: Times, ranks: readonly number[]): BigInt64Array {
  const out = new BigInt64Array(ranks.length);
  const places = BigInt64Array.from(ranks, BigInt);
  call(
    "gust_split_at_ranks",
    dtypes[times.dtype].code,
    times.address,
    times.length,
    places,
    ranks.length,
    out,
  );
  return out;
}

/** The bits of a time as timesAtRanks() gives them; whole times take the floor. */
export function timeBits(times: Times, value: number): bigint {
  if (times.dtype === "I64") return BigInt(Math.floor(value));
  return new BigInt64Array(Float64Array.of(value).buffer)[0]!;
}

/** A time out of its bits. */
export function timeOf(times: Times, bits: bigint): number {
  return times.dtype === "I64" ? Number(bits) : new Float64Array(BigInt64Array.of(bits).buffer)[0]!;
}

/** Parts by time: training up to and with one time, validation up to and with another, test after it. */
export function partsByTime(
  times: Times,
  trainUntil: bigint,
  valUntil: bigint,
): { part: NativeArray<"U8">; counts: PartCounts } {
  const part = NativeArray.allocate("U8", times.length, false);
  const { code } = dtypes[times.dtype];
  const range = [trainUntil, valUntil] as const;
  const counts = callOut(
    4,
    "gust_split_by_value",
    code,
    times.address,
    times.length,
    ...range,
    part.address,
  );
  return { part, counts: counts as unknown as PartCounts };
}

/** Hold out edges at random; see gust_split_links. @throws {NativeError} (data) if there are too few. */
export function holdOutLinks(
  arcs: Arcs,
  ids: NativeArray<"I64"> | null,
  options: {
    readonly undirected: boolean;
    readonly seed: number;
    readonly val: number;
    readonly test: number;
  },
): { part: NativeArray<"U8">; counts: PartCounts } {
  if (ids && ids.length !== arcs.numRows) {
    throw new RangeError(`${ids.length} ids, expected ${arcs.numRows}`);
  }
  const { undirected, seed, val, test } = options;
  const part = NativeArray.allocate("U8", arcs.indices.length, false);
  const wanted = [ids?.address ?? 0, undirected ? 1 : 0, seed, val, test, part.address] as const;
  const counts = callOut(4, "gust_split_links", ...arrays(arcs), ...wanted);
  return { part, counts: counts as unknown as PartCounts };
}

/** Of held-out arcs keep one direction: the parts of an undirected graph whose edges were split as arcs. */
export function keepOneDirection(arcs: Arcs, part: NativeArray<"U8">): PartCounts {
  needParts(part, arcs.indices.length);
  return callOut(4, "gust_split_one_direction", ...arrays(arcs), part.address) as unknown as PartCounts;
}

/** Row pointer of the arcs of one part, and how many of these are self-loops. */
export function indptrOfPart(
  arcs: Arcs,
  part: NativeArray<"U8">,
  which: number,
): { indptr: NativeArray<"I64">; selfLoops: number } {
  needParts(part, arcs.indices.length);
  const indptr = NativeArray.allocate("I64", arcs.numRows + 1, false);
  const [selfLoops] = callOut(1, "gust_split_indptr", ...arrays(arcs), part.address, which, indptr.address);
  return { indptr, selfLoops: selfLoops! };
}

/** (source, target) of the `count` arcs of one part: I64 [count, 2], in the order in which they are stored. */
export function pairsOfPart(
  arcs: Arcs,
  part: NativeArray<"U8">,
  which: number,
  count: number,
): NativeArray<"I64"> {
  needParts(part, arcs.indices.length);
  const pairs = NativeArray.allocate("I64", 2 * count, false);
  call("gust_split_pairs", ...arrays(arcs), part.address, which, count, pairs.address);
  return pairs;
}

/**
 * The rows (of `width` elements each) that belong to one part, in pieces of at most `most` rows looked at. A piece is
 * valid until the next one is asked for.
 */
export function* rowsOfPart(
  rows: NativeArray,
  width: number,
  part: NativeArray<"U8">,
  which: number,
  most: number,
): Generator<NativeArray> {
  if (rows.length !== part.length * width) {
    throw new RangeError(`${rows.length} elements, expected ${part.length} rows of ${width}`);
  }
  const { size } = dtypes[rows.dtype];
  const piece = NativeArray.allocate(rows.dtype, Math.min(most, part.length) * width, false);
  try {
    for (let begin = 0; begin < part.length; begin += most) {
      const count = Math.min(most, part.length - begin);
      const from = rows.address + begin * width * size;
      const places = [count, part.address + begin, which, width * size, from, piece.address] as const;
      const [kept] = callOut(1, "gust_split_select", ...places);
      if (kept! > 0) yield piece.slice(0, kept! * width);
    }
  } finally {
    piece.free();
  }
}
