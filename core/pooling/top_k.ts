import { z } from "zod";
import { gather } from "../tensor/ops/gather.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { reshape } from "../tensor/ops/reshape.ts";
import { broadcastScalar, rowScale, totalSum } from "../tensor/ops/row_sum.ts";
import { mul } from "../tensor/ops/mul.ts";
import { segmentReduce, segmentTop } from "../tensor/ops/segment.ts";
import { unary } from "../tensor/ops/unary.ts";
import { definePooling } from "./pooling.ts";

export const topK = definePooling({
  name: "top-k",
  summary: "the rows with the largest learnt scores, each times the tanh of its score",
  source: "Gao and Ji 2019, arXiv:1905.05178, eq. 2; gate and ratio: Cangea et al. 2018, arXiv:1811.01287",
  params: z.object({
    poolRatio: z.number().gt(0).max(1).default(0.5).describe(
      "share of each graph's nodes that is kept, rounded up",
    ),
    poolReadout: z.enum(["sum", "mean", "max"]).default("mean").describe("how the kept rows become one"),
  }).strict(),
  create(init, { width, layer }, { poolRatio, poolReadout }) {
    const direction = init.glorot("pool.direction", layer, width, 1);
    return {
      width,
      apply(tape, x, graphs) {
        // The score is the projection on a direction: its length does not count.
        const length = unary(tape, totalSum(tape, mul(tape, direction, direction)), "power", -0.5);
        const projected = reshape(tape, matmul(tape, x, direction), [x.rows]);
        const score = mul(tape, projected, broadcastScalar(tape, length, [x.rows]));
        const { index, ptr } = segmentTop(tape, score, graphs, poolRatio);
        const gate = unary(tape, gather(tape, score, index), "tanh");
        return segmentReduce(tape, rowScale(tape, gather(tape, x, index), gate), ptr, poolReadout);
      },
    };
  },
});
