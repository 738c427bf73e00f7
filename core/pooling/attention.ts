import { z } from "zod";
import { affine } from "../models/model.ts";
import { reshape } from "../tensor/ops/reshape.ts";
import { rowScale } from "../tensor/ops/row_sum.ts";
import { segmentReduce, segmentSoftmax } from "../tensor/ops/segment.ts";
import { definePooling } from "./pooling.ts";

export const attention = definePooling({
  name: "attention",
  summary: "the mean of the nodes' rows, weighted by a softmax over the graph of a learnt score of each row",
  source: "Li et al. 2016, arXiv:1511.05493, eq. 7, the gates as a softmax over the graph",
  params: z.object({}).strict(),
  create(init, { width, layer }) {
    const weight = init.glorot("pool.weight", layer, width, 1);
    const bias = init.zeros("pool.bias", layer, 1);
    return {
      width,
      apply(tape, x, graphs) {
        const share = segmentSoftmax(tape, affine(tape, x, weight, bias), graphs);
        return segmentReduce(tape, rowScale(tape, x, reshape(tape, share, [x.rows])), graphs, "sum");
      },
    };
  },
});
