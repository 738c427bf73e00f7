import { z } from "zod";
import { defineSmoother, smoothingNorms } from "./smoother.ts";

export const labelPropagation = defineSmoother({
  name: "label-propagation",
  summary: "labels of the training nodes spread along the edges: Y = alpha S Y + (1 - alpha) labels",
  source:
    "Zhu and Ghahramani 2002, section 2.2 (--norm row --alpha 1); Zhou et al. 2004, section 3 (--no-clamp)",
  params: z.object({
    alpha: z.number().min(0).max(1).default(0.9).describe("share of the neighbours in each step"),
    iterations: z.int().min(1).default(50).describe("steps"),
    norm: z.enum(smoothingNorms).default("sym").describe("how neighbours are averaged"),
    clamp: z.boolean().default(true).describe("do not put the training labels back after every step"),
  }).strict(),
  readsPrediction: false,
  smooth(field, _base, { clamp, ...steps }) {
    const labels = field.oneHot();
    if (!clamp) return field.spread(labels, steps);
    const unknown = field.mask(false);
    return field.spread(labels, steps, (x) => field.fixRows(x, unknown, labels));
  },
});
