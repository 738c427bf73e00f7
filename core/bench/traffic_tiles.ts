/**
 * What A (X W) moves in two-dimensional tiles: the closed forms of GCNAX, one tile of the hidden matrix wide enough for
 * all output columns. Counts of tiles are fractions, as in the paper's own tables.
 *
 * Li et al. 2021, GCNAX: A Flexible and Energy-efficient Accelerator for Graph Convolutional Neural Networks, HPCA.
 */

/** A graph convolution of N nodes, K input and C output columns. */
export interface LayerShape {
  readonly nodes: number;
  readonly inWidth: number;
  readonly width: number;
  /** Stored elements of X (N x K) and of A (N x N). */
  readonly nnzX: number;
  readonly nnzA: number;
}

/** fused: a tile of X W is used for all rows of A before the next is made; unfused: X W goes to memory and back. */
export const tileForms = ["fused", "unfused"] as const;
export type TileForm = (typeof tileForms)[number];

/** Elements that cross the memory bus. Those of X and A are sparse: each comes with an index. */
export interface TileElements {
  readonly x: number;
  readonly weights: number;
  /** X W written, where the products are not fused. */
  readonly hidden: number;
  readonly a: number;
  /** X W read back, where the products are not fused. */
  readonly right: number;
  /** The result, and its partial sums on their way to memory and back. */
  readonly out: number;
}

/** `tileRows`: nodes per tile (Tn0 = Tm); larger ones are the whole graph. */
export function tileElements(
  { nodes, inWidth, width, nnzX, nnzA }: LayerShape,
  form: TileForm,
  tileRows: number,
): TileElements {
  const tiles = nodes === 0 ? 0 : nodes / Math.min(tileRows, nodes), dense = nodes * width;
  const common = { x: nnzX, weights: tiles * inWidth * width, a: nnzA };
  return form === "fused"
    ? { ...common, hidden: 0, right: 0, out: 2 * tiles * dense }
    : { ...common, hidden: dense, right: tiles * dense, out: dense };
}

/** The sum of all elements. */
export function totalElements({ x, weights, hidden, a, right, out }: TileElements): number {
  return x + weights + hidden + a + right + out;
}

/** Cycles of `lanes` multipliers on the product with A, its non-zeros spread evenly: padded to whole tiles. */
export function tileCycles({ nodes, width, nnzA }: LayerShape, tileRows: number, lanes: number): number {
  if (nodes === 0) return 0;
  const side = Math.min(tileRows, nodes);
  const density = nnzA / nodes ** 2;
  return density * Math.ceil(nodes / side) ** 2 * side ** 2 * Math.ceil(width / lanes);
}
