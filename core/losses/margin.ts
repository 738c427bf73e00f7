/** Margin ranking of links above pairs without one. */
import { z } from "zod";
import { axpby, scale } from "../tensor/ops/axpby.ts";
import { takeColumns } from "../tensor/ops/columns.ts";
import { gather } from "../tensor/ops/gather.ts";
import { reshape } from "../tensor/ops/reshape.ts";
import { broadcastColumns, totalSum } from "../tensor/ops/row_sum.ts";
import { unary } from "../tensor/ops/unary.ts";
import { Tensor } from "../tensor/tensor.ts";
import { defineLoss } from "./loss.ts";

export const margin = defineLoss({
  name: "margin",
  summary:
    "how far each pair without a link comes within a margin of its link's score, the mean over these pairs",
  source: "Bordes et al. 2013 (TransE), eq. 1",
  kinds: ["links"],
  params: z.object({
    margin: z.number().min(0).default(1).describe("distance from which on a pair costs nothing"),
  }).strict(),
  create: (_context, { margin }) => (tape, { outputs, rows }) => {
    const x = gather(tape, outputs, new Tensor(rows)), per = x.cols - 1;
    const link = reshape(tape, takeColumns(tape, x, 0, 1), [x.rows]);
    const distance = axpby(tape, takeColumns(tape, x, 1, per), broadcastColumns(tape, link, per), 1, -1);
    // max(d, -margin) + margin = relu(d + margin)
    const within = unary(tape, distance, "max_scalar", -margin);
    return axpby(tape, scale(tape, totalSum(tape, within), 1 / (x.rows * per)), one(), 1, margin);

    function one(): Tensor {
      const tensor = tape.tensor(x.dtype, [1]);
      tape.engine.run("fill", { out: tensor.handle, value: 1 });
      return tensor;
    }
  },
});
