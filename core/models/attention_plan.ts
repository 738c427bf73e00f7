/**
 * What layers of attention keep from the forward to the backward pass. N nodes, H heads, F columns of all heads, numbers
 * of b bytes; each level keeps X besides, and computes again what the levels above it keep:
 *
 *   none       nothing                                   Z = X W, scores, softmax, sums
 *   feat       Z                     b N F               scores, softmax, sums
 *   feat+node  Z, scores             b N (F + 2 H)       softmax, sums
 *   full       Z, scores, sums       b N (3 F + 5 H)     nothing
 *
 * Source: Bazinska et al. 2023, "Cached Operator Reordering", the levels of its figures. Its fullest one keeps a number
 * and a bit per edge and head; here the sums over edges stand for those (core/tensor/ops/attention.ts).
 */
import { z } from "zod";
import { dtypes } from "../../ffi/dtype.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Pattern } from "../tensor/operator.ts";
import { attention, type AttentionOptions, keptScores } from "../tensor/ops/attention.ts";
import { projectedAttention } from "../tensor/ops/projected_attention.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type FeatureInput, project } from "./model.ts";
import {
  addWork,
  denseWork,
  type LayerPlan,
  noWork,
  type ProductWork,
  type SparseInput,
  sparseWork,
  withinBudget,
  workCost,
} from "./plan.ts";
import { budgetBytes, budgetParam, overBudget, sparseInput } from "./reorder.ts";

/** From what keeps least to what keeps most. */
const levels = ["none", ...keptScores] as const;
type Level = (typeof levels)[number];

export const attentionCacheParams = {
  attentionCache: z.enum(["auto", ...levels]).default("auto").describe(
    "what attention keeps for its gradients besides a layer's input: projected rows (feat), scores of nodes, all sums " +
      "(full); the rest is computed again; auto keeps what --memory-budget allows",
  ),
  memoryBudget: budgetParam,
};
interface CacheParams {
  readonly attentionCache?: "auto" | Level;
  readonly memoryBudget?: string;
}

/** A layer of attention: see ProductPlace. */
export interface AttentionPlace {
  readonly layer: number;
  readonly inWidth: number;
  readonly heads: number;
  /** Columns of all heads. */
  readonly total: number;
  readonly isFirst: boolean;
  readonly makesInput: boolean;
}

/** What levels are planned by: the whole graph, and its features where they are sparse. */
interface Shape {
  readonly nodes: number;
  readonly entries: number;
  readonly indexBytes: number;
  readonly features: SparseInput | null;
  readonly numberBytes: number;
}

/** The layers of a model. */
export class AttentionPlans {
  private readonly places: AttentionPlace[] = [];
  private readonly budget: number | null;
  private readonly budgeted = new WeakMap<Pattern, readonly Level[]>();
  private features: SparseInput | null = null;

  constructor(private readonly params: CacheParams) {
    this.budget = budgetBytes(params);
  }

  add(place: AttentionPlace) {
    const number = this.places.push(place) - 1;
    return (
      tape: Tape,
      x: FeatureInput,
      weight: Tensor,
      left: Tensor,
      right: Tensor,
      options: AttentionOptions,
    ): Tensor => {
      if (place.isFirst) this.features = sparseInput(x);
      const level = this.level(tape, number, options.pattern, dtypes[weight.dtype].size);
      if (level === "none") return projectedAttention(tape, x, weight, left, right, options);
      return attention(tape, project(tape, x, weight), left, right, options, level);
    };
  }

  private level(tape: Tape, number: number, pattern: Pattern, numberBytes: number): Level {
    const { attentionCache = "auto" } = this.params;
    // Outside of training nothing is kept.
    if (this.budget === null || !tape.training) return attentionCache === "auto" ? "full" : attentionCache;
    const known = this.budgeted.get(pattern) ?? this.withinBudget(this.shapeOf(pattern, numberBytes));
    this.budgeted.set(pattern, known);
    return known[number]!;
  }

  private shapeOf(pattern: Pattern, numberBytes: number): Shape {
    return {
      nodes: pattern.numRows,
      entries: pattern.numEntries,
      indexBytes: dtypes[pattern.indices.dtype].size,
      features: this.features,
      numberBytes,
    };
  }

  private withinBudget(shape: Shape): readonly Level[] {
    const { attentionCache = "auto", memoryBudget } = this.params;
    const layers = this.places.map((place) =>
      levels.filter((level) => attentionCache === "auto" || level === attentionCache).map((level) => {
        const { forward, backward } = levelWork(place, shape, level);
        return {
          plan: level,
          cost: workCost(addWork(forward, backward)),
          bytes: keptBytes(place, shape, level),
        };
      })
    );
    const { plans, leastBytes } = withinBudget(layers, this.budget!);
    if (!plans) throw overBudget(memoryBudget, leastBytes);
    return plans;
  }

  /** What training does on these features with this pattern. */
  planned(pattern: Pattern, features: FeatureInput, numberBytes = 4): readonly LayerPlan[] {
    this.features = sparseInput(features, this.places[0]?.makesInput);
    const shape = this.shapeOf(pattern, numberBytes), { attentionCache = "auto" } = this.params;
    const budgeted = this.budget === null ? null : this.withinBudget(shape);
    return this.places.map((place, number) => {
      const level = budgeted?.[number] ?? (attentionCache === "auto" ? "full" : attentionCache);
      return {
        layer: place.layer,
        inWidth: place.inWidth,
        width: place.total,
        order: "combine-first",
        weightGradient: null,
        inputGradient: null,
        keeps: level,
        ...levelWork(place, shape, level),
        keptBytes: keptBytes(place, shape, level),
      };
    });
  }
}

function keptBytes(place: AttentionPlace, shape: Shape, level: Level): number {
  const { inWidth, heads, total, isFirst, makesInput } = place, { nodes, numberBytes } = shape;
  const sparse = isFirst ? shape.features : null;
  const input = !makesInput ? 0 : sparse ? sparse.droppedBytes : numberBytes * nodes * inWidth;
  const own = { "none": 0, "feat": total, "feat+node": total + 2 * heads, "full": 3 * total + 5 * heads };
  return input + numberBytes * nodes * own[level];
}

/** What products and attention of a layer compute and move. */
function levelWork(place: AttentionPlace, shape: Shape, level: Level) {
  const { inWidth, heads, total, isFirst } = place, { nodes: n, entries, indexBytes, numberBytes } = shape;
  const sparse = isFirst ? shape.features : null;
  const projection = sparse
    ? sparseWork(sparse, total, numberBytes)
    : denseWork(n, inWidth, total, numberBytes);
  const edges = 8 * (n + 1) + indexBytes * entries, scores = 2 * n * heads;
  const pass = (sums: number, numbers: number): ProductWork => ({
    ...noWork,
    sparseReads: entries,
    sparseFlops: 2 * sums * entries * total,
    sparseBytes: edges + numberBytes * (entries * total + scores + numbers),
  });
  const kept = n * total + 3 * n * heads;
  const whole = pass(2, n * total + kept), isFull = level === "full";
  const forward = [projection, isFull ? whole : pass(1, n * total)];
  const gradient = pass(2, 5 * n * total + 2 * total + 3 * n * heads + scores);
  const weights = sparse
    ? sparseWork(sparse, total, numberBytes, true)
    : denseWork(inWidth, n, total, numberBytes);
  const backward = [
    ...(level === "none" ? [projection] : []),
    ...(isFull ? [] : [whole]),
    gradient,
    weights,
    ...(isFirst ? [] : [denseWork(n, total, inWidth, numberBytes)]),
  ];
  return { forward: addWork(...forward), backward: addWork(...backward) };
}
