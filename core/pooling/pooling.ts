/** What a pooling is: from the nodes of each graph to one row per graph. */
import type { z } from "zod";
import type { Entry } from "../registry.ts";
import type { Init } from "../models/model.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Where a pooling stands. */
export interface PoolPlace {
  /** Columns of the nodes' rows. */
  readonly width: number;
  /** Layers before it: its parameters belong to the next. */
  readonly layer: number;
}

export interface Pooling {
  /** Columns of what it gives. */
  readonly width: number;
  /**
   * (n, width) -> (graphs, this.width). A graph without nodes gives zeros.
   * @param graphs  I64[graphs + 1] row ranges of the graphs.
   */
  apply(tape: Tape, x: Tensor, graphs: Tensor): Tensor;
}

export interface PoolingEntry extends Entry {
  create(init: Init, place: PoolPlace, params: Record<string, unknown>): Pooling;
}

/** Type the `params` of `create` from the entry's schema. */
export function definePooling<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  create(init: Init, place: PoolPlace, params: z.infer<S>): Pooling;
}): PoolingEntry {
  return entry as unknown as PoolingEntry;
}
