/** Degrees, components and the like of a graph document's arcs, of one CSR or of many relations. */
import { findAsymmetric, findRowDescent, graphStats } from "../../ffi/native_checks.ts";
import type { NativeArray } from "../../ffi/native.ts";
import {
  Components,
  type Distribution,
  type Indices,
  lengthDistribution,
  occurrenceDistribution,
} from "../../ffi/native_statistics.ts";
import type { Document } from "../format/document.ts";

/** How many values lie in from .. to. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Least, mean and greatest of some counts, and how they spread over bins that double in width. */
export interface Spread {
  readonly least: number;
  readonly mean: number;
  readonly greatest: number;
  readonly bins: readonly Bin[];
}

/** Bins 0, 1, 2-3, 4-7, ... from the first that is filled. */
export function logBins(counts: readonly number[]): Bin[] {
  const first = Math.max(0, counts.findIndex((count) => count > 0));
  return counts.map((count, b) => ({ from: b === 0 ? 0 : 2 ** (b - 1), to: b === 0 ? 0 : 2 ** b - 1, count }))
    .slice(first);
}

export const spreadOf = ({ least, greatest, bins }: Distribution, items: number, n: number): Spread => ({
  least,
  mean: n === 0 ? 0 : items / n,
  greatest,
  bins: logBins(bins),
});

/** The arcs of one relation: row r comes from the nodes `indices[indptr[r] .. indptr[r+1])`. */
export interface Arcs {
  readonly indptr: NativeArray<"I64">;
  readonly indices: Indices;
  /** First node of the rows and of the columns. */
  readonly firstRow: number;
  readonly firstColumn: number;
  readonly numColumns: number;
}

export interface Relation {
  readonly name: string;
  readonly src: string;
  readonly dst: string;
}

/** The relations of a typed graph; null for a homogeneous one. */
export const relationsOf = (doc: Document) => (doc.meta["relations"] ?? null) as readonly Relation[] | null;

/** First node and number of nodes of each type. */
export function typeRanges(doc: Document): Map<string, { first: number; count: number }> {
  const types = (doc.meta["node_types"] ?? []) as string[];
  const counts = (doc.meta["node_counts"] ?? []) as number[];
  let first = 0;
  return new Map(types.map((type, i) => {
    const range = { first, count: counts[i]! };
    first += range.count;
    return [type, range];
  }));
}

export function arcsOf(doc: Document, relation: Relation | null): Arcs {
  const prefix = relation ? `rel/${relation.name}/` : "";
  const types = typeRanges(doc);
  const columns = relation ? types.get(relation.src)! : { first: 0, count: doc.meta["num_nodes"] as number };
  return {
    indptr: doc.tensor(`${prefix}indptr`, "I64"),
    indices: doc.tensor(`${prefix}indices`, "I32", "I64") as Indices,
    firstRow: relation ? types.get(relation.dst)!.first : 0,
    firstColumn: columns.first,
    numColumns: columns.count,
  };
}

/** Facts of the arcs between nodes of one kind, or of two. */
export interface ArcStatistics {
  readonly self_loops: number;
  /** Arcs beyond the first between the same two nodes. */
  readonly duplicate_edges: number;
  /** Arcs but self-loops over the pairs of nodes that could have one: 1 is a complete graph, more has parallel arcs. */
  readonly density: number;
  readonly degrees: { readonly in: Spread; readonly out: Spread };
}

/** @param isSquare  whether rows and columns are the same nodes. */
export function arcStatistics({ indptr, indices, numColumns }: Arcs, isSquare: boolean): ArcStatistics {
  const rows = indptr.length - 1;
  const counted = graphStats(indptr, indices);
  const loops = isSquare ? counted.selfLoops : 0;
  const possible = isSquare ? rows * (rows - 1) : rows * numColumns;
  const spread = (distribution: Distribution, n: number) => spreadOf(distribution, indices.length, n);
  return {
    self_loops: loops,
    duplicate_edges: counted.duplicateEdges,
    density: possible === 0 ? 0 : (indices.length - loops) / possible,
    degrees: {
      in: spread(lengthDistribution(indptr, indices.length), rows),
      out: spread(occurrenceDistribution(numColumns, indices), numColumns),
    },
  };
}

export interface ComponentStatistics {
  readonly count: number;
  /** Nodes of the largest. */
  readonly largest: number;
  readonly bins: readonly Bin[];
}

/** Weakly connected components over all arcs, and nodes without an arc to another node. */
export function componentStatistics(
  n: number,
  all: readonly Arcs[],
): { components: ComponentStatistics; isolated_nodes: number } {
  const components = new Components(n);
  for (const arcs of all) components.join(arcs, arcs.firstRow, arcs.firstColumn, arcs.numColumns);
  const { count, largest, single, bins } = components.sizes();
  return { components: { count, largest, bins: logBins(bins) }, isolated_nodes: single };
}

/** Share of the arcs whose reverse is stored too; null where rows are not sorted by index, or there are none. */
export function reciprocity({ indptr, indices }: Arcs): number | null {
  if (indices.length === 0 || findRowDescent(indptr, indices, false).count > 0) return null;
  return 1 - findAsymmetric(indptr, indices).count / indices.length;
}
