/** How often neighbours share a class, in four usual measures. */
import type { LabelledArcs } from "../../ffi/native_statistics.ts";

/** Self-loops and arcs with an unlabelled end are left out; parallel arcs count as often as they are stored. */
export interface Homophily {
  /** Arcs that were counted. */
  readonly arcs: number;
  /** Share of the arcs whose ends have the same class. */
  readonly edge: number;
  /**
   * Mean over the nodes with a labelled in-neighbour of the share of these that have the node's class.
   * Source: Pei et al. 2020, arXiv:2002.05287, section 1.
   */
  readonly node: number;
  /**
   * Mean over the classes but one of how far the share of arcs that stay inside exceeds the class's share of the
   * nodes. Null for fewer than two classes. Source: Lim et al. 2021, arXiv:2110.14446, equation 1.
   */
  readonly class_insensitive: number | null;
  /**
   * Edge homophily less what classes of these degrees give by chance, over the most it could be: the assortativity
   * coefficient. Null where all arcs are in one class. Source: Platonov et al. 2023, arXiv:2209.06177, section 2.
   */
  readonly adjusted: number | null;
}

/**
 * The measures from the counts.
 *
 * @param classSizes  labelled nodes of each class.
 * @returns null where no arc joins two labelled nodes.
 */
export function homophily(
  { into, from, inside, shares, nodes }: LabelledArcs,
  classSizes: readonly number[],
): Homophily | null {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const arcs = sum(into);
  if (arcs === 0) return null;
  const labelled = sum(classSizes);
  const classes = classSizes.length;
  const edge = sum(inside) / arcs;
  const excess = inside.map((same, c) =>
    into[c] ? Math.max(0, same / into[c] - classSizes[c]! / labelled) : 0
  );
  const expected = sum(into.map((count, c) => (count / arcs) * (from[c]! / arcs)));
  return {
    arcs,
    edge,
    node: shares / nodes,
    class_insensitive: classes > 1 ? sum(excess) / (classes - 1) : null,
    adjusted: expected < 1 ? (edge - expected) / (1 - expected) : null,
  };
}
