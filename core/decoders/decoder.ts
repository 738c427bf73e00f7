/** What a decoder is: from the vectors of two nodes to the score of a link between them. */
import type { z } from "zod";
import type { TensorHandle } from "../../ffi/engine.ts";
import type { Init } from "../models/model.ts";
import type { Entry } from "../registry.ts";
import type { Tape } from "../tensor/autograd.ts";
import { rowDot } from "../tensor/ops/row_sum.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Layer number of a decoder's parameters: behind every layer of an encoder. */
export const DECODER_LAYER = 64;

export interface DecoderShape {
  /** Numbers per node. */
  readonly width: number;
  /** How many types links have; null: none. */
  readonly numTypes: number | null;
}

/** p pairs of nodes. */
export interface LinkEnds {
  /** (p, width) */
  readonly source: Tensor;
  /** (p, width) */
  readonly target: Tensor;
  /** I32 [p], where links have types. */
  readonly type: TensorHandle | null;
}

export interface Decoder {
  /** [p] scores: logits of the link being there. */
  score(tape: Tape, ends: LinkEnds): Tensor;
  /**
   * (p, width) vectors whose products with the vectors of the other end are the scores, where there are some: then all
   * nodes are scored by one product.
   *
   * @param given  (p, width) the end that is known.
   * @param side  which end that is.
   */
  query?(tape: Tape, given: Tensor, type: TensorHandle | null, side: "source" | "target"): Tensor;
}

export interface DecoderEntry extends Entry {
  readonly params: z.ZodObject;
  /** Whether it reads the types of links. */
  readonly isTyped: boolean;
  create(init: Init, shape: DecoderShape, params: Record<string, unknown>): Decoder;
}

/** Type the params of `create` from the entry's schema. */
export function defineDecoder<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  readonly isTyped?: boolean;
  create(init: Init, shape: DecoderShape, params: z.infer<S>): Decoder;
}): DecoderEntry {
  return { isTyped: false, ...entry } as unknown as DecoderEntry;
}

/** A decoder whose score is the product of a query of the source with the target. */
export function byQuery(query: NonNullable<Decoder["query"]>): Decoder {
  return {
    query,
    score: (tape, { source, target, type }) => rowDot(tape, query(tape, source, type, "source"), target),
  };
}
