/** What a partitioner is. */
import type { z } from "zod";
import type { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import type { NodeWeight } from "./weights.ts";

export interface PartitionRequest {
  /** Parts, 1 .. number of nodes (or edges); 0 where the method finds their number. */
  readonly k: number;
  /** No part is heavier than this times ceil(n / k), for methods that take k. */
  readonly imbalance: number;
  readonly seed: number;
  /** What to balance instead of the number of nodes: for partitioners with `weighs`. */
  readonly weights?: readonly NodeWeight[] | undefined;
  /** [n] parts below k to improve: for partitioners with `refines`. */
  readonly refine?: NativeArray<"I32"> | undefined;
}

export interface PartitionerEntry extends Entry {
  /** Whether it balances weights of nodes. */
  readonly weighs?: true;
  /** Whether it improves a partition that is given. */
  readonly refines?: true;
  /** Whether the number of parts is given or comes out. */
  readonly parts: "given" | "found";
  /** What is shared out. */
  readonly of: "nodes" | "edges";
  /** [n] part of each node, or [e] of each stored edge. Found parts are 0 .. k-1 and none is empty. */
  partition(graph: Graph, request: PartitionRequest, params: Record<string, unknown>): NativeArray<"I32">;
}

/** Type the params from the entry's schema. By default k is given and nodes are partitioned. */
export function definePartitioner<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly parts?: PartitionerEntry["parts"];
  readonly of?: PartitionerEntry["of"];
  readonly params?: S;
  readonly refines?: true;
  readonly weighs?: true;
  partition(graph: Graph, request: PartitionRequest, params: z.infer<S>): NativeArray<"I32">;
}): PartitionerEntry {
  return { parts: "given", of: "nodes", ...entry } as unknown as PartitionerEntry;
}

/**
 * Refuse a partition to refine, or weights to balance, where the method has no use for them.
 * @throws {GustError} (usage)
 */
export function checkApplies(
  { name, refines, weighs }: PartitionerEntry,
  given: { readonly refine?: unknown; readonly balance?: unknown },
): void {
  const unfit = given.refine !== undefined && !refines
    ? "refine"
    : given.balance !== undefined && !weighs
    ? "balance"
    : undefined;
  if (unfit) throw new GustError("usage", `--${unfit} does not apply to partitioner "${name}"`);
}

/**
 * The k of a request: what was asked for, 0 where the method finds the parts.
 * @throws {GustError} (usage) for a k that is missing or of no use.
 */
export function partsAsked({ name, parts }: PartitionerEntry, k: number | undefined): number {
  if (parts === "found") {
    if (k === undefined) return 0;
    throw new GustError(
      "usage",
      `-k ${k}: partitioner "${name}" finds the number of parts itself`,
      `leave out -k, or use a method that takes it, such as "--method multilevel"`,
    );
  }
  if (k !== undefined) return k;
  throw new GustError(
    "usage",
    `Partitioner "${name}" needs the number of parts, expected -k`,
    "gust partition GRAPH -k 32; --order NAME alone orders the whole graph",
  );
}
