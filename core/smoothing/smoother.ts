/** What a smoother is: known labels, and perhaps a model's predictions, spread along the edges of a graph. */
import type { z } from "zod";
import { type Arena, type Engine, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import { Tape } from "../tensor/autograd.ts";
import { Tensor } from "../tensor/tensor.ts";
import { graphOperator } from "../train/full_batch.ts";

/** How neighbours are averaged: D^-1/2 A D^-1/2 or D^-1 A, weights counted and self-loops left out. */
export const smoothingNorms = ["sym", "row"] as const;
export type SmoothingNorm = (typeof smoothingNorms)[number];

/** A graph whose nodes have classes, with float32 working memory. */
export class Field {
  readonly scratch: Arena;

  /**
   * @param known  class of each node whose label may be used; -1 elsewhere.
   */
  constructor(
    readonly engine: Engine,
    readonly arena: Arena,
    readonly graph: Graph,
    readonly known: Int32Array,
    readonly numClasses: number,
  ) {
    this.scratch = engine.arena();
  }

  matrix(zero = false): TensorHandle {
    return this.arena.tensor("F32", [this.known.length, this.numClasses], zero);
  }

  copy(x: TensorHandle): TensorHandle {
    const out = this.matrix();
    this.engine.run("axpby", { x, out, alpha: 1, beta: 0 });
    return out;
  }

  /** A row with a single 1 for every node of a known class, zeros elsewhere. */
  oneHot(): TensorHandle {
    const { numClasses } = this, numRows = this.known.length;
    const all = NativeArray.allocate("F32", numRows * numClasses);
    const rows = Math.floor(2 ** 26 / Math.max(1, numClasses));
    for (let from = 0; from < numRows; from += rows) {
      const count = Math.min(rows, numRows - from);
      const window = all.window(from * numClasses, count * numClasses);
      for (let i = 0; i < count; i++) {
        const c = this.known[from + i]!;
        if (c >= 0) window[i * numClasses + c] = 1;
      }
    }
    const out = this.matrix();
    writeTensor(out, all);
    all.free();
    return out;
  }

  /** [nodes] 1 where the class is known (`on`), or where it is not. */
  mask(on: boolean): TensorHandle {
    return this.arena.bind(
      NativeArray.from<"F32">(Float32Array.from(this.known, (c) => c >= 0 === on ? 1 : 0)),
    );
  }

  /** x = unknown rows of x + fixed, in place: the rows of known classes become those of `fixed`. */
  fixRows(x: TensorHandle, unknown: TensorHandle, fixed: TensorHandle): void {
    this.engine.run("row_scale", { x, scale: unknown, out: x });
    this.engine.run("axpby", { x, y: fixed, out: x, alpha: 1, beta: 1 });
  }

  /** x = x limited to low .. high, in place. */
  clamp(x: TensorHandle, low: number, high: number): void {
    const atLeast = (alpha: number) =>
      this.engine.run("unary", { x, out: x, kind: unaryKinds.max_scalar, alpha });
    const negate = () => this.engine.run("axpby", { x, out: x, alpha: -1, beta: 0 });
    atLeast(low);
    negate();
    atLeast(-high);
    negate();
  }

  /**
   * x(0) = start, x(t + 1) = after(alpha S x(t) + (1 - alpha) start), a fixed number of times. Isolated nodes have no
   * neighbours: their S x is 0. Time: iterations * arcs * classes.
   */
  spread(
    start: TensorHandle,
    { norm, alpha, iterations }: { norm: SmoothingNorm; alpha: number; iterations: number },
    after: (x: TensorHandle) => void = () => {},
  ): TensorHandle {
    const { engine, arena, graph, scratch } = this;
    const operator = graphOperator(engine, arena, graph, norm === "sym" ? "hop1" : "mean");
    const x = this.copy(start);
    for (let t = 0; t < iterations; t++) {
      const product = operator.apply(new Tape(engine, scratch, false), new Tensor(x));
      engine.run("axpby", { x: product.handle, y: start, out: x, alpha, beta: 1 - alpha });
      after(x);
      scratch.reset();
    }
    return x;
  }
}

export interface SmootherEntry extends Entry {
  readonly params: z.ZodObject;
  /** Whether it starts from the predictions of a model. */
  readonly readsPrediction: boolean;
  /**
   * (nodes, classes) scores; the largest of a row is its class.
   * @param base  (nodes, classes) probabilities, where it reads some.
   */
  smooth(field: Field, base: TensorHandle | null, params: Record<string, unknown>): TensorHandle;
}

/** Type the params of an entry from its schema. */
export function defineSmoother<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  readonly readsPrediction: boolean;
  smooth(field: Field, base: TensorHandle | null, params: z.infer<S>): TensorHandle;
}): SmootherEntry {
  return entry as unknown as SmootherEntry;
}
