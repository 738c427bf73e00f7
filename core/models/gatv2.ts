/** Graph attention whose ranking of neighbours depends on the node that asks. */
import { z } from "zod";
import { dropoutEdges } from "../tensor/ops/csr_values.ts";
import { edgeSum, headDots, spmmHeads } from "../tensor/ops/heads.ts";
import { relu } from "../tensor/ops/relu.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { segmentSoftmax } from "../tensor/ops/segment.ts";
import { Tensor } from "../tensor/tensor.ts";
import { attentionAccepts, attentionParams, buildAttention, SCORE_SLOPE } from "./attention.ts";
import { defineModel, project } from "./model.ts";

export const gatv2 = defineModel({
  name: "gatv2",
  summary: "dynamic graph attention: softmax(a . leaky-relu(W h_i + V h_j)); memory edges * heads * hidden",
  source: "Brody et al. 2022, arXiv:2105.14491, eq. 7; ogbn-arxiv 71.87, ogbn-products 80.63",
  params: z.object(attentionParams).strict(),
  accepts: attentionAccepts,
  operator: () => "loops",
  ignoresWeights: () => true,
  train: { lr: 0.005, weightDecay: 5e-4, weightDecayOn: "all", featNorm: "row", epochs: 1000, patience: 100 },
  build: (init, signature, params, role) =>
    buildAttention(init, signature, params, role, (init, { index, inWidth, heads, total }) => {
      const name = `layer${index}`;
      const row = init.glorot(`${name}.weight_row`, index, inWidth, total);
      const column = init.glorot(`${name}.weight_column`, index, inWidth, total);
      const attention = init.attention(`${name}.attention`, index, total / heads, heads);
      return (tape, x, { pattern, p, layer, ids }) => {
        const values = project(tape, x, column);
        const rows = firstRows(tape, project(tape, x, row), pattern.numRows);
        const hidden = relu(tape, edgeSum(tape, pattern, rows, values), SCORE_SLOPE);
        const scores = headDots(tape, hidden, attention, heads);
        const weights = segmentSoftmax(tape, scores, new Tensor(pattern.indptr));
        return spmmHeads(tape, pattern, dropoutEdges(tape, pattern, weights, p, layer, ids), values);
      };
    }),
});
