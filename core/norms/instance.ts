/** Instance normalisation: each column over the nodes of its graph. */
import { segmentNorm } from "../tensor/ops/norms.ts";
import { affineOf, type LayerNormEntry } from "./norm.ts";

export const instance: LayerNormEntry = {
  name: "instance",
  summary: "mean 0 and variance 1 of each column over the nodes of a graph, scaled and shifted",
  source: "Ulyanov et al. 2016, arXiv:1607.08022, over the nodes of a graph",
  scope: "graph",
  create(init, place) {
    const scales = { alpha: init.constant(place.width, 1), ...affineOf(init, place) };
    return { apply: (tape, x, graphs) => segmentNorm(tape, x, graphs, scales, place.eps) };
  },
};
