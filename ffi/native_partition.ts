/** Partitions of a CSR matrix's nodes: the multilevel method, random parts, statistics. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, NativeArray } from "./native.ts";

const arrays = (a: Csr, directed: boolean) =>
  [
    a.numRows,
    a.indptr.address,
    a.indices.address,
    dtypes[a.indices.dtype].code,
    a.values?.address ?? 0,
    a.values ? dtypes[a.values.dtype].code : 0,
    directed ? 1 : 0,
  ] as const;

function checkParts(n: number, k: number): void {
  if (!Number.isInteger(k) || k < 1 || k > n) throw new RangeError(`${k} parts of ${n} nodes, expected 1 to ${n}`);
}

/**
 * Parts with a small cut: [n] numbers below k, no part heavier than imbalance * ceil(n / k).
 *
 * @param cycles  V-cycles after the first pass.
 * @throws {NativeError} (data) for ids out of range and for weights that are negative or not finite.
 */
export function partitionMultilevel(
  a: Csr,
  directed: boolean,
  k: number,
  { imbalance, cycles, seed }: { readonly imbalance: number; readonly cycles: number; readonly seed: number },
): NativeArray<"I32"> {
  checkParts(a.numRows, k);
  const part = NativeArray.allocate("I32", a.numRows, false);
  call("gust_partition_multilevel", ...arrays(a, directed), k, imbalance, cycles, seed, part.address);
  return part;
}

/** Random parts whose sizes differ by at most one; the same for any order of the nodes if `ids` are the original ones. */
export function partitionRandom(n: number, ids: NativeArray<"I64"> | null, k: number, seed: number): NativeArray<"I32"> {
  checkParts(n, k);
  if (ids && ids.length !== n) throw new RangeError(`${ids.length} ids of ${n} nodes`);
  const part = NativeArray.allocate("I32", n, false);
  call("gust_partition_random", n, ids?.address ?? 0, k, seed, part.address);
  return part;
}

/**
 * cut: edges between parts, each undirected edge once; halo: sum over parts of distinct neighbours outside; weight:
 * weight of the edges between parts. @throws {NativeError} (data) for parts out of range.
 */
export function partitionStatistics(
  a: Csr,
  directed: boolean,
  part: NativeArray<"I32">,
  k: number,
): { cut: number; halo: number; weight: number } {
  if (part.length !== a.numRows) throw new RangeError(`${part.length} parts of ${a.numRows} nodes`);
  const out = new Float64Array(3);
  call("gust_partition_statistics", ...arrays(a, directed), part.address, k, out);
  return { cut: out[0]!, halo: out[1]!, weight: out[2]! };
}
