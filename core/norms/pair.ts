/** PairNorm: the mean row is taken off and all rows are scaled alike, so that distances between nodes keep their size. */
import { axpby } from "../tensor/ops/axpby.ts";
import { inverseRoot, wholeRange } from "../tensor/ops/norms.ts";
import { rowDot, rowScale } from "../tensor/ops/row_sum.ts";
import { reshape } from "../tensor/ops/reshape.ts";
import { segmentBroadcast, segmentReduce } from "../tensor/ops/segment.ts";
import type { LayerNormEntry } from "./norm.ts";

export const pair: LayerNormEntry = {
  name: "pair",
  summary: "PairNorm: rows centred over the graph, then scaled to a mean square length of 1",
  source: "Zhao and Akoglu 2020, arXiv:1909.12223, eq. 10-11, s = 1",
  scope: "graph",
  create: (_init, { eps }) => ({
    apply(tape, x, graphs) {
      const ranges = graphs ?? wholeRange(tape, x.rows);
      const mean = segmentReduce(tape, x, ranges, "mean");
      const centred = axpby(tape, x, segmentBroadcast(tape, mean, ranges, x.rows), 1, -1);
      const square = reshape(tape, rowDot(tape, centred, centred), [x.rows, 1]);
      const size = segmentReduce(tape, square, ranges, "mean");
      const factor = segmentBroadcast(tape, inverseRoot(tape, size, eps), ranges, x.rows);
      return rowScale(tape, centred, reshape(tape, factor, [x.rows]));
    },
  }),
};
