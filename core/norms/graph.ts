/** GraphNorm: instance normalisation that takes off a learned share of the mean. */
import { segmentNorm } from "../tensor/ops/norms.ts";
import { affineOf, type LayerNormEntry } from "./norm.ts";

export const graph: LayerNormEntry = {
  name: "graph",
  summary: "GraphNorm: as instance, with a learned share of the mean taken off",
  source: "Cai et al. 2021, arXiv:2009.03294, eq. 6",
  scope: "graph",
  create(init, place) {
    const alpha = init.scale(`${place.name}.alpha`, place.layer, place.width, 1);
    const scales = { alpha, ...affineOf(init, place) };
    return { apply: (tape, x, graphs) => segmentNorm(tape, x, graphs, scales, place.eps) };
  },
};
