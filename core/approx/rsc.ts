/** Randomized sparse computation: backward products by the rows that matter most, under one budget for all layers. */
import { z } from "zod";
import type { TensorHandle } from "../../ffi/engine.ts";
import { GustError } from "../errors.ts";
import { type Operator, SparseOperator } from "../tensor/operator.ts";
import { allocate, allocations } from "./allocate.ts";
import type { ApproxEntry, Approximation, ApproxReport, ApproxRun } from "./approximation.ts";
import type { LayerOperator, OperatorSet } from "./operators.ts";
import type { Comparison } from "./lengths.ts";
import { ProductMemory } from "./product_memory.ts";
import { SampledOperator } from "./sampled_operator.ts";
import { SampledProduct, type Sampling } from "./sampled_product.ts";

/** Exact epochs before the first allocation, which they measure. */
const WARMUP = 5;
/** Epochs before an allocation that are measured: what came before weighs less than 1/32. */
const MEASURED = 5;

const params = z.object({
  budget: z.number().gt(0).max(1).default(0.1).describe(
    "multiply-adds of the sampled backward products, as a share of those of the exact ones",
  ),
  alloc: z.enum(allocations).default("greedy").describe(
    "how the budget is shared out: by what layers lose, or the same share of rows for all",
  ),
  allocEvery: z.int().min(1).default(10).describe("epochs between two allocations of the budget"),
  cacheEvery: z.int().min(1).default(10).describe(
    "steps between two choices of rows; batches of parts choose in every step",
  ),
  switchAt: z.number().min(0).max(1).default(0.8).describe(
    "share of the epochs after which backward products are exact again",
  ),
  approxMode: z.enum(["topk", "crs"]).default("topk").describe(
    "take the rows with the largest scores, or draw rows in proportion to them, which is unbiased",
  ),
  layerScale: z.enum(["result", "factors"]).default("result").describe(
    "what a layer's losses are divided by: the length of its product, or those of its factors multiplied",
  ),
  compareProducts: z.boolean().default(false).describe(
    "log how far products and gradients of weights are from the exact ones wherever rows are chosen: relative error and " +
      "cosine by layer",
  ),
}).strict();
type Params = z.infer<typeof params>;

/** The first epoch, from 0, whose products are exact again. */
const switchEpoch = ({ switchAt }: Params, epochs: number) => Math.floor(switchAt * epochs);

export const rsc: ApproxEntry = {
  name: "rsc",
  summary: "randomized sparse computation: backward sparse products by their heaviest rows, within a budget",
  source: "Liu et al. 2023, arXiv:2210.10737; Reddit: GCN 95.33, with it 95.13",
  params,
  choosing: ["budget", "alloc", "approxMode", "layerScale"],
  problems(given, epochs, hasStart) {
    const own = params.parse(given), last = switchEpoch(own, epochs);
    if (last > (hasStart ? 0 : WARMUP)) return [];
    if (hasStart) {
      return [
        `--switch-at ${own.switchAt} of ${epochs} epochs leaves none to approximate: every one is exact`,
      ];
    }
    return [
      `--switch-at ${own.switchAt} of ${epochs} epochs leaves none to approximate: the first ${WARMUP} are exact, and so is ` +
      `every one from epoch ${last + 1} on`,
    ];
  },
  create: (run, given) => new RandomizedSparse(run, params.parse(given)),
};

class RandomizedSparse implements Approximation {
  private readonly products: readonly SampledProduct[];
  private readonly sampling: Sampling;
  private readonly memory: ProductMemory;
  private hasBegun = false;
  /** The operators of the last approximated epoch, once it is over. */
  private last: OperatorSet | null = null;

  constructor(private readonly run: ApproxRun, private readonly params: Params) {
    const { engine, seed, numNodes, layers } = run, isStatic = numNodes !== null;
    this.sampling = {
      engine,
      seed,
      mode: params.approxMode,
      layerScale: params.layerScale,
      isStatic,
      cacheEvery: isStatic ? params.cacheEvery : 1,
      scratch: engine.arena(),
      epoch: 0,
      isSampling: false,
      isMeasuring: false,
      start: run.start ?? null,
      isCompared: params.compareProducts,
    };
    this.products = Array.from({ length: layers }, (_, l) => new SampledProduct(this.sampling, l));
    this.memory = new ProductMemory(engine, this.products, numNodes);
  }

  /** The first epoch whose products are exact again. */
  private get end(): number {
    return switchEpoch(this.params, this.run.epochs);
  }

  /** The first epoch whose products are sampled: stored operators need no exact ones before. */
  private get first(): number {
    return this.run.start ? 0 : WARMUP;
  }

  /** Whether an allocation comes before this epoch. */
  private allocatesBefore(epoch: number): boolean {
    const { first } = this;
    if (epoch === 0 || epoch >= this.end) return false;
    return epoch === first || epoch > first && epoch % this.params.allocEvery === 0;
  }

  begin(epoch: number): void {
    if (!this.hasBegun && epoch > 0) this.memory.restore();
    this.hasBegun = true;
    const { sampling } = this;
    sampling.epoch = epoch;
    sampling.isSampling = epoch >= this.first && epoch < this.end;
    const soon = Array.from({ length: MEASURED }, (_, i) => epoch + 1 + i);
    sampling.isMeasuring = soon.some((next) => this.allocatesBefore(next));
  }

  finish(epoch: number): void {
    const { alloc, budget } = this.params;
    if (epoch === 0) this.checkStart();
    if (epoch + 1 === this.end) this.last = this.inUse();
    if (this.allocatesBefore(epoch + 1)) allocate(this.products, alloc, budget, this.sampling.isStatic);
  }

  get isCompared(): boolean {
    return this.params.compareProducts;
  }

  comparesNext(): boolean {
    return this.isCompared && this.products.some((product) => product.width > 0 && product.choosesNext);
  }

  operator(layer: number, exact: Operator): Operator {
    if (!(exact instanceof SparseOperator) || exact.numRows !== exact.numCols) {
      throw new RangeError("a sampled product of an operator that is no square matrix");
    }
    return new SampledOperator(exact, this.products[layer]!);
  }

  /** Every operator that the run begins with has had its product. @throws {GustError} (mismatch) */
  private checkStart(): void {
    const { start } = this.run;
    const idle = start?.used.find((l) => this.products[l]!.width === 0);
    if (idle === undefined) return;
    throw new GustError(
      "mismatch",
      `${start!.label} has an operator for layer ${idle}, which has no backward product here`,
      "make it with the model and the options that are trained: gust cache --operator rsc GRAPH MODEL",
    );
  }

  private inUse(): OperatorSet | null {
    const { products, sampling } = this;
    const layers = products.map(({ width, share, slice, overlaps }): LayerOperator | null =>
      slice && { width, share, slice, overlaps: [...overlaps] }
    );
    const sizes = products.find(({ slice }) => slice)?.sizes;
    if (!sampling.isStatic || !sizes) return null;
    const numEntries = Number(sizes.indptr.at(-1)!);
    const epoch = sampling.isSampling ? sampling.epoch + 1 : sampling.epoch;
    return { epoch, numRows: sizes.indptr.length - 1, numEntries, budget: this.used, layers };
  }

  operators(): OperatorSet | null {
    return this.last ?? this.inUse();
  }

  measure({ epoch, seed }: { epoch: number; seed: number }, step: () => void): void {
    const { sampling, products, params: { alloc, budget } } = this;
    Object.assign(sampling, { epoch, seed, isSampling: false, isMeasuring: true });
    step();
    allocate(products, alloc, budget, sampling.isStatic);
    for (const product of products) product.chooseByNoted();
  }

  /** Multiply-adds of the operators in use over those of the exact ones. */
  private get used(): number {
    const used = this.products.filter(({ width }) => width > 0);
    const sum = (of: (p: SampledProduct) => number) => used.reduce((total, p) => total + p.width * of(p), 0);
    return sum(({ slice }) => slice?.entries ?? 0) / sum(({ sizes }) => Number(sizes!.indptr.at(-1)!));
  }

  report(): ApproxReport {
    const perLayer = <T>(of: (p: SampledProduct) => T) => this.products.map((p) => p.slice ? of(p) : null);
    const timed = (of: (p: SampledProduct) => number) =>
      this.products.map((p) => p.width > 0 && !this.run.engine.isRemote ? of(p) : null);
    const compared = (of: (c: Comparison) => number) => perLayer((p) => p.comparison && of(p.comparison));
    return {
      budget: this.sampling.isSampling ? this.used : 1,
      rows: perLayer(({ slice }) => slice!.chosen.rows.length),
      entries: perLayer(({ slice }) => slice!.entries),
      overlap: perLayer(({ overlap }) => overlap),
      product_ms: timed(({ productMs }) => productMs),
      choose_ms: timed(({ chooseMs }) => chooseMs),
      ...(this.products.some(({ comparison }) => comparison)
        ? {
          error: compared(({ error }) => error),
          cosine: compared(({ cosine }) => cosine),
          compare_ms: this.products.reduce((sum, { compareMs }) => sum + compareMs, 0),
        }
        : {}),
    };
  }

  state(): ReadonlyMap<string, TensorHandle> {
    if (this.hasBegun) this.memory.save();
    return this.memory.named;
  }
}
