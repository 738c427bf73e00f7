/**
 * One backward product, exact beside sampled: what each part of the sampled one takes, and what it gives. The matrix that is
 * multiplied is a gradient that reached the product of a hidden layer after some epochs of exact training.
 */
import { type Arena, type Engine, type TensorHandle } from "../../ffi/engine.ts";
import { rowsWithin } from "../approx/allocate.ts";
import { compare } from "../approx/lengths.ts";
import { type RowSizes, rowSizes } from "../approx/row_sizes.ts";
import { bestRows, type Chosen } from "../approx/rows.ts";
import { type Slice, sliceRows } from "../approx/slice.ts";
import { GustError } from "../errors.ts";
import { Tape } from "../tensor/autograd.ts";
import { type Operator, Pattern, SparseOperator, storedEntries } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Run, type TrainJob } from "../train/job.ts";
import { type BenchResult, resultOf } from "./benchmark.ts";
import { measure, type Stats, type Subject } from "./measure.ts";
import { recorded } from "./spmm.ts";

/** What a line is of: a part of the sampled product, or all of it together, choices of rows shared by several products. */
export type ProductPart = "exact" | "scores" | "choice" | "slice" | "sampled" | "all";

export interface RscProduct {
  readonly part: ProductPart;
  /** Most entries of the chosen rows, as a share of all; null: of every budget. */
  readonly budget: number | null;
  /** Times that the exact product takes as long; null where a line is no whole product. */
  readonly speedup: number | null;
  /** Of the sampled product: shares of rows and of entries, |got - exact| / |exact|, and the cosine. */
  readonly rows: number | null;
  readonly entries: number | null;
  readonly error: number | null;
  readonly cosine: number | null;
}

export interface ProductOptions {
  readonly budgets: readonly number[];
  /** Products that a choice of rows serves. */
  readonly cacheEvery: number;
  readonly runs: number;
}

/** An exact operator that hands on what its gradient is made from. */
class TappedOperator extends SparseOperator {
  constructor(private readonly exact: SparseOperator, private readonly take: (g: Tensor) => void) {
    super(exact.pattern, exact.scales, exact.order);
  }

  override transpose(tape: Tape): SparseOperator {
    return this.exact.transpose(tape);
  }

  override applyTransposed(tape: Tape, g: Tensor, addend: Tensor | null): Tensor {
    this.take(g);
    return this.exact.applyTransposed(tape, g, addend);
  }
}

interface Tapped {
  readonly layer: number;
  readonly operator: SparseOperator;
  /** What the operator's transpose is multiplied by. */
  readonly g: TensorHandle;
}

/** The widest matrix that a backward product of the run's next step multiplies, of equals the one nearest to the input. */
function widestGradient(run: Run): Tapped | null {
  const { engine } = run, found: Tapped[] = [];
  run.rehearse((layer, operator: Operator) => {
    const exact = storedEntries(operator, "bench rsc");
    return new TappedOperator(exact, ({ handle }) => {
      const g = engine.once(() => engine.persistent.tensor("F32", [handle.rows, handle.cols]));
      engine.run("axpby", { x: handle, out: g, alpha: 1, beta: 0 });
      found.push({ layer, operator: exact, g });
    });
  });
  return found.toSorted((a, b) => b.g.cols - a.g.cols || a.layer - b.layer)[0] ?? null;
}

/**
 * Time the backward product of a hidden layer for every budget, all in turn.
 * @param job  exact training, whose gradient after its epochs is multiplied.
 * @throws {GustError} (data) if no backward product is with the adjacency.
 */
export async function benchProducts(
  job: TrainJob,
  label: string,
  seed: number,
  options: ProductOptions,
): Promise<BenchResult[]> {
  const run = Run.start(job, seed);
  try {
    await run.train();
    const tapped = widestGradient(run);
    if (!tapped) {
      throw new GustError(
        "data",
        `${label}: no gradient of ${job.model.name} is multiplied by the adjacency`,
        "a first layer alone needs none: more --layers",
      );
    }
    const lines = timed(run.engine, tapped, options), { layer, g } = tapped;
    const note =
      `product: of layer ${layer}, whose gradient is ${g.rows} x ${g.cols}, after ${job.options.epochs} epochs`;
    return lines.map(({ name, stats, product }) => ({
      ...resultOf({ name, graph: label, width: g.cols, dtype: "f32", stats }),
      rsc_product: product,
      notes: [note],
    }));
  } finally {
    run.close();
  }
}

interface Line {
  readonly name: string;
  readonly stats: Stats;
  readonly product: RscProduct;
}

/** What a budget is measured with. */
interface Sampled {
  readonly budget: number;
  readonly chosen: Chosen;
  readonly slice: Slice;
  readonly out: TensorHandle;
  /** Choosing rows, slicing them, multiplying by them. */
  readonly subjects: readonly [Subject, Subject, Subject];
}

const partsOfSampled = ["choice", "slice", "sampled"] as const;

function timed(
  engine: Engine,
  { operator, g }: Tapped,
  { budgets, cacheEvery, runs }: ProductOptions,
): Line[] {
  const kept = engine.arena(), scratch = engine.arena();
  const whole = operator.transpose(new Tape(engine, kept, true)), x = new Tensor(g);
  const out = kept.tensor("F32", [whole.numRows, g.cols]), sizes = rowSizes(engine, operator);
  const exact = recorded(engine, () => engine.run("spmm", { ...whole.productArgs(x), out }));
  const scores = kept.tensor("F32", [g.rows]);
  const scoring = recorded(engine, () => engine.run("row_norm", { x: g, scale: sizes.norms, out: scores }));
  scoring.run(1);
  const sampled = budgets.map((budget) =>
    sampledAt(budget, { engine, kept, operator, whole, sizes, scores, x })
  );
  const [exactStats, scoreStats, ...rest] = measure(
    [exact, scoring, ...sampled.flatMap(({ subjects }) => subjects)],
    runs,
  ) as [Stats, Stats, ...Stats[]];
  const part = (part: ProductPart, budget: number | null = null): RscProduct => ({
    part,
    budget,
    speedup: null,
    rows: null,
    entries: null,
    error: null,
    cosine: null,
  });
  const ofBudget = ({ budget, chosen, slice, out, subjects }: Sampled, b: number): Line[] => {
    const own = rest.slice(b * subjects.length, (b + 1) * subjects.length) as [Stats, Stats, Stats];
    scratch.reset();
    subjects[2].run(1);
    const all = together([scoreStats, own[0], own[1]], cacheEvery, own[2]);
    const result: RscProduct = {
      ...part("all", budget),
      speedup: exactStats.medianMs / all.medianMs,
      rows: chosen.rows.length / g.rows,
      entries: slice.entries / whole.pattern.numEntries,
      ...compare({ engine, scratch }, whole.productArgs(x), out),
    };
    return [
      ...partsOfSampled.map((name, i): Line => ({
        name: `${name} ${budget}`,
        stats: own[i]!,
        product: name === "sampled"
          ? { ...part(name, budget), speedup: exactStats.medianMs / own[i]!.medianMs }
          : part(name, budget),
      })),
      { name: `all ${budget}`, stats: all, product: result },
    ];
  };
  return [
    { name: "exact product", stats: exactStats, product: { ...part("exact"), speedup: 1 } },
    { name: "scores", stats: scoreStats, product: part("scores") },
    ...sampled.flatMap(ofBudget),
  ];
}

/** A product, and what is done once for every `share` of them. */
function together(seldom: readonly Stats[], share: number, always: Stats): Stats {
  const sum = (of: (s: Stats) => number) => seldom.reduce((total, s) => total + of(s) / share, of(always));
  const { spread, runs } = always;
  return { medianMs: sum(({ medianMs }) => medianMs), minMs: sum(({ minMs }) => minMs), spread, runs };
}

interface Product {
  readonly engine: Engine;
  readonly kept: Arena;
  readonly operator: SparseOperator;
  /** Its transpose. */
  readonly whole: SparseOperator;
  readonly sizes: RowSizes;
  readonly scores: TensorHandle;
  readonly x: Tensor;
}

function sampledAt(budget: number, { engine, kept, operator, whole, sizes, scores, x }: Product): Sampled {
  const choose = (arena: Arena) => bestRows(engine, arena, scores, rowsWithin(scores, sizes, budget));
  const chosen = choose(kept), slice = sliceRows(engine, kept, operator, sizes, chosen);
  const { pattern: { numRows, numCols }, scales } = whole;
  const multiplied = new SparseOperator(
    new Pattern(kept, numRows, numCols, slice.indptr, slice.indices),
    scales,
    slice.order,
  );
  const out = kept.tensor("F32", [numRows, x.cols]);
  /** Everything it makes is thrown away. */
  const again = (body: (arena: Arena) => void): Subject => {
    const arena = engine.arena();
    return {
      run(repeat) {
        for (let r = 0; r < repeat; r++) {
          arena.reset();
          body(arena);
        }
      },
    };
  };
  return {
    budget,
    chosen,
    slice,
    out,
    subjects: [
      again(choose),
      again((arena) => sliceRows(engine, arena, operator, sizes, chosen)),
      recorded(engine, () => engine.run("spmm", { ...multiplied.productArgs(x), out })),
    ],
  };
}
