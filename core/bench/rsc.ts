/**
 * Randomized sparse computation beside exact training, in whole runs of the library's loop, one after the other: epochs,
 * the backward products inside them, how far these are from the exact ones, and what the weights are worth in the end.
 */
import { z } from "zod";
import { allocations } from "../approx/allocate.ts";
import { approximations } from "../approx/mod.ts";
import type { Graph } from "../graph/graph.ts";
import { models } from "../models/mod.ts";
import { Run, type TrainJob } from "../train/job.ts";
import { type EpochRecord, median } from "../train/run.ts";
import { type BenchResult, defineBenchmark, resultOf, runs, widths } from "./benchmark.ts";
import { statsOf } from "./measure.ts";
import { benchProducts } from "./rsc_products.ts";
import { usualJob, usualParams } from "./train.ts";

/** What a sampled run did; of an exact one, its accuracy and time alone. */
export interface RscResult {
  /** As asked for; 1: exact. */
  readonly budget: number;
  /** Multiply-adds of the backward products over those of the exact ones, at most. */
  readonly used: number;
  /** Milliseconds of all backward products of an epoch, what choosing their rows costs per epoch added. */
  readonly product_ms: number;
  /** Times that the exact run's are longer; 1 for that itself. */
  readonly product_x: number;
  /** The same by layer, and the share of the entries that a layer's product has left. */
  readonly layer_x: readonly (number | null)[];
  readonly layer_share: readonly (number | null)[];
  readonly epoch_x: number;
  readonly run_x: number;
  /** Of the products, by layer, in the mean over the choices of rows: |got - exact| / |exact|, and the cosine. */
  readonly error: readonly (number | null)[];
  readonly cosine: readonly (number | null)[];
  /** The same of the gradients of weights, by their layer. */
  readonly gradient_error: readonly (number | null)[];
  readonly gradient_cosine: readonly (number | null)[];
  /** Rows that two choices have in common over those of either. */
  readonly overlap: readonly (number | null)[];
  readonly test: number;
  readonly run_ms: number;
}

const params = z.object({
  model: z.enum(models.names as [string, ...string[]]).default("gcn").describe("what to train"),
  layers: z.int().min(1).max(64).default(3).describe("layers"),
  hidden: z.int().min(1).default(256).describe("width of the hidden layers"),
  layerNorm: z.string().default("none").describe("normalisation between layers"),
  dropout: z.number().min(0).lt(1).default(0.5).describe("dropout on every layer's input"),
  budgets: z.array(z.number().gt(0).lt(1)).min(1).default([0.05, 0.1, 0.3]).describe(
    "multiply-adds of the sampled products, as shares of the exact ones",
  ),
  alloc: z.enum(allocations).default("greedy").describe("how the budget is shared out"),
  cacheEvery: z.int().min(1).default(10).describe("steps between two choices of rows"),
  epochs: z.int().min(20).max(100000).default(50).describe("epochs of each run"),
  lr: z.number().min(0).default(0.01).describe("learning rate"),
  width: widths.unwrap().default([128]).describe("columns of the one product that is measured by itself"),
  runs,
  turns: z.int().min(1).max(100).default(1).describe("runs of each kind, in turn"),
}).strict();
type Params = z.infer<typeof params>;

/** Epochs of exact training whose next gradient the product by itself multiplies. */
const EPOCHS_BEFORE = 20;

function jobOf(graph: Graph, options: Omit<Params, "width" | "runs" | "turns">, budget: number): TrainJob {
  const { epochs, model, layers, lr, alloc, cacheEvery } = options;
  const job = usualJob(graph, model, { ...options, hops: layers }, {
    epochs,
    evalEvery: epochs,
    lr,
    weightDecay: 0,
  });
  if (budget === 1) return job;
  const given = { budget, alloc, cacheEvery, compareProducts: true };
  return { ...job, approx: { name: "rsc", params: usualParams(approximations.get("rsc"), given) } };
}

interface Ran {
  readonly records: readonly EpochRecord[];
  readonly test: number;
  readonly ms: number;
}

async function train(job: TrainJob, seed: number): Promise<Ran> {
  const run = Run.start(job, seed), records: EpochRecord[] = [];
  try {
    const { test, seconds } = await run.train({ onEpoch: (_, record) => records.push(record) });
    // Training alone would not have compared anything.
    const compared = sum(records.map(({ approx }) => approx?.compare_ms ?? 0));
    return { records, test: test ?? NaN, ms: 1000 * seconds - compared };
  } finally {
    run.close();
  }
}

const sum = (list: readonly (number | null)[]) => list.reduce<number>((total, x) => total + (x ?? 0), 0);
/** By layer, the means of what some epochs report. */
function means(lists: readonly (readonly (number | null)[] | undefined)[]): (number | null)[] {
  const known = lists.filter((list) => list !== undefined);
  return (known[0] ?? []).map((_, l) => {
    const own = known.map((list) => list[l]!).filter((x) => x !== null);
    return own.length ? sum(own) / own.length : null;
  });
}

/** By layer, the medians. */
function medians(lists: readonly (readonly (number | null)[])[]): (number | null)[] {
  return (lists[0] ?? []).map((first, l) => first === null ? null : median(lists.map((list) => list[l]!)));
}

/** Epochs that recorded nothing of their own: neither the first ones, nor those that were scored or compared products. */
const isPlain = ({ epoch, val, approx }: EpochRecord) => epoch > 2 && Number.isNaN(val) && !approx?.error;

/** Budgets beside exact training on a graph. */
export async function benchRsc(
  graph: Graph,
  label: string,
  seed: number,
  options: Params,
): Promise<BenchResult[]> {
  const { budgets, turns, hidden, cacheEvery } = options;
  const kinds = [1, ...budgets], ran = kinds.map((): Ran[] => []);
  for (let r = 0; r < turns; r++) {
    for (const [i, budget] of kinds.entries()) {
      ran[i]!.push(await train(jobOf(graph, options, budget), seed + r));
    }
  }
  const epochsOf = (runs: readonly Ran[], takes: (r: EpochRecord) => boolean) =>
    runs.flatMap(({ records }) => records.filter((record) => isPlain(record) && takes(record)));
  const isSampled = ({ approx }: EpochRecord) => (approx?.budget ?? 1) < 1;
  /** Exact products inside of sampled runs, by layer: where it is exact, a run keeps no account of them. */
  const exactLayers = medians(
    ran.slice(1).flatMap((runs) =>
      epochsOf(runs, (r) => !isSampled(r)).map(({ approx }) => approx!.product_ms)
    ),
  );
  const exactProducts = sum(exactLayers);
  const exactMs = median(ran[0]!.map(({ ms }) => ms));
  const exactEpoch = median(epochsOf(ran[0]!, () => true).map(({ ms }) => ms));
  return kinds.map((budget, i) => {
    const runs = ran[i]!, isExact = budget === 1;
    const epochs = epochsOf(runs, (r) => isExact || isSampled(r)),
      stats = statsOf(epochs.map(({ ms }) => ms));
    const choices = runs.flatMap(({ records }) => records.filter(({ approx }) => approx?.error));
    const chosen = medians(choices.map(({ approx }) => approx!.choose_ms));
    const layers = isExact
      ? exactLayers
      : medians(epochs.map(({ approx }) => approx!.product_ms)).map((ms, l) =>
        ms === null ? null : ms + chosen[l]! / cacheEvery
      );
    const product = sum(layers);
    const test = sum(runs.map(({ test }) => test)) / runs.length, runMs = median(runs.map(({ ms }) => ms));
    const rsc: RscResult = {
      budget,
      used: isExact ? 1 : Math.max(...epochs.map(({ approx }) => approx!.budget)),
      product_ms: product,
      product_x: exactProducts / product,
      layer_x: layers.map((ms, l) => ms === null ? null : exactLayers[l]! / ms),
      layer_share: means(choices.map(({ approx }) => approx!.entries)).map((k) => k && k / graph.numEdges),
      epoch_x: exactEpoch / stats.medianMs,
      run_x: exactMs / runMs,
      error: means(choices.map(({ approx }) => approx!.error)),
      cosine: means(choices.map(({ approx }) => approx!.cosine)),
      gradient_error: means(choices.map(({ approx }) => approx!.gradient_error)),
      gradient_cosine: means(choices.map(({ approx }) => approx!.gradient_cosine)),
      overlap: means(choices.slice(1).map(({ approx }) => approx!.overlap)),
      test,
      run_ms: runMs,
    };
    const name = isExact ? "exact" : `rsc ${budget}`;
    return { ...resultOf({ name, graph: label, width: hidden, dtype: "f32", stats }), rsc };
  });
}

export const rsc = defineBenchmark({
  name: "rsc",
  summary: "training with sampled backward products beside exact training, over budgets",
  source: "Liu et al. 2023, arXiv:2210.10737, tables 2 and 3",
  params,
  generated: () => ({
    model: "sbm",
    params: { nodes: 20_000, degree: 50, features: 64, featureNoise: 6, homophily: 0.3, trainPerClass: 500 },
  }),
  async run(context, options) {
    const { graph, label } = context.graph(), { seed } = context;
    // Training first: it says what does not fit.
    const trained = await benchRsc(graph, label, seed, options), products: BenchResult[] = [];
    for (const hidden of options.width) {
      const job = jobOf(graph, { ...options, hidden, epochs: EPOCHS_BEFORE }, 1);
      products.push(...await benchProducts(job, label, seed, options));
    }
    return [...products, ...trained];
  },
});
