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
import { classWeights, meanOfClasses } from "./rows.ts";

/** weight[r] = of the class of row r. */
function classOfRows(
  { engine, arena }: Tape,
  table: TensorHandle,
  { outputs: { dtype }, targets, rows }: LossRows,
): TensorHandle {
  const label = arena.tensor("I32", [rows.rows]), weight = arena.tensor(dtype, [rows.rows]);
  engine.run("gather", { x: targets, index: rows, out: label });
  engine.run("gather", { x: table, index: label, out: weight });
  return weight;
}

/** 1 / the sum as a [1] tensor. */
function inverseSum({ engine, arena }: Tape, weight: TensorHandle): TensorHandle {
  const inverse = arena.tensor(weight.dtype, [1]);
  engine.run("total_sum", { x: weight, out: inverse });
  engine.run("unary", { x: inverse, out: inverse, kind: unaryKinds.reciprocal, alpha: 0 });
  return inverse;
}

/** The rows' own weights times those of their classes, over the mean weight of all training items. */
function countedWeights(
  tape: Tape,
  own: TensorHandle,
  ofClasses: TensorHandle | null,
  meanWeight: number,
): TensorHandle {
  if (!ofClasses) return own;
  const out = tape.arena.tensor(own.dtype, [own.rows]);
  tape.engine.run("mul", { x: own, y: ofClasses, out });
  tape.engine.run("axpby", { x: out, y: out, out, alpha: 1 / meanWeight, beta: 0 });
  return out;
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
    const meanWeight = table ? meanOfClasses(context, table) : 1;
    return (tape, loss) => {
      const { outputs, targets, rows, count } = loss;
      const ofClasses = table && classOfRows(tape, table, loss);
      const weight = loss.weights ? countedWeights(tape, loss.weights, ofClasses, meanWeight) : ofClasses;
      const hard = meanCrossEntropy(tape, outputs, targets, {
        index: rows,
        weight,
        sum: !!loss.weights,
      });
      if (share === 0) return hard;
      // The even part: the mean over classes of -log p, weighted as the rows are.
      const logs = rowSum(tape, logSoftmax(tape, gather(tape, outputs, new Tensor(rows))));
      const all = totalSum(tape, weight ? mul(tape, logs, new Tensor(weight)) : logs);
      const even = loss.weights
        ? all
        : weight
        ? mul(tape, all, new Tensor(inverseSum(tape, weight)))
        : scale(tape, all, 1 / count);
      return axpby(tape, hard, even, 1 - share, -share / outputs.cols);
    };
  },
});
