/** Softmax cross-entropy of one class per item. */
import { z } from "zod";
import type { TensorHandle } from "../../ffi/engine.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import type { Tape } from "../tensor/autograd.ts";
import { axpby, scale } from "../tensor/ops/axpby.ts";
import { crossEntropy as meanCrossEntropy } from "../tensor/ops/cross_entropy.ts";
import { gather } from "../tensor/ops/gather.ts";
import { logSoftmax } from "../tensor/ops/log_softmax.ts";
import { mul } from "../tensor/ops/mul.ts";
import { rowSum, totalSum } from "../tensor/ops/row_sum.ts";
import { Tensor } from "../tensor/tensor.ts";
import { defineLoss, type LossRows } from "./loss.ts";
import { classWeights } from "./rows.ts";

/** weight[r] = of the class of row r, and 1 / their sum as a [1] tensor. */
function rowWeights(
  { engine, arena }: Tape,
  table: TensorHandle,
  { outputs: { dtype }, targets, rows }: LossRows,
): { weight: TensorHandle; inverse: TensorHandle } {
  const label = arena.tensor("I32", [rows.rows]);
  engine.run("gather", { x: targets, index: rows, out: label });
  const weight = arena.tensor(dtype, [rows.rows]), inverse = arena.tensor(dtype, [1]);
  engine.run("gather", { x: table, index: label, out: weight });
  engine.run("total_sum", { x: weight, out: inverse });
  engine.run("unary", { x: inverse, out: inverse, kind: unaryKinds.reciprocal, alpha: 0 });
  return { weight, inverse };
}

export const crossEntropy = defineLoss({
  name: "cross-entropy",
  summary: "negative log-likelihood of the true class under the softmax of the outputs",
  source: "Szegedy et al. 2016, arXiv:1512.00567, section 7 (label smoothing)",
  kinds: ["classes", "links"],
  params: z.object({
    labelSmoothing: z.number().min(0).lt(1).default(0).describe(
      "share of the target that is spread evenly over all classes",
    ),
    classWeights: z.array(z.number().min(0)).optional().describe("weight of each class"),
    balanced: z.boolean().default(false).describe(
      "weight classes by the inverse of their training frequency",
    ),
  }).strict(),
  create(context, params) {
    const { labelSmoothing: share } = params;
    const table = classWeights(context, params);
    return (tape, loss) => {
      const { outputs, targets, rows, count } = loss;
      const weights = table ? rowWeights(tape, table, loss) : null;
      const hard = meanCrossEntropy(tape, outputs, targets, {
        index: rows,
        weight: weights?.weight ?? null,
      });
      if (share === 0) return hard;
      // The even part: the mean over classes of -log p, weighted as the rows are.
      const logs = rowSum(tape, logSoftmax(tape, gather(tape, outputs, new Tensor(rows))));
      const even = weights
        ? mul(tape, totalSum(tape, mul(tape, logs, new Tensor(weights.weight))), new Tensor(weights.inverse))
        : scale(tape, totalSum(tape, logs), 1 / count);
      return axpby(tape, hard, even, 1 - share, -share / outputs.cols);
    };
  },
});
