/** One row of outputs per graph: a model's hidden rows, a pooling, and linear layers behind it. */
import type { Init, Model } from "../models/model.ts";
import { finish } from "../models/activation.ts";
import { idsOf } from "../models/model.ts";
import { dropout } from "../tensor/ops/dropout.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { wholeRange } from "../tensor/ops/norms.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { PoolingEntry } from "./pooling.ts";

export interface ReadoutParams {
  readonly pooling: PoolingEntry;
  readonly poolParams: Record<string, unknown>;
  /** Linear layers behind the pooling, at least 1. */
  readonly layers: number;
  /** Width of those before the last; null: as wide as what is pooled. */
  readonly hidden: number | null;
  /** On the input of each. */
  readonly dropout: number;
}

/** Layers of models count from 0 and are at most 64; masks have layer numbers below 256. */
const HEAD_LAYER = 64, HEAD_MASK = 240;

/** `body`, whose rows are nodes, with a readout behind it: rows of the result are the graphs of the input. */
export function withReadout(init: Init, body: Model, width: number, params: ReadoutParams): Model {
  const pooling = params.pooling.create(init, { width: body.width, layer: HEAD_LAYER }, params.poolParams);
  const { layers, hidden } = params;
  const inner = new Array<number>(layers - 1).fill(hidden ?? pooling.width);
  const widths = [pooling.width, ...inner, width];
  const head = widths.slice(1).map((out, l) => ({
    weight: init.glorot(`head${l}.weight`, HEAD_LAYER + l, widths[l]!, out),
    bias: init.zeros(`head${l}.bias`, HEAD_LAYER + l, out),
  }));
  return {
    parameters: init.parameters,
    buffers: init.buffers,
    width,
    forward(tape, input) {
      const nodes = body.forward(tape, input), { graphs } = input;
      const ranges = graphs ? new Tensor(graphs.ptr) : wholeRange(tape, nodes.rows);
      const pooled = pooling.apply(tape, nodes, ranges), ids = graphs?.ids ?? null;
      let x = dropout(tape, pooled, params.dropout, HEAD_MASK, idsOf(pooled, ids));
      head.forEach(({ weight, bias }, l) => {
        const isLast = l === head.length - 1;
        x = finish(tape, matmul(tape, x, weight), {
          bias,
          activation: isLast ? "none" : "relu",
          drop: isLast ? null : { p: params.dropout, layer: HEAD_MASK + l + 1, ids },
        });
      });
      return x;
    },
  };
}
