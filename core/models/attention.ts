/** Attention over in-neighbours with several heads: what gat and gatv2 share. */
import { z } from "zod";
import type { Tape } from "../tensor/autograd.ts";
import { axpby, scale } from "../tensor/ops/axpby.ts";
import { takeColumns } from "../tensor/ops/columns.ts";
import type { AttentionOptions } from "../tensor/ops/attention.ts";
import { storedEntries } from "../tensor/operator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { FeatureInput, Init, Model, Role, Signature } from "./model.ts";
import { buildStack, type LayerPlace, stackParams } from "./stack.ts";

/** Slope of the leaky relu on scores. Source: Velickovic et al. 2018, section 2.1. */
export const SCORE_SLOPE = 0.2;
/** Masks of attention are told from those of features of the same layer by this much. */
const ATTENTION_MASKS = 128;

/** The paper's network: 8 heads of 8 whose results stand side by side, one output head, dropout 0.6 everywhere. */
export const attentionParams = {
  heads: z.int().min(1).max(64).default(8).describe("attention heads of hidden layers"),
  outputHeads: z.int().min(1).max(64).default(1).describe("attention heads of the last layer, averaged"),
  attentionDropout: z.number().min(0).lt(1).default(0.6).describe("dropout on attention weights"),
  ...stackParams({ hidden: 8, layers: 2, dropout: 0.6, activation: "elu" }),
};
export type AttentionParams = z.infer<z.ZodObject<typeof attentionParams>>;

/** What the attention of a layer goes over, and the dropout of its edges. */
export type Neighbours = Pick<AttentionOptions, "pattern" | "p" | "layer" | "ids">;

/** The weighted sum of the neighbours' values, heads side by side: (numRows, total). */
export type Attend = (tape: Tape, x: FeatureInput, neighbours: Neighbours) => Tensor;

/** A layer's width and heads. */
export interface HeadPlace extends LayerPlace {
  readonly heads: number;
  /** heads * the width of one. */
  readonly total: number;
}

/** A stack of attention layers; `make` gives the scores of one. `hidden` is the width of a head. */
export function buildAttention(
  init: Init,
  signature: Signature,
  params: AttentionParams,
  role: Role,
  make: (init: Init, place: HeadPlace) => Attend,
): Model {
  const wide = { ...params, hidden: params.hidden * params.heads };
  return buildStack(init, signature, wide, role, (init, place) => {
    const { index, count, width, isOutput } = place;
    const heads = isOutput ? params.outputHeads : params.heads;
    const attend = make(init, { ...place, heads, total: isOutput ? heads * width : width });
    const bias = params.bias ? init.zeros(`layer${index}.bias`, index, width) : null;
    return (tape, x, { operator, ids }, after) => {
      const { pattern } = storedEntries(operator(index, count), "Attention");
      const all = attend(tape, x, {
        pattern,
        p: params.attentionDropout,
        layer: ATTENTION_MASKS + index,
        ids,
      });
      return after(tape, isOutput ? meanOfHeads(tape, all, heads) : all, bias);
    };
  });
}

/** (n, heads * d) -> (n, d) */
function meanOfHeads(tape: Tape, x: Tensor, heads: number): Tensor {
  const width = x.cols / heads;
  if (heads === 1) return x;
  const parts = Array.from({ length: heads }, (_, h) => takeColumns(tape, x, h * width, width));
  return scale(tape, parts.reduce((a, b) => axpby(tape, a, b, 1, 1)), 1 / heads);
}

/** What attention models accept. */
export const attentionAccepts = {
  hops: ({ layers }: { layers: number }) => layers,
  propagated: "its layers weight neighbours by attention themselves",
  batches: null,
  precalc: "the weights of its edges are learnt",
  approx: () => "the weights of its edges are learnt: their norms are others in every step",
};
