/**
 * The gradient of one layer's sparse product, A^T G, by the rows of A and G that matter most.
 *
 * A^T G is the sum over rows i of (row i of A)^T (row i of G). Rows are scored by s_i = |A_i| |G_i|; the k best are taken
 * as they are (topk), or k are drawn with replacement in proportion to their scores and weighted by 1 / (k p_i), which is
 * unbiased (crs). The matrix of the chosen rows, transposed, is kept and multiplied by the rows of later G until rows
 * are chosen anew. The diagonal is no part of it: a node never loses its own gradient.
 *
 * The sampled matrix takes the exact one's place in the slots of the same product, so that a planned step serves exact
 * and sampled epochs alike.
 *
 * Source: Liu et al. 2023, arXiv:2210.10737, sections 3.1 to 3.3.
 */
import { type Arena, type Engine, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { Tape } from "../tensor/autograd.ts";
import { Pattern, SparseOperator } from "../tensor/operator.ts";
import { Random } from "../tensor/rng.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { StoredLayer, StoredOperators } from "./operators.ts";
import { compare, type Comparison, lengthOf } from "./lengths.ts";
import { matrixLength, type RowSizes, rowSizes } from "./row_sizes.ts";
import { bestRows, type Chosen, drawnRows, overlapOf, usefulRows } from "./rows.ts";
import { type Slice, sliceRows } from "./slice.ts";

/** Rows that are taken at least, where there are as many. */
export const LEAST_ROWS = 10;

/** What the products of a run have in common, and what the epoch asks of them. */
export interface Sampling {
  readonly engine: Engine;
  seed: number;
  readonly mode: "topk" | "crs";
  /** What losses of layers are divided by: the length of the product, or those of its factors multiplied. */
  readonly layerScale: "result" | "factors";
  /** Whether all steps have the same rows. */
  readonly isStatic: boolean;
  /** Steps between two choices of rows. */
  readonly cacheEvery: number;
  /** Results of the moment. */
  readonly scratch: Arena;
  /** Number of the epoch, for draws. */
  epoch: number;
  /** Whether products are sampled, or exact. */
  isSampling: boolean;
  /** Whether products are compared with the exact ones where rows are chosen. */
  readonly isCompared?: boolean;
  /** Whether scores and lengths are noted for the next allocation. */
  isMeasuring: boolean;
  /** What the first steps multiply by; null or absent: they choose. */
  readonly start?: StoredOperators | null;
}

const parts = ["indptr", "indices", "order", "right"] as const;
/** What the product of a matrix reads besides its values. */
type Parts = Pick<Slice, (typeof parts)[number]>;

export class SampledProduct {
  /** Share of the rows that the next choice takes: of all, or of those with a score where steps have rows of their own. */
  share = 1;
  /** Steps that were sampled. */
  age = 0;
  /** Columns of G; 0: there has been no such product yet. */
  width = 0;
  /** The length that losses are divided by, half of it the newest one. */
  length = NaN;
  /** The scores of the rows, in the same way: F32 [rows]. */
  scores: TensorHandle | null = null;
  /** Rows that the last two choices have in common over those of either. */
  overlap: number | null = null;
  /** The same of all choices, oldest first. */
  readonly overlaps: number[] = [];
  /** Milliseconds of the last product, and of the choice before it: 0 where none was made. */
  productMs = 0;
  chooseMs = 0;
  /** Of comparing it with the exact one, 0 where that was not done. */
  compareMs = 0;
  /** How the last product compares with the exact one; null: they were not compared. */
  comparison: Comparison | null = null;
  /** The rows of the operator of the last step. */
  sizes: RowSizes | null = null;
  slice: Slice | null = null;
  /** The operator whose entries chose rows last. */
  private scored: SparseOperator | null = null;
  /** What a resumed run goes on with. */
  private restored: Chosen | null = null;
  /** Whether this step chose rows. */
  private hasChosen = false;
  private readonly arena: Arena;

  /** @param layer  which one, for draws. */
  constructor(private readonly sampling: Sampling, private readonly layer: number) {
    this.arena = sampling.engine.arena();
  }

  /**
   * The transpose of `exact` times g, or the sampled product in its place.
   * @param scored  the operator whose entries choose the rows.
   */
  apply(tape: Tape, exact: SparseOperator, scored: SparseOperator, g: Tensor): Tensor {
    const { engine, arena } = tape;
    const whole = exact.transpose(tape), { pattern, scales } = whole;
    const { indptr, indices } = pattern, { order } = whole;
    const right = this.sampling.mode === "topk" ? null : scales.right ?? ones(engine, arena, pattern.numCols);
    const all: Parts = { indptr, indices, order, right };
    const alias = (t: TensorHandle) => arena.reshape(t, [t.rows]);
    const slots: Parts = {
      indptr: alias(indptr),
      indices: alias(indices),
      order: order && alias(order),
      right: right && alias(right),
    };
    let start = 0;
    engine.hostStep([g.handle], ([g]) => {
      const used = this.prepare(exact, scored, g!) ?? all;
      for (const part of parts) if (slots[part]) engine.redirect(slots[part], used[part]!);
      start = performance.now();
    });
    const sampled = new SparseOperator(
      new Pattern(arena, pattern.numRows, pattern.numCols, slots.indptr, slots.indices),
      slots.right ? { ...scales, right: slots.right } : scales,
      slots.order,
    );
    const result = sampled.apply(tape, g);
    const { values } = scales;
    engine.hostStep([g.handle, result.handle, ...(values ? [values.handle] : [])], ([g, result, values]) => {
      this.productMs = performance.now() - start;
      this.comparison = null;
      this.compareMs = 0;
      if (this.sampling.isCompared && this.hasChosen) {
        const operands = { ...whole.productArgs(new Tensor(g!)), values }, clock = performance.now();
        this.comparison = compare(this.sampling, operands, result!);
        this.compareMs = performance.now() - clock;
      }
      this.measure(result!);
    });
    return result;
  }

  /** Whether the next product goes on with a stored operator. */
  private get beginsNext(): boolean {
    const { isSampling, start } = this.sampling;
    return isSampling && this.age === 0 && !!start;
  }

  /** Whether the next product chooses its rows. */
  get choosesNext(): boolean {
    const { isSampling, cacheEvery } = this.sampling;
    return isSampling && this.age % cacheEvery === 0 && !this.beginsNext;
  }

  /** What the next product multiplies by; null: the whole matrix. */
  private prepare(
    exact: SparseOperator,
    scored: SparseOperator,
    g: TensorHandle,
  ): Slice | null {
    const { engine, scratch, isSampling, isMeasuring, layerScale, start } = this.sampling;
    const sizes = this.sizes = rowSizes(engine, scored);
    this.width = g.cols;
    this.scored = scored;
    if (this.beginsNext) this.begin(start!.layer(this.layer, g.cols), exact, sizes);
    const chooses = this.hasChosen = this.choosesNext;
    const clock = performance.now();
    if (isMeasuring || chooses) {
      scratch.reset();
      // s_i = |A_i| |G_i|
      const scores = scratch.tensor("F32", [g.rows]);
      engine.run("row_norm", { x: g, scale: sizes.norms, out: scores });
      if (isMeasuring) {
        this.note(scores);
        if (layerScale === "factors") this.follow(matrixLength(sizes) * lengthOf(this.sampling, g));
      }
      if (chooses) this.choose(exact, sizes, scores);
    }
    this.chooseMs = chooses ? performance.now() - clock : 0;
    if (!isSampling) {
      this.slice = this.restored = null;
      return null;
    }
    this.age++;
    return this.slice ??= sliceRows(engine, this.arena, exact, sizes, this.restored!);
  }

  /** Go on with a stored operator. */
  private begin({ share, chosen, check }: StoredLayer, exact: SparseOperator, sizes: RowSizes): void {
    this.share = share;
    this.slice = sliceRows(this.sampling.engine, this.arena, exact, sizes, chosen);
    check(this.slice);
  }

  /** Choose rows by the scores that were noted last, outside of a step. */
  chooseByNoted(): void {
    if (this.scores) this.choose(this.scored!, this.sizes!, this.scores);
  }

  /** How many of the noted scores are above 0. */
  countUseful(): number {
    const { engine, scratch } = this.sampling;
    return this.scores ? usefulRows(engine, scratch, this.scores) : 0;
  }

  private choose(exact: SparseOperator, sizes: RowSizes, scores: TensorHandle): void {
    const { engine, isStatic, mode, scratch, seed, epoch } = this.sampling;
    // Rows without a score are never taken.
    const useful = usefulRows(engine, scratch, scores);
    const k = Math.min(
      useful,
      Math.max(LEAST_ROWS, Math.round(this.share * (isStatic ? scores.rows : useful))),
    );
    const random = new Random({ seed, stream: "sampled rows", epoch, step: this.age, layer: this.layer });
    const chosen = mode === "topk" ? bestRows(engine, scratch, scores, k) : drawnRows(scores, k, random);
    const before = this.chosen?.rows;
    this.restored = null;
    this.overlap = before ? overlapOf(before, chosen.rows) : null;
    if (this.overlap !== null) this.overlaps.push(this.overlap);
    this.arena.reset();
    this.slice = sliceRows(engine, this.arena, exact, sizes, chosen);
  }

  /** Let the averages follow the scores. */
  private note(scores: TensorHandle): void {
    const { engine, isStatic } = this.sampling;
    // Batches have other rows each: the last one's stand for all.
    if (this.scores && this.scores.rows !== scores.rows) {
      engine.free(this.scores);
      this.scores = null;
    }
    const before = isStatic ? this.scores : null;
    this.scores ??= engine.persistent.tensor("F32", [scores.rows]);
    engine.run("axpby", {
      x: scores,
      y: before,
      out: this.scores,
      alpha: before ? 0.5 : 1,
      beta: before ? 0.5 : 0,
    });
  }

  private measure(result: TensorHandle): void {
    const { isMeasuring, layerScale } = this.sampling;
    if (isMeasuring && layerScale === "result") this.follow(lengthOf(this.sampling, result));
  }

  private follow(length: number): void {
    this.length = Number.isNaN(this.length) ? length : 0.5 * length + 0.5 * this.length;
  }

  /** The rows that are in use. */
  get chosen(): Chosen | null {
    return this.slice?.chosen ?? this.restored;
  }

  /** Go on with the rows whose weights are not zero. */
  restoreChosen(weights: Float32Array): void {
    const rows = Int32Array.from(weights.keys()).filter((i) => weights[i] !== 0);
    this.restored = { rows, list: null, weights: this.sampling.mode === "crs" ? weights : null };
  }

  restoreScores(scores: Float32Array): void {
    this.scores = this.sampling.engine.persistent.tensor("F32", [scores.length]);
    writeTensor(this.scores, NativeArray.from(scores));
  }
}

function ones(engine: Engine, arena: Arena, count: number): TensorHandle {
  return engine.once(() => {
    const out = arena.tensor("F32", [count]);
    engine.run("fill", { out, value: 1 });
    return out;
  });
}
