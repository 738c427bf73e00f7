/** Streaming partitioners of a CSR matrix's nodes. */
import type { Csr } from "../core/graph/csr.ts";
import { call, NativeArray } from "./native.ts";
import { checkParts, checkPerNode, csrArguments } from "./native_partition.ts";

/** In which order a stream brings its nodes. Places as in gust.h. */
export const streamOrders = ["natural", "random", "bfs"] as const;

/** What every stream is asked for. */
interface Streamed {
  readonly k: number;
  readonly imbalance: number;
  readonly seed: number;
  readonly passes: number;
  /** By number, drawn, or breadth first along the rows. */
  readonly order: (typeof streamOrders)[number];
}

export interface StreamRequest extends Streamed {
  readonly method: "ldg" | "fennel";
  /** Exponent of Fennel's cost of a part. */
  readonly gamma: number;
}

/**
 * Place nodes one after the other: [n] parts, none larger than imbalance * ceil(n / k), none empty. The matrix is read as
 * it is, a row once per pass: of a directed one a node knows the ends of its own arcs alone.
 *
 * @param ids  [n] original node ids, for draws; null: node numbers.
 */
export function partitionStream(
  a: Csr,
  directed: boolean,
  ids: NativeArray<"I64"> | null,
  { method, k, imbalance, seed, gamma, passes, order }: StreamRequest,
): NativeArray<"I32"> {
  checkParts(a.numRows, k);
  checkPerNode("ids", ids, a.numRows);
  const part = NativeArray.allocate("I32", a.numRows, false);
  call(
    "gust_partition_stream",
    ...csrArguments(a, directed),
    ids?.address ?? 0,
    k,
    imbalance,
    method === "fennel" ? 1 : 0,
    gamma,
    passes,
    streamOrders.indexOf(order),
    seed,
    part.address,
  );
  return part;
}

export interface BufferedRequest extends Streamed {
  /** Nodes per buffer, 1 or more. */
  readonly buffer: number;
  /** Multilevel cycles per buffer; 0: nodes stay where Fennel puts them. */
  readonly cycles: number;
}

/**
 * Place nodes buffer by buffer, each in several ways and improved by the multilevel method with the parts so far as fixed nodes: [n] parts,
 * none larger than imbalance * ceil(n / k), none empty. Memory for n, k and the arcs of a buffer.
 *
 * @param ids  [n] original node ids, for draws; null: node numbers.
 * @throws {NativeError} (data) for weights that are negative or not finite.
 */
export function partitionBuffered(
  a: Csr,
  directed: boolean,
  ids: NativeArray<"I64"> | null,
  { k, imbalance, seed, buffer, passes, order, cycles }: BufferedRequest,
): NativeArray<"I32"> {
  checkParts(a.numRows, k);
  checkPerNode("ids", ids, a.numRows);
  const part = NativeArray.allocate("I32", a.numRows, false);
  call(
    "gust_partition_buffered",
    ...csrArguments(a, directed),
    ids?.address ?? 0,
    k,
    imbalance,
    buffer,
    passes,
    streamOrders.indexOf(order),
    cycles,
    seed,
    part.address,
  );
  return part;
}
