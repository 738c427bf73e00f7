/** Gradients of weights in approximated steps beside those of the same steps with exact products. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import type { Rehearsal } from "../train/rehearsal.ts";
import type { Batch, Feedback } from "../train/source.ts";
import type { Parameter } from "../tensor/tensor.ts";
import { comparePairs, type Comparison } from "./lengths.ts";

export class WeightGradients {
  /** Of the last step that was compared, by layer of the weights; null: none was since begin(). */
  comparisons: readonly (Comparison | null)[] | null = null;
  /** Milliseconds that comparing took since then. */
  compareMs = 0;
  private exact: Feedback["gradients"] | null = null;
  private readonly scratch: Arena;

  constructor(
    private readonly engine: Engine,
    private readonly parameters: readonly Parameter[],
    private readonly rehearsal: Rehearsal,
  ) {
    this.scratch = engine.arena();
  }

  /** An epoch begins. */
  begin(): void {
    this.comparisons = null;
    this.compareMs = 0;
  }

  /** Compute the exact gradients of the step that comes next. */
  prepare(batch: Batch): void {
    const start = performance.now();
    this.exact = this.rehearsal.run(batch);
    this.compareMs += performance.now() - start;
  }

  /** Hold the step's gradients against the exact ones, if those were computed. */
  compare(got: Feedback["gradients"]): void {
    const { exact, scratch, engine, parameters } = this, start = performance.now();
    if (!exact) return;
    this.exact = null;
    scratch.reset();
    const layers = Math.max(0, ...parameters.map(({ layer }) => layer + 1));
    const pairs = Array.from({ length: layers }, (): [TensorHandle, TensorHandle][] => []);
    parameters.forEach(({ layer }, i) => {
      if (got[i] && exact[i]) pairs[layer]!.push([got[i].handle, exact[i].handle]);
    });
    this.comparisons = pairs.map((own) => own.length ? comparePairs({ engine, scratch }, own) : null);
    this.compareMs += performance.now() - start;
  }
}
