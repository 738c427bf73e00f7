/** Layer normalisation: each row by itself. */
import { columnAffine } from "../tensor/ops/column_affine.ts";
import { rowNormalize } from "../tensor/ops/norms.ts";
import { affineOf, type LayerNormEntry } from "./norm.ts";

export const layer: LayerNormEntry = {
  name: "layer",
  summary: "mean 0 and variance 1 along each row, scaled and shifted by column",
  source: "Ba et al. 2016, arXiv:1607.06450",
  scope: "row",
  create(init, place) {
    const { gamma, beta } = affineOf(init, place);
    return { apply: (tape, x) => columnAffine(tape, rowNormalize(tape, x, place.eps), gamma, beta) };
  },
};
