/**
 * In which order a layer's product A X W is computed, forward and backward, and what it keeps in between. A is sparse,
 * n rows by m columns; X is m x Fi, W is Fi x Fo, G is the gradient at the product.
 *
 *   combine-first:    Y = A (X W)     sparse product of width Fo
 *   aggregate-first:  Y = (A X) W     sparse product of width Fi
 *   dW = (A X)^T G  of the A X that was kept, or that is computed again (width Fi),  or  X^T (A^T G)  (width Fo)
 *   dX = (A^T G) W^T  (width Fo, the same A^T G),  or  A^T (G W^T)  (width Fi)
 *
 * All forms are equal but for rounding. Which is cheapest follows from shapes alone, so that the same command takes the
 * same order on every machine.
 *
 * Source: Bazinska et al. 2023, "Cached Operator Reordering: A Unified View for Fast GNN Training".
 */

import { type Order, orders, type ProductForm } from "../tensor/ops/layer_product.ts";

/** A sparse matrix as a product reads it. */
export interface SparseShape {
  readonly rows: number;
  readonly cols: number;
  readonly entries: number;
  /** Bytes that a product streams besides its dense matrices, and that one with the transpose does. */
  readonly streamed: number;
  readonly streamedTransposed: number;
  /** Rows of dense numbers that the product with the transpose streams: of its result, or of what it adds up in place. */
  readonly rowsTransposed: number;
}

/** Sparse features. */
export interface SparseInput extends SparseShape {
  /** Bytes of a copy that dropout makes. */
  readonly droppedBytes: number;
}

/** A layer's product. */
export interface ProductShape {
  readonly operator: SparseShape;
  readonly inWidth: number;
  readonly width: number;
  /** X where it is sparse, which is never aggregated first unless it is written out; null: dense rows. */
  readonly sparseInput: SparseInput | null;
  readonly needsInputGradient: boolean;
  /** Whether the rows of X are multiplied by weights of their own as well, and both products are added. */
  readonly hasOwn: boolean;
  /** Bytes of a number. */
  readonly numberBytes: number;
}

/** What products compute and move: 2 operations per multiply-add, every matrix once, rows by index one per entry. */
export interface ProductWork {
  /** Rows that sparse products read by index: one per entry. */
  readonly sparseReads: number;
  readonly sparseFlops: number;
  readonly sparseBytes: number;
  readonly denseFlops: number;
  readonly denseBytes: number;
}

export const noWork: ProductWork = {
  sparseReads: 0,
  sparseFlops: 0,
  sparseBytes: 0,
  denseFlops: 0,
  denseBytes: 0,
};
export const addWork = (...works: readonly ProductWork[]): ProductWork =>
  works.reduce((a, b) => ({
    sparseReads: a.sparseReads + b.sparseReads,
    sparseFlops: a.sparseFlops + b.sparseFlops,
    sparseBytes: a.sparseBytes + b.sparseBytes,
    denseFlops: a.denseFlops + b.denseFlops,
    denseBytes: a.denseBytes + b.denseBytes,
  }), noWork);

/** The product of a sparse matrix (or of its transpose) with `width` columns. */
export function sparseWork(
  a: SparseShape,
  width: number,
  numberBytes: number,
  transposed = false,
): ProductWork {
  const dense = numberBytes * width * (a.entries + (transposed ? a.rowsTransposed : a.rows));
  return {
    ...noWork,
    sparseReads: a.entries,
    sparseFlops: 2 * a.entries * width,
    sparseBytes: (transposed ? a.streamedTransposed : a.streamed) + dense,
  };
}

/** (m, k) times (k, n). */
export function denseWork(m: number, k: number, n: number, numberBytes: number): ProductWork {
  return { ...noWork, denseFlops: 2 * m * k * n, denseBytes: numberBytes * (m * k + k * n + m * n) };
}

/** Whether the form is what two products in a row, with gradients of their own, compute anyway. */
export const isPlain = ({ order, weightGradient, inputGradient }: ProductForm): boolean =>
  order === "combine-first"
    ? weightGradient === "aggregate-first" && inputGradient !== "combine-first"
    : weightGradient === "kept" && inputGradient !== "aggregate-first";

/** What the products of a layer of this form compute in the forward and in the backward pass. */
export function formWork(shape: ProductShape, form: ProductForm) {
  const { operator: a, inWidth, width, sparseInput, numberBytes, hasOwn } = shape;
  const { order, weightGradient, inputGradient } = form, aggregatesFirst = order === "aggregate-first";
  // Sparse features that are aggregated first have been written out as rows.
  const x = aggregatesFirst ? null : sparseInput;
  const sparse = (of: SparseShape, f: number, t = false) => sparseWork(of, f, numberBytes, t);
  const dense = (m: number, k: number, n: number) => denseWork(m, k, n, numberBytes);
  const forward = aggregatesFirst
    ? [sparse(a, inWidth), dense(a.rows, inWidth, width)]
    : [x ? sparse(x, width) : dense(a.cols, inWidth, width), sparse(a, width)];
  const backward: ProductWork[] = [];
  if (weightGradient === "aggregate-first" || inputGradient === "aggregate-first") {
    backward.push(sparse(a, width, true));
  }
  if (weightGradient === "recomputed") backward.push(sparse(a, inWidth));
  backward.push(
    weightGradient !== "aggregate-first"
      ? dense(inWidth, a.rows, width)
      : x
      ? sparse(x, width, true)
      : dense(inWidth, a.cols, width),
  );
  if (inputGradient === "aggregate-first") backward.push(dense(a.cols, width, inWidth));
  if (inputGradient === "combine-first") {
    backward.push(dense(a.rows, width, inWidth), sparse(a, inWidth, true));
  }
  if (hasOwn) {
    const own = ownWork(shape, form);
    forward.push(own.forward);
    backward.push(own.backward);
  }
  return { forward: addWork(...forward), backward: addWork(...backward) };
}

/** The product of the own rows, and the sums of both: the second to be computed reads what the first gave. */
function ownWork(shape: ProductShape, form: ProductForm) {
  const { operator: a, inWidth, width, sparseInput: x, numberBytes, needsInputGradient } = shape;
  const dense = (m: number, k: number, n: number) => denseWork(m, k, n, numberBytes);
  const read = (product: "sparse" | "dense", rows: number, cols: number): ProductWork => ({
    ...noWork,
    [`${product}Bytes`]: numberBytes * rows * cols,
  });
  const isPlainForm = isPlain(form), endsSparse = form.order === "combine-first" && isPlainForm;
  const isOneProduct = form.order === "aggregate-first" && isPlainForm && !x;
  const forward = isOneProduct
    // Both are one dense product, which writes its result once.
    ? [dense(a.rows, inWidth, width), read("dense", -a.rows, width)]
    : [
      x ? sparseWork(x, width, numberBytes) : dense(a.rows, inWidth, width),
      read(form.order === "combine-first" ? "sparse" : "dense", a.rows, width),
    ];
  const backward = [x ? sparseWork(x, width, numberBytes, true) : dense(inWidth, a.rows, width)];
  if (needsInputGradient) {
    const isSparse = isPlainForm && !endsSparse;
    backward.push(dense(a.rows, width, inWidth), read(isSparse ? "sparse" : "dense", a.rows, inWidth));
  }
  return { forward: addWork(...forward), backward: addWork(...backward) };
}

/**
 * Multiply-adds of a dense product that take as long as one of a sparse product, whose rows lie anywhere in memory, and
 * columns that would take as long as finding a row does: what `gust bench reorder` chose best with.
 */
const SPARSE_COST = 8;
const ROW_COST = 24;

/** The time of products, in multiply-adds of dense ones; every 4 bytes that are moved count as one. */
export const workCost = (
  { sparseReads, sparseFlops, sparseBytes, denseFlops, denseBytes }: ProductWork,
): number =>
  SPARSE_COST * (sparseFlops / 2 + ROW_COST * sparseReads) + denseFlops / 2 + (sparseBytes + denseBytes) / 4;

/** The time of a form, in multiply-adds of dense products. */
export function formCost(shape: ProductShape, form: ProductForm): number {
  const { forward, backward } = formWork(shape, form);
  return workCost(addWork(forward, backward));
}

/** Every form of a product, those that come first preferred among equals: later ones may keep more. */
export function allForms(
  { sparseInput, needsInputGradient }: ProductShape,
  among: readonly Order[] = orders,
): ProductForm[] {
  const gradients = needsInputGradient ? ["aggregate-first", "combine-first"] as const : ["none"] as const;
  return among.flatMap((order): ProductForm[] => {
    // Sparse features are constants that a product with their transpose reads.
    if (sparseInput && order === "combine-first") {
      return [{ order, weightGradient: "aggregate-first", inputGradient: "none" }];
    }
    const kept = order === "aggregate-first" ? ["kept"] as const : [];
    return (["aggregate-first", ...kept, "recomputed"] as const).flatMap((weightGradient) =>
      gradients.flatMap((inputGradient) =>
        // Two products with the transpose, where one does.
        weightGradient === "aggregate-first" && inputGradient === "combine-first"
          ? []
          : [{ order, weightGradient, inputGradient }]
      )
    );
  });
}

/** Which order is taken: the cheaper one of a training step, that of the forward pass alone, or the one that is named. */
export const orderings = ["auto", "forward", ...orders] as const;
export type Ordering = (typeof orderings)[number];

/** The forms to choose from: sparse features are combined first, unless the other order is named. */
export function formsOf(shape: ProductShape, ordering: Ordering): ProductForm[] {
  if (ordering !== "auto" && ordering !== "forward") return allForms(shape, [ordering]);
  if (shape.sparseInput) return allForms(shape, ["combine-first"]);
  if (ordering === "auto") return allForms(shape);
  const costs = orders.map((order) => workCost(formWork(shape, allForms(shape, [order])[0]!).forward));
  return allForms(shape, [orders[costs.indexOf(Math.min(...costs))]!]);
}

/** The cheapest of the forms. */
export function cheapestForm(shape: ProductShape, forms: readonly ProductForm[]): ProductForm {
  const costs = forms.map((form) => formCost(shape, form));
  return forms[costs.indexOf(Math.min(...costs))]!;
}

/** A layer as it is planned, for a person to read. */
export interface LayerPlan {
  readonly layer: number;
  readonly inWidth: number;
  readonly width: number;
  readonly order: Order;
  /** As in ProductForm; null where gradients have one form. */
  readonly weightGradient: ProductForm["weightGradient"] | null;
  readonly inputGradient: ProductForm["inputGradient"] | null;
  /** What is kept from the forward to the backward pass, in a word, and its bytes. */
  readonly keeps: string;
  readonly keptBytes: number;
  readonly forward: ProductWork;
  readonly backward: ProductWork;
}

/** A way to compute a layer: what it costs, and the bytes that it keeps from the forward to the backward pass. */
export interface Choice<P> {
  readonly plan: P;
  readonly cost: number;
  readonly bytes: number;
}

interface Sum<P> {
  readonly plans: readonly P[];
  readonly cost: number;
  readonly bytes: number;
}

/**
 * One choice per layer such that all keep at most `budget` bytes, at the least cost.
 * @returns null where nothing fits, and the bytes that are kept at least.
 */
export function withinBudget<P>(
  layers: readonly (readonly Choice<P>[])[],
  budget: number,
): { readonly plans: readonly P[] | null; readonly leastBytes: number } {
  let sums: readonly Sum<P>[] = [{ plans: [], cost: 0, bytes: 0 }];
  for (const choices of layers) {
    const next = sums.flatMap(({ plans, cost, bytes }) =>
      choices.map((c) => ({ plans: [...plans, c.plan], cost: cost + c.cost, bytes: bytes + c.bytes }))
    ).sort((a, b) => a.bytes - b.bytes || a.cost - b.cost);
    // Of sums that keep more, only cheaper ones are of use.
    let least = Infinity;
    sums = next.filter(({ cost }) => cost < least && (least = cost, true));
  }
  const fitting = sums.filter(({ bytes }) => bytes <= budget);
  return { plans: fitting.at(-1)?.plans ?? null, leastBytes: sums[0]!.bytes };
}
