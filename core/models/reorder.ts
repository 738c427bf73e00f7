/** Layers whose product A X W is computed in the order that plan.ts finds cheapest, or that is asked for. */
import { z } from "zod";
import { dtypes } from "../../ffi/dtype.ts";
import type { TensorHandle } from "../../ffi/engine.ts";
import { parseSize, sizeOf } from "../size.ts";
import { GustError } from "../errors.ts";
import type { Tape } from "../tensor/autograd.ts";
import { type Operator, operatorProduct, type Product, SparseOperator } from "../tensor/operator.ts";
import { layerProduct, type ProductForm } from "../tensor/ops/layer_product.ts";
import { SparseFeatures } from "../tensor/sparse_features.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type FeatureInput, project, projection } from "./model.ts";
import {
  cheapestForm,
  formCost,
  formsOf,
  formWork,
  isPlain,
  type LayerPlan,
  type Ordering,
  orderings,
  type ProductShape,
  type SparseInput,
  type SparseShape,
  withinBudget,
} from "./plan.ts";
import { dense } from "./stack.ts";

/** The option of models that can do with less memory. */
export const budgetParam = z.string().refine(
  (text) => text === "none" || (parseSize(text) ?? 0) > 0,
  "expected none, or a number of bytes like 512M or 4G",
).default("none").describe(
  "bytes (512M, 4G) that layers may keep from the forward to the backward pass; the rest is computed again",
);

/** The options of models whose layers are products. */
export const reorderParams = {
  reorder: z.enum(orderings).default("auto").describe(
    "multiply features by the weights first (combine-first), or by the adjacency; auto takes the order that costs a " +
      "training step less, layer by layer, forward looks at the forward pass alone",
  ),
  memoryBudget: budgetParam,
};
export interface ReorderParams {
  readonly reorder?: Ordering;
  readonly memoryBudget?: string;
}

/**
 * The parameters for a run whose products with the transpose are approximated: they cost little, so that the order is
 * the forward pass's.
 */
export function orderedForApproximation(params: Record<string, unknown>): Record<string, unknown> {
  const { reorder = "auto" } = params as ReorderParams;
  return reorder === "auto" ? { ...params, reorder: "forward" } : params;
}

/** A budget in bytes; null: none. */
export const budgetBytes = ({ memoryBudget = "none" }: Pick<ReorderParams, "memoryBudget">): number | null =>
  memoryBudget === "none" ? null : sizeOf(memoryBudget);

/** The refusal of a budget that nothing fits. */
export function overBudget(memoryBudget: string | undefined, leastBytes: number): GustError {
  return new GustError(
    "usage",
    `--memory-budget ${memoryBudget}: the layers keep at least ${leastBytes} bytes for the backward pass`,
    `--memory-budget ${leastBytes}, or clusters of the graph (gust partition)`,
  );
}

const bytesOf = (t: TensorHandle | null | undefined) => t ? t.rows * t.cols * dtypes[t.dtype].size : 0;

/** What a product with the operator reads. */
export function sparseShape({ pattern, scales, order }: SparseOperator): SparseShape {
  const { numRows, numCols, numEntries, indices } = pattern, { values, left, right, diagonal } = scales;
  const both = bytesOf(indices) + bytesOf(values?.handle) + bytesOf(left) + bytesOf(right) +
    bytesOf(diagonal);
  return {
    rows: numRows,
    cols: numCols,
    entries: numEntries,
    streamed: 8 * (numRows + 1) + both + bytesOf(order),
    // The transpose reads the values by the numbers of their entries.
    streamedTransposed: 8 * (numCols + 1) + both + (values && !order ? 8 * numEntries : 0),
    rowsTransposed: numCols,
  };
}

/**
 * The same of sparse features.
 * @param drops  whether dropout will fall on them.
 */
export function sparseInput(features: FeatureInput, drops = false): SparseInput | null {
  if (!(features instanceof SparseOperator)) return null;
  const shape = sparseShape(features), { pattern: { numRows, numEntries, indices }, scales } = features;
  if (!(features instanceof SparseFeatures && features.isNarrow)) {
    return { ...shape, droppedBytes: dtypes[scales.values?.dtype ?? "F32"].size * numEntries };
  }
  // Ones that are left are scaled by their rows.
  const streamed = shape.streamed + (drops && !scales.values && !scales.left ? 4 * numRows : 0);
  const droppedBytes = 8 * (numRows + 1) + bytesOf(indices) + bytesOf(scales.values?.handle);
  return { ...shape, streamed, streamedTransposed: streamed, rowsTransposed: numRows, droppedBytes };
}

/** Where a product stands in its model. */
export interface ProductPlace {
  readonly layer: number;
  readonly inWidth: number;
  readonly width: number;
  /** Whether X are the features, which want no gradient. */
  readonly isFirst: boolean;
  /** Whether training makes an X of its own: of the features by dropout. */
  readonly makesInput: boolean;
  /** Whether X is kept whatever the product reads. */
  readonly keepsInput: boolean;
  /** Whether the rows of X are multiplied by weights of their own as well: X is kept then. */
  readonly hasOwn: boolean;
}

/** The products of a model, in the order of its layers. */
export class ProductPlans {
  private readonly places: ProductPlace[] = [];
  private readonly budget: number | null;
  /** By operator of the first product that asked. */
  private readonly budgeted = new WeakMap<Operator, readonly ProductForm[]>();
  /** The features' shape, where they are sparse: the first product is asked first. */
  private sparseFeatures: SparseInput | null = null;

  constructor(private readonly params: ReorderParams) {
    this.budget = budgetBytes(params);
  }

  /** Add a layer's product: what computes operator @ x @ weight. */
  add(place: ProductPlace): (tape: Tape, operator: Operator, x: FeatureInput, weight: Tensor) => Product {
    const number = this.places.push(place) - 1;
    return (tape, operator, x, weight) => {
      if (operator.addsRows) return projection(operator.apply(tape, x as Tensor), weight);
      // Every other operator stores its entries.
      const a = operator as SparseOperator;
      return productOf(tape, a, x, weight, this.form(tape, number, a, x, weight));
    };
  }

  private form(tape: Tape, number: number, a: SparseOperator, x: FeatureInput, weight: Tensor): ProductForm {
    const numberBytes = dtypes[weight.dtype].size;
    if (this.places[number]!.isFirst) {
      this.sparseFeatures = sparseInput(x);
    }
    // Outside of training nothing is kept.
    if (this.budget !== null && tape.training) {
      const known = this.budgeted.get(a) ?? this.withinBudget(sparseShape(a), numberBytes);
      this.budgeted.set(a, known);
      return known[number]!;
    }
    return this.cheapest(this.shape(number, sparseShape(a), numberBytes));
  }

  private shape(number: number, operator: SparseShape, numberBytes: number): ProductShape {
    const { inWidth, width, isFirst, hasOwn } = this.places[number]!;
    return {
      operator,
      inWidth,
      width,
      hasOwn,
      sparseInput: isFirst ? this.sparseFeatures : null,
      needsInputGradient: !isFirst,
      numberBytes,
    };
  }

  private cheapest(shape: ProductShape): ProductForm {
    return cheapestForm(shape, formsOf(shape, this.params.reorder ?? "auto"));
  }

  private withinBudget(operator: SparseShape, numberBytes: number): readonly ProductForm[] {
    const layers = this.places.map((place, number) => {
      const shape = this.shape(number, operator, numberBytes);
      return formsOf(shape, this.params.reorder ?? "auto").map((form) => ({
        plan: form,
        cost: formCost(shape, form),
        bytes: keptBytes(place, shape, form),
      }));
    });
    const { plans, leastBytes } = withinBudget(layers, this.budget!);
    if (!plans) throw overBudget(this.params.memoryBudget, leastBytes);
    return plans;
  }

  /** What training does on features with this operator. */
  planned(a: SparseOperator, features: FeatureInput, numberBytes = 4): readonly LayerPlan[] {
    this.sparseFeatures = sparseInput(features, this.places[0]?.makesInput);
    const operator = sparseShape(a);
    const budgeted = this.budget === null ? null : this.withinBudget(operator, numberBytes);
    return this.places.map((place, number) => {
      const shape = this.shape(number, operator, numberBytes);
      const form = budgeted?.[number] ?? this.cheapest(shape), isKept = form.weightGradient === "kept";
      const { layer, inWidth, width } = place;
      return {
        layer,
        inWidth,
        width,
        ...form,
        keeps: !isKept ? "X" : place.keepsInput || place.hasOwn ? "X, AX" : "AX",
        keptBytes: keptBytes(place, shape, form),
        ...formWork(shape, form),
      };
    });
  }
}

/** Bytes that a product keeps from the forward to the backward pass. */
function keptBytes(
  { makesInput, keepsInput, hasOwn }: ProductPlace,
  { operator, inWidth, sparseInput, numberBytes }: ProductShape,
  { order, weightGradient }: ProductForm,
): number {
  const readsInput = weightGradient !== "kept", rows = numberBytes * operator.cols * inWidth;
  // Sparse features are kept by their values, or as the rows that they were written out as.
  const written = sparseInput && order === "aggregate-first" && readsInput ? rows : 0;
  const isRead = keepsInput || hasOwn || (readsInput && written === 0);
  const input = makesInput && isRead ? (sparseInput ? sparseInput.droppedBytes : rows) : 0;
  return input + written + (readsInput ? 0 : numberBytes * operator.rows * inWidth);
}

/** operator @ x @ weight in this form, still to be computed but for what is multiplied first. */
function productOf(
  tape: Tape,
  a: SparseOperator,
  x: FeatureInput,
  weight: Tensor,
  form: ProductForm,
): Product {
  const { order } = form;
  if (x instanceof SparseOperator && order === "combine-first") {
    return operatorProduct(a, project(tape, x, weight));
  }
  const rows = x instanceof Tensor ? x : dense(tape, x, weight);
  if (!isPlain(form)) return layerProduct(a, rows, weight, form);
  return order === "combine-first"
    ? operatorProduct(a, project(tape, rows, weight))
    : projection(a.apply(tape, rows), weight);
}
