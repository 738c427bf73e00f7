/** Losses of numbers: means over items and columns of a function of the difference. */
import { z } from "zod";
import type { Tape } from "../tensor/autograd.ts";
import { axpby, scale } from "../tensor/ops/axpby.ts";
import { mul } from "../tensor/ops/mul.ts";
import { unary } from "../tensor/ops/unary.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { defineLoss, type LossRows } from "./loss.ts";
import { countedRows, meanOf } from "./rows.ts";

function difference(tape: Tape, rows: LossRows): Tensor {
  const { x, y } = countedRows(tape, rows);
  return axpby(tape, x, y, 1, -1);
}

export const mse = defineLoss({
  name: "mse",
  summary: "mean squared error",
  source: "gust",
  kinds: ["values"],
  params: z.object({}).strict(),
  create: () => (tape, rows) => {
    const d = difference(tape, rows);
    return meanOf(tape, mul(tape, d, d), rows);
  },
});

export const l1 = defineLoss({
  name: "l1",
  summary: "mean absolute error",
  source: "gust",
  kinds: ["values"],
  params: z.object({}).strict(),
  create: () => (tape, rows) => meanOf(tape, unary(tape, difference(tape, rows), "abs"), rows),
});

export const huber = defineLoss({
  name: "huber",
  summary: "squared near 0, absolute from DELTA on",
  source: "Huber 1964, section 4",
  kinds: ["values"],
  params: z.object({
    delta: z.number().positive().default(1).describe("where the loss turns from squared to absolute"),
  }).strict(),
  create: (_context, { delta }) => (tape, rows) => {
    const a = unary(tape, difference(tape, rows), "abs");
    // q = min(a, delta); q a - q^2 / 2
    const q = scale(tape, unary(tape, scale(tape, a, -1), "max_scalar", -delta), -1);
    return meanOf(tape, axpby(tape, mul(tape, q, a), mul(tape, q, q), 1, -0.5), rows);
  },
});
