/** Partitions of a CSR matrix's nodes: the multilevel method, random parts, statistics. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, callOut, cString, NativeArray } from "./native.ts";

/** A matrix as the C functions of partitions take it. */
export const csrArguments = (a: Csr, directed: boolean) =>
  [
    a.numRows,
    a.indptr.address,
    a.indices.address,
    dtypes[a.indices.dtype].code,
    a.values?.address ?? 0,
    a.values ? dtypes[a.values.dtype].code : 0,
    directed ? 1 : 0,
  ] as const;

export function checkParts(n: number, k: number): void {
  // A graph without nodes has one part, which is empty.
  const most = Math.max(n, 1);
  if (!Number.isInteger(k) || k < 1 || k > most) {
    throw new RangeError(`${k} parts of ${n} nodes, expected 1 to ${most}`);
  }
}

/** Refuse an array of one element per node that has another number of them. @throws {RangeError} */
export function checkPerNode(what: "ids" | "parts", array: NativeArray | null | undefined, n: number): void {
  if (array && array.length !== n) throw new RangeError(`${array.length} ${what} of ${n} nodes`);
}

/** How much time partitions are worth, least first. */
export const efforts = ["fast", "default", "best"] as const;
/** How k parts are made: at once, or two at a time. */
export const schemes = ["kway", "bisection"] as const;
/** What is made small: the edges between parts, or the distinct neighbours outside, summed over parts. */
export const objectives = ["cut", "volume"] as const;

export interface MultilevelOptions {
  readonly imbalance: number;
  readonly effort: (typeof efforts)[number];
  readonly scheme: (typeof schemes)[number];
  readonly objective: (typeof objectives)[number];
  readonly seed: number;
  /** [n] each, up to 4: what to balance instead of the number of nodes. */
  readonly weights?: readonly NativeArray<"I64">[];
  /** [n] a partition into k parts to improve, instead of making one. */
  readonly refine?: NativeArray<"I32"> | undefined;
}

/**
 * Parts with a small cut: [n] numbers below k, no part heavier than imbalance * ceil(n / k); by weights as near to
 * imbalance * ceil(sum / k) as the moves of single nodes come.
 * @throws {NativeError} (data) for ids or parts out of range and for weights that are negative or not finite.
 */
export function partitionMultilevel(
  a: Csr,
  directed: boolean,
  k: number,
  { imbalance, effort, scheme, objective, seed, refine, weights = [] }: MultilevelOptions,
): NativeArray<"I32"> {
  checkParts(a.numRows, k);
  checkPerNode("parts", refine, a.numRows);
  const part = refine ? refine.copy() : NativeArray.allocate("I32", a.numRows, false);
  if (weights.some((values) => values.length !== a.numRows)) throw new RangeError("weights of other nodes");
  const rows = NativeArray.allocate("I64", weights.length * a.numRows, false);
  weights.forEach(({ address, sizeBytes }, i) =>
    call("gust_copy", rows.address + i * sizeBytes, address, sizeBytes)
  );
  const method = refine ? 2 : schemes.indexOf(scheme);
  const level = efforts.indexOf(effort);
  call(
    "gust_partition_multilevel",
    ...csrArguments(a, directed),
    rows.address,
    weights.length,
    k,
    imbalance,
    method,
    level,
    objectives.indexOf(objective),
    seed,
    part.address,
  );
  return part;
}

/**
 * Bring a partition that was made elsewhere within imbalance * ceil(n / k), in place, by the moves that cost least; no
 * part stays empty. @throws {NativeError} (data) for parts out of range.
 */
export function levelParts(
  a: Csr,
  directed: boolean,
  part: NativeArray<"I32">,
  k: number,
  imbalance: number,
): void {
  checkParts(a.numRows, k);
  checkPerNode("parts", part, a.numRows);
  call("gust_partition_level", ...csrArguments(a, directed), k, imbalance, part.address);
}

/**
 * Write the undirected simple version as a METIS `.graph` file, with weights where there are any.
 * @returns its edges; a graph without any is not written, since METIS reads none.
 * @throws {NativeError} (io) naming the file.
 */
export function writeMetisGraph(a: Csr, directed: boolean, path: string): number {
  const [edges] = callOut(1, "gust_partition_write_metis", ...csrArguments(a, directed), cString(path)) as [
    number,
  ];
  return edges;
}

/** The parts of n nodes as gpmetis writes them. @throws {NativeError} (io, data) naming file and line. */
export function readMetisParts(path: string, n: number, k: number): NativeArray<"I32"> {
  checkParts(n, k);
  const part = NativeArray.allocate("I32", n, false);
  call("gust_partition_read_metis", cString(path), n, k, part.address);
  return part;
}

/** Random parts whose sizes differ by at most one; the same for any order of the nodes if `ids` are the original ones. */
export function partitionRandom(
  n: number,
  ids: NativeArray<"I64"> | null,
  k: number,
  seed: number,
): NativeArray<"I32"> {
  checkParts(n, k);
  checkPerNode("ids", ids, n);
  const part = NativeArray.allocate("I32", n, false);
  call("gust_partition_random", n, ids?.address ?? 0, k, seed, part.address);
  return part;
}

/**
 * cut: edges between parts, each undirected edge once; halo: sum over parts of distinct neighbours outside; weight:
 * weight of the edges between parts; inside: stored entries whose row and column are in one part.
 * @throws {NativeError} (data) for parts out of range.
 */
export function partitionStatistics(
  a: Csr,
  directed: boolean,
  part: NativeArray<"I32">,
  k: number,
): { cut: number; halo: number; weight: number; inside: number } {
  checkPerNode("parts", part, a.numRows);
  const out = new Float64Array(4);
  call("gust_partition_statistics", ...csrArguments(a, directed), part.address, k, out);
  return { cut: out[0]!, halo: out[1]!, weight: out[2]!, inside: out[3]! };
}
