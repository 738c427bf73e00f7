/**
 * A small eager tape: every differentiable op runs at once and leaves an entry; `grad()` walks the entries backwards.
 *
 * Backward functions are made of ops themselves, so with `createGraph` their own entries are kept and gradients of
 * gradients work. There is no global state: a tape owns its scope's arena, and what was made on it is gone with it.
 */
import type { Arena, Engine } from "../../ffi/engine.ts";
import type { DType } from "../../ffi/dtype.ts";
import { addFromTop } from "./ops/epilogue.ts";
import { padRows } from "./ops/rows.ts";
import { Parameter, Tensor } from "./tensor.ts";

/** What a backward function sees of its forward call. */
export interface Call<P, S> {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly params: P;
  readonly saved: S;
}

/** A differentiable op: forward and backward are a pair in one file. */
export interface Op<P, S = undefined> {
  readonly name: string;
  forward(tape: Tape, inputs: readonly Tensor[], params: P): { output: Tensor; saved: S };
  /**
   * Gradients of the inputs (null: none flows), made of ops on `tape`. Called only where `needs[i]` is true. One with
   * fewer rows than its input stands for zeros below.
   *
   * @param take  what input i has got from others so far, to be a term of the gradient that is returned: a product adds
   * it while its rows are in the cache. What is not taken is added afterwards.
   */
  backward(
    tape: Tape,
    call: Call<P, S>,
    g: Tensor,
    needs: readonly boolean[],
    take: (input: number) => Tensor | null,
  ): (Tensor | null)[];
  /** The same function made of simpler ops: used instead when a graph of the gradient, or of parameters' uses, is asked for. */
  decompose?(tape: Tape, inputs: readonly Tensor[], params: P): Tensor;
  /** Which input is a weight and which input it is applied to: reported to `onParameterUse`. */
  readonly parameterUse?: { readonly weight: number; readonly input: number };
}

/** One use of a parameter in a forward pass, with the gradient at its output: enough for per-sample norms. */
export interface ParameterUse {
  readonly parameter: Parameter;
  /** (rows, in) what the weight was applied to; null where it was applied to a sparse constant. */
  readonly input: Tensor | null;
  /** (rows, out) gradient of the loss at the product. */
  readonly outputGradient: Tensor;
  /** Row ranges of the graphs of a many-graph batch, or null. */
  readonly graphPointer: Tensor | null;
}

// Entries of all ops share one list.
// deno-lint-ignore no-explicit-any
type AnyOp = Op<any, any>;
// deno-lint-ignore no-explicit-any
type AnyCall = Call<any, any>;

interface Entry {
  readonly op: AnyOp;
  readonly call: AnyCall;
}

export class Tape {
  private entries: Entry[] = [];
  private recording = true;
  /** Called during grad() for every use of a parameter by an op that declares `parameterUse`. */
  onParameterUse: ((use: ParameterUse) => void) | null = null;
  /** Row ranges of graphs for onParameterUse. */
  graphPointer: Tensor | null = null;

  private askedForTraining = false;

  /** @param inTraining  what dropout and its like ask for. */
  constructor(readonly engine: Engine, readonly arena: Arena, private readonly inTraining = false) {}

  /** Whether this is a step of training; asked only where the answer makes a difference. */
  get training(): boolean {
    this.askedForTraining = true;
    return this.inTraining;
  }

  /** Whether what has run so far would be the same outside of training: nobody asked. */
  get isSameInEvaluation(): boolean {
    return !this.askedForTraining;
  }

  /** A fresh tensor in this tape's arena. */
  tensor(dtype: DType, shape: readonly number[], zero = false): Tensor {
    return new Tensor(this.arena.tensor(dtype, shape, zero), false);
  }

  /** Run an op and leave an entry if a gradient can flow through it. */
  apply<P, S>(op: Op<P, S>, inputs: readonly Tensor[], params: P): Tensor {
    const { output, saved } = op.forward(this, inputs, params);
    if (!this.recording || !inputs.some((x) => x.requiresGrad)) return output;
    const result = new Tensor(output.handle, true);
    this.entries.push({ op, call: { inputs, output: result, params, saved } });
    return result;
  }

  /** Run `body` without leaving entries. */
  noGrad<T>(body: () => T): T {
    const before = this.recording;
    this.recording = false;
    try {
      return body();
    } finally {
      this.recording = before;
    }
  }

  /** A constant with the same value: no gradient flows through it. */
  detach(x: Tensor): Tensor {
    return new Tensor(x.handle, false);
  }

  /**
   * Gradients of sum(seed * of) with respect to `wrt`, null where `of` does not depend on it.
   *
   * @param seed  gradient at `of`; by default `of` must be one number and the seed is 1.
   * @param createGraph  keep entries of the backward pass, so that the results can be differentiated again.
   */
  grad(
    of: Tensor,
    wrt: readonly Tensor[],
    { seed, createGraph = false }: { seed?: Tensor; createGraph?: boolean } = {},
  ): (Tensor | null)[] {
    return this.walk(of, wrt, seed ?? this.ones(of), createGraph, 0);
  }

  /** Back-propagate `seed` from `of` to `wrt` through the entries from number `start` on. */
  private walk(
    of: Tensor,
    wrt: readonly Tensor[],
    seed: Tensor,
    createGraph: boolean,
    start: number,
  ): (Tensor | null)[] {
    const gradients = new Map<Tensor, Tensor>();
    gradients.set(of, seed);
    const wanted = this.reaches(wrt, start);
    const before = this.recording;
    this.recording = createGraph;
    try {
      // Entries added while we walk (createGraph) belong to the backward pass and are not walked.
      for (let i = this.entries.length - 1; i >= start; i--) {
        const { op, call } = this.entries[i]!;
        const held = gradients.get(call.output);
        if (!held || !wanted.has(call.output)) continue;
        const g = padRows(this, held, call.output.rows);
        const needs = call.inputs.map((x) => x.requiresGrad && wanted.has(x));
        const take = (k: number) => {
          const sum = gradients.get(call.inputs[k]!) ?? null;
          gradients.delete(call.inputs[k]!);
          return sum;
        };
        this.reportUse(op, call, g);
        const results = op.decompose && (createGraph || this.hidesUse(call))
          ? this.gradOfDecomposition(op, call, g, needs, createGraph)
          : op.backward(this, call, g, needs, take);
        results.forEach((result, k) => {
          if (!result || !needs[k]) return;
          const input = call.inputs[k]!;
          const sum = gradients.get(input);
          gradients.set(input, sum ? addFromTop(this, sum, result) : result);
        });
        if (!wrt.includes(call.output)) gradients.delete(call.output);
      }
      return wrt.map((x) => {
        const g = gradients.get(x);
        return g ? padRows(this, g, x.rows) : null;
      });
    } finally {
      this.recording = before;
    }
  }

  private gradOfDecomposition(
    op: AnyOp,
    call: AnyCall,
    g: Tensor,
    needs: readonly boolean[],
    createGraph: boolean,
  ): (Tensor | null)[] {
    const start = this.entries.length, before = this.recording;
    this.recording = true;
    const output = op.decompose!(this, call.inputs, call.params);
    this.recording = before;
    // Only the decomposition's own entries are walked: its inputs may depend on one another further up. An input that
    // is given twice gets the gradient of both uses at its first place.
    const isFirst = (x: Tensor, k: number) => needs[k] === true && call.inputs.indexOf(x) === k;
    const results = this.walk(output, call.inputs.filter(isFirst), g, createGraph, start);
    if (!createGraph) this.entries.length = start;
    let next = 0;
    return call.inputs.map((x, k) => isFirst(x, k) ? results[next++]! : null);
  }

  /** Whether a parameter's use inside a fused op is asked for. */
  private hidesUse(call: AnyCall): boolean {
    return this.onParameterUse !== null && call.inputs.some((x) => x instanceof Parameter);
  }

  /** Tensors whose value depends on one of `wrt` (and `wrt` themselves). */
  private reaches(wrt: readonly Tensor[], start: number): Set<Tensor> {
    const reached = new Set(wrt);
    for (const { call } of this.entries.slice(start)) {
      if (call.inputs.some((x) => reached.has(x))) reached.add(call.output);
    }
    return reached;
  }

  private reportUse(op: AnyOp, call: AnyCall, g: Tensor): void {
    const use = op.parameterUse;
    if (!this.onParameterUse || !use) return;
    const parameter = call.inputs[use.weight];
    if (!(parameter instanceof Parameter)) return;
    this.onParameterUse({
      parameter,
      input: use.input < 0 ? null : call.inputs[use.input]!,
      outputGradient: g,
      graphPointer: this.graphPointer,
    });
  }

  private ones(of: Tensor): Tensor {
    if (of.size !== 1) throw new RangeError(`grad() of a tensor of ${of.size} elements needs a seed`);
    const one = this.tensor(of.dtype, of.shape);
    this.engine.run("fill", { out: one.handle, value: 1 });
    return one;
  }
}
