/** Sigmoid cross-entropy of several labels per item. */
import { z } from "zod";
import { axpby } from "../tensor/ops/axpby.ts";
import { mul } from "../tensor/ops/mul.ts";
import { unary } from "../tensor/ops/unary.ts";
import { defineLoss } from "./loss.ts";
import { classWeights, countedRows, meanOf } from "./rows.ts";

export const bce = defineLoss({
  name: "bce",
  summary:
    "binary cross-entropy of every label under the sigmoid of its output, the mean over items and labels",
  source: "Bishop 2006, section 4.3.2",
  kinds: ["labels", "links"],
  params: z.object({
    classWeights: z.array(z.number().min(0)).optional().describe("weight of each class"),
    balanced: z.boolean().default(false).describe(
      "weight classes by the inverse of their training frequency",
    ),
  }).strict(),
  create(context, params) {
    const table = classWeights(context, params);
    return (tape, rows) => {
      const { x, y } = countedRows(tape, rows);
      // -y log s(x) - (1 - y) log(1 - s(x)) = softplus(x) - y x
      const each = axpby(tape, unary(tape, x, "softplus"), mul(tape, x, y), 1, -1);
      if (!table) return meanOf(tape, each, rows);
      // Where the item has the label the term counts w times: w y + (1 - y) = 1 + y (w - 1).
      const weight = tape.tensor(x.dtype, x.shape), one = tape.tensor(x.dtype, x.shape);
      const row = tape.arena.tensor(x.dtype, [x.cols]);
      tape.engine.run("cast", { x: table, out: row });
      tape.engine.run("broadcast_rows", { x: row, out: weight.handle });
      tape.engine.run("fill", { out: one.handle, value: 1 });
      const factor = tape.noGrad(() => axpby(tape, one, mul(tape, y, axpby(tape, weight, one, 1, -1)), 1, 1));
      return meanOf(tape, mul(tape, each, factor), rows);
    };
  },
});
