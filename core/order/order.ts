/** What an order of nodes is. */
import type { z } from "zod";
import type { NativeArray } from "../../ffi/native.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";

export interface OrderEntry extends Entry {
  /**
   * [n] the nodes grouped by part, each part in this order.
   * @param part  [n] parts below k; null: one part.
   */
  order(
    graph: Graph,
    part: NativeArray<"I32"> | null,
    k: number,
    params: Record<string, unknown>,
  ): NativeArray<"I64">;
}

/** Type the params from the entry's schema. */
export function defineOrder<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params?: S;
  order(
    graph: Graph,
    part: NativeArray<"I32"> | null,
    k: number,
    params: z.infer<S>,
  ): NativeArray<"I64">;
}): OrderEntry {
  return entry as unknown as OrderEntry;
}
