/** Ways to keep rows of the right operand on chip, and what each of them finds there: exact counts over a graph. */
import { NativeArray } from "../../ffi/native.ts";
import { pinnedHits, type PinRule, recentHits, type RowOrder } from "../../ffi/native_traffic.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkPointer } from "../graph/arcs.ts";
import type { Csr } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import type { Reuse } from "./traffic_model.ts";

/**
 * - none: every row from memory, as MatRaptor (Srivastava et al. 2020).
 * - lru: the rows that were used last, as the shared cache of GAMMA (Zhang et al. 2021).
 * - hdn-global: the same rows all the time, of the nodes of highest degree.
 * - hdn-cluster: per part of a partition the rows of its nodes of highest degree, as GROW (Hwang et al. 2023).
 */
export const rowPolicies = ["none", "lru", "hdn-global", "hdn-cluster"] as const;
export type RowPolicy = (typeof rowPolicies)[number];

/** The parts of a partition: their nodes, one part after the other, and where each begins. */
export interface Parts {
  readonly order: NativeArray<"I64">;
  readonly ptr: NativeArray<"I64">;
  readonly label: string;
}

/**
 * @throws {GustError} (mismatch) for a partition of another graph, (data) for parts that do not cover it.
 */
export function partsOf(partition: Document, graph: Graph): Parts {
  checkMadeFrom(partition, graph.document);
  checkPointer(partition, "part_ptr", graph.numNodes);
  const order = partition.tensor("order", "I64");
  if (order.length !== graph.numNodes) {
    throw new GustError(
      "data",
      `Cannot read ${partition.label}: tensor "order" holds ${order.length} nodes, expected ${graph.numNodes}`,
    );
  }
  return { order, ptr: partition.tensor("part_ptr", "I64"), label: partition.label };
}

export interface Capacity {
  /** Rows that the cache holds; of them, rows that each part pins. */
  readonly cacheRows: number;
  readonly pinPerPart: number;
  readonly pin: PinRule;
}

/**
 * What a policy finds on chip. Rows are walked part after part where there are parts, else by number.
 * @throws {GustError} (missing) for hdn-cluster without parts.
 */
export function reuseOf(policy: RowPolicy, a: Csr, parts: Parts | null, capacity: Capacity): Reuse {
  const { cacheRows, pinPerPart, pin } = capacity, order: RowOrder = parts?.order ?? null;
  switch (policy) {
    case "none":
      return { hits: 0, preloaded: 0, keepsMisses: false };
    case "lru":
      return { hits: recentHits(a, order, cacheRows), preloaded: 0, keepsMisses: true };
    case "hdn-global": {
      const ptr = NativeArray.from<"I64">(BigInt64Array.of(0n, BigInt(a.numRows)));
      const { pinned, hits } = pinnedHits(a, { order, ptr }, cacheRows, "members");
      return { hits, preloaded: pinned, keepsMisses: false };
    }
    case "hdn-cluster": {
      if (!parts) {
        throw new GustError(
          "missing",
          "--policy hdn-cluster: no partition among the inputs, expected one",
          "gust partition GRAPH -k 32 | gust bench traffic -",
        );
      }
      const { pinned, hits } = pinnedHits(a, parts, pinPerPart, pin);
      return { hits, preloaded: pinned, keepsMisses: false };
    }
  }
}
