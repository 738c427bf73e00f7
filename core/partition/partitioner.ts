/** What a partitioner is. */
import type { z } from "zod";
import type { NativeArray } from "../../ffi/native.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import type { NodeWeight } from "./weights.ts";

export interface PartitionRequest {
  /** Parts, 1 .. number of nodes. */
  readonly k: number;
  /** No part is heavier than this times ceil(n / k). */
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
  /** [n] part of each node. */
  partition(graph: Graph, request: PartitionRequest, params: Record<string, unknown>): NativeArray<"I32">;
}

/** Type the params from the entry's schema. */
export function definePartitioner<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params?: S;
  readonly refines?: true;
  readonly weighs?: true;
  partition(graph: Graph, request: PartitionRequest, params: z.infer<S>): NativeArray<"I32">;
}): PartitionerEntry {
  return entry as unknown as PartitionerEntry;
}
