/** What a layer norm is: it stands between a layer's product and its activation. */
import type { Entry } from "../registry.ts";
import type { Init } from "../models/model.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Where a norm stands, and its settings. */
export interface NormPlace {
  /** Its parameters are called `<name>.<part>`. */
  readonly name: string;
  readonly layer: number;
  readonly width: number;
  /** Added to variances before their root is taken. */
  readonly eps: number;
}

export interface LayerNorm {
  /**
   * (n, width) -> (n, width).
   * @param graphs  I64 row ranges of the graphs of a batch; null: all rows are of one graph.
   */
  apply(tape: Tape, x: Tensor, graphs: Tensor | null): Tensor;
}

export interface LayerNormEntry extends Entry {
  /** Whether the result of a row depends on the other rows of the batch (of its graph). */
  readonly scope: "row" | "graph" | "batch";
  create(init: Init, place: NormPlace): LayerNorm;
}

/** Scale 1 and shift 0 of every column, which never decay. */
export function affineOf(init: Init, { name, layer, width }: NormPlace): { gamma: Tensor; beta: Tensor } {
  return {
    gamma: init.scale(`${name}.gamma`, layer, width, 1),
    beta: init.scale(`${name}.beta`, layer, width, 0),
  };
}
