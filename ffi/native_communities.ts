/** Communities of high modularity. */
import type { Csr } from "../core/graph/csr.ts";
import { call, NativeArray } from "./native.ts";
import { checkPerNode, csrArguments } from "./native_partition.ts";

export interface CommunityRequest {
  readonly method: "louvain" | "leiden";
  readonly resolution: number;
  /** Times to start again from what came out, 1 or more. */
  readonly rounds: number;
  readonly seed: number;
}

/**
 * [n] communities of the undirected simple version, numbered by first appearance without gaps.
 *
 * @param ids  [n] original node ids, for draws; null: node numbers.
 * @throws {NativeError} (data) for ids out of range and for weights that are negative or not finite.
 */
export function findCommunities(
  a: Csr,
  directed: boolean,
  ids: NativeArray<"I64"> | null,
  { method, resolution, rounds, seed }: CommunityRequest,
): NativeArray<"I32"> {
  checkPerNode("ids", ids, a.numRows);
  const part = NativeArray.allocate("I32", a.numRows, false);
  call(
    "gust_partition_communities",
    ...csrArguments(a, directed),
    ids?.address ?? 0,
    method === "leiden" ? 1 : 0,
    resolution,
    rounds,
    seed,
    part.address,
  );
  return part;
}

/** Modularity of k parts: -0.5 .. 1 at resolution 1; 0 without edges. @throws {NativeError} (data) for parts out of range. */
export function modularity(
  a: Csr,
  directed: boolean,
  part: NativeArray<"I32">,
  k: number,
  resolution: number,
): number {
  checkPerNode("parts", part, a.numRows);
  const out = new Float64Array(1);
  call("gust_partition_modularity", ...csrArguments(a, directed), part.address, k, resolution, out);
  return out[0]!;
}
